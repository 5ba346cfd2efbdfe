import { expect, it, vi } from 'vitest';
import { RoundTokens } from './round-tokens.ts';

const of = (principal: string, digest = 'd') => ({ principal, digest });

it('an expected round is recognised by principal, request and state, once', () => {
  const rounds = new RoundTokens();
  rounds.expect(of('a'), 's');
  for (const [binding, state] of [
    [of('b'), 's'],
    [of('a', 'other'), 's'],
    [of('a'), 't'],
    [of('a'), undefined],
  ] as const) {
    expect(rounds.take(binding, state)).toBe(false);
  }
  expect(rounds.take(of('a'), 's')).toBe(true);
  expect(rounds.take(of('a'), 's')).toBe(false);
  expect(rounds.size).toBe(0);
});

it('a round that is expected twice is one', () => {
  const rounds = new RoundTokens();
  rounds.expect(of('a'), 's');
  rounds.expect(of('a'), 's');
  expect(rounds.size).toBe(1);
  expect([rounds.take(of('a'), 's'), rounds.take(of('a'), 's')]).toEqual([true, false]);
});

it('a principal with many rounds loses its own oldest, and no other’s', () => {
  const rounds = new RoundTokens();
  rounds.expect(of('quiet'), 's');
  for (let i = 0; i < 20_000; i++) rounds.expect(of('loud'), `s${i}`);
  expect(rounds.size).toBe(1_001);
  expect(rounds.take(of('loud'), 's18999')).toBe(false);
  expect(rounds.take(of('loud'), 's19000')).toBe(true);
  expect(rounds.take(of('quiet'), 's')).toBe(true);
});

it('the number of expected rounds is bounded', () => {
  const rounds = new RoundTokens();
  rounds.expect(of('quiet'), 's');
  for (let i = 0; i < 30_000; i++) rounds.expect(of(`p${i % 40}`), `s${i}`);
  expect(rounds.size).toBe(10_000);
  expect(rounds.take(of('quiet'), 's')).toBe(true);
});

it('an expected round is forgotten after a quarter of an hour', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const rounds = new RoundTokens();
    rounds.expect(of('a'), 's');
    vi.advanceTimersByTime(15 * 60_000 + 1);
    expect(rounds.take(of('a'), 's')).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});

it('all expected rounds are forgotten under new rules', () => {
  const rounds = new RoundTokens();
  const binding = { principal: 'a', digest: 'd' };
  rounds.expect(binding, 'state');
  rounds.clear();
  expect(rounds.size).toBe(0);
  expect(rounds.take(binding, 'state')).toBe(false);
});
