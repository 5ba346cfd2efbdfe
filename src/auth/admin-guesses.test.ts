import { beforeEach, describe, expect, it } from 'vitest';
import { AdminGuesses } from './admin-guesses.ts';

const TOKEN = 'admin-token-of-the-operator';
const [ATTACKER, OTHER, LOOPBACK] = ['203.0.113.7', '198.51.100.1', '127.0.0.1'];
const REFUSED = expect.objectContaining({ code: 'SWB_TOO_MANY_ATTEMPTS', httpStatus: 429 });

let now: number;
let guesses: AdminGuesses;

beforeEach(() => {
  now = 1_000;
  guesses = new AdminGuesses(TOKEN, () => now);
});

function verdict(token: string, from: string | undefined): unknown {
  try {
    return guesses.check(token, from);
  } catch (error) {
    return error;
  }
}

/** Ten wrong tokens, which is what an address may show in a minute. */
const guessFrom = (from: string | undefined): void => {
  for (let each = 0; each < 10; each++) expect(guesses.check(`guess ${each}`, from)).toBe(false);
};

describe('an address that guesses', () => {
  it('gets no verdict after ten wrong tokens until its minute is over, by the right token neither', () => {
    guessFrom(ATTACKER);
    now += 20_000;
    expect(verdict('guess 10', ATTACKER)).toEqual(REFUSED);
    expect(verdict(TOKEN, ATTACKER)).toMatchObject({ code: 'SWB_TOO_MANY_ATTEMPTS', retryAfterMs: 40_000 });
    now += 40_000;
    expect(verdict(TOKEN, ATTACKER)).toBe(true);
  });

  it('keeps nobody out elsewhere', () => {
    guessFrom(ATTACKER);
    expect(verdict(TOKEN, OTHER)).toBe(true);
    expect(verdict(TOKEN, LOOPBACK)).toBe(true);
    expect(verdict(TOKEN, undefined)).toBe(true);
  });

  it('is no other one by another spelling, or by another address of its own network', () => {
    guessFrom('2001:db8:0:7::1');
    expect(verdict(TOKEN, '2001:db8:0:7:ffff::2')).toEqual(REFUSED);
    expect(verdict(TOKEN, '2001:db8::7:0:0:0:1')).toEqual(REFUSED);
    expect(verdict(TOKEN, '2001:db8:0:8::1')).toBe(true);
    guessFrom('::ffff:203.0.113.7');
    expect(verdict(TOKEN, ATTACKER)).toEqual(REFUSED);
  });

  it('may be the loopback one, or one that has shown the right token before', () => {
    expect(verdict(TOKEN, OTHER)).toBe(true);
    for (const from of [LOOPBACK, '::1', OTHER]) {
      guessFrom(from);
      expect(verdict(TOKEN, from)).toEqual(REFUSED);
    }
  });
});

it('a wrong token that is sent over and over counts once', () => {
  for (let each = 0; each < 1_000; each++) expect(guesses.check('the token of last year', OTHER)).toBe(false);
  expect(verdict(TOKEN, OTHER)).toBe(true);
});

describe('guesses of many addresses', () => {
  const address = (index: number): string => `10.0.${Math.floor(index / 250)}.${index % 250}`;
  /** How many verdicts wrong tokens of so many new addresses get. */
  const verdicts = (first: number, count: number): number => {
    let got = 0;
    for (let each = first; each < first + count; each++) if (verdict('guess', address(each)) === false) got++;
    return got;
  };

  it('are bounded together, and the right token still works on the machine and where it was shown before', () => {
    expect(verdict(TOKEN, OTHER)).toBe(true);
    expect(verdicts(0, 5_000)).toBe(200);
    expect(verdict(TOKEN, LOOPBACK)).toBe(true);
    expect(verdict(TOKEN, '::1')).toBe(true);
    // A program that calls the gateway within its process.
    expect(verdict(TOKEN, undefined)).toBe(true);
    expect(verdict(TOKEN, OTHER)).toBe(true);
    expect(verdict(TOKEN, '192.0.2.1')).toMatchObject({ code: 'SWB_TOO_MANY_ATTEMPTS', retryAfterMs: 60_000 });
    now += 60_000;
    expect(verdict(TOKEN, '192.0.2.1')).toBe(true);
  });

  it('are forgotten with their minute', () => {
    for (let minute = 0; minute < 50; minute++) {
      expect(verdicts(minute * 250, 250)).toBe(200);
      now += 60_000;
      expect(guesses.remembered).toBeLessThanOrEqual(400);
    }
  });
});
