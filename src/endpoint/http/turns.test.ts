import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Turns } from './turns.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate'] }));
afterEach(() => void vi.useRealTimers());

/** Sends requests that take so many milliseconds to begin, and gives who began when. */
function sending(several: boolean) {
  let now = 10_000;
  const turns = new Turns(several, () => now);
  const begun: { name: string; at: number }[] = [];
  const send = (principal: string, tookMs = 0.1, name = principal): void => {
    const begin = (): void => {
      begun.push({ name, at: now });
      now += tookMs;
    };
    const since = turns.enter(principal);
    if (since === undefined) turns.wait(principal, begin);
    else {
      begin();
      turns.left(principal, since);
    }
  };
  const pass = (ms: number): void => {
    now += ms;
    vi.advanceTimersByTime(ms);
  };
  return { begun, send, pass };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

it('a principal alone begins all of its requests at once', () => {
  const { begun, send } = sending(true);
  for (const _ of range(100)) send('only');
  expect(begun).toHaveLength(100);
});

it('a gateway for one principal holds nothing back, whatever callers are named', () => {
  const { begun, send } = sending(false);
  for (const i of range(100)) send(i % 2 ? 'a' : 'b');
  expect(begun).toHaveLength(100);
});

it('a principal with hundreds of requests has its share of the time, and others begin at once', () => {
  const { begun, send, pass } = sending(true);
  const others = range(9).map((i) => `other ${i}`);
  for (const other of others) send(other);
  for (const i of range(300)) send('greedy', 0.1, `greedy ${i}`);
  for (const _ of range(100)) {
    pass(1);
    for (const other of others) {
      send(other);
      expect(begun.at(-1)?.name).toBe(other);
    }
  }
  const greedy = begun.filter(({ name }) => name.startsWith('greedy'));
  // A tenth of the time that passed, which is 100 ms and 9 times 100 requests of 0.1 ms.
  const [first, last] = [begun[0]?.at ?? 0, begun.at(-1)?.at ?? 0];
  expect(greedy.length * 0.1).toBeLessThanOrEqual((last - first) / 10 + 0.3);
  expect(greedy.length).toBeGreaterThan(100);
  expect(greedy.map(({ name }) => name)).toEqual(range(greedy.length).map((i) => `greedy ${i}`));
});

it('a principal whose requests take long waits longer for its next one', () => {
  const { begun, send, pass } = sending(true);
  send('modest', 0);
  for (const _ of range(10)) send('greedy', 10);
  const ofGreedy = (): number => begun.filter(({ name }) => name === 'greedy').length;
  const passWithOther = (ms: number): void => {
    for (const _ of range(ms)) {
      pass(1);
      send('modest', 0);
    }
  };
  passWithOther(8);
  expect(ofGreedy()).toBe(1);
  passWithOther(3);
  expect(ofGreedy()).toBe(2);
});

it('a principal waits no longer for others that have become silent', () => {
  const { begun, send, pass } = sending(true);
  for (const principal of ['a', 'b', 'c']) send(principal);
  for (const _ of range(3)) send('greedy', 50);
  expect(begun).toHaveLength(4);
  for (const _ of range(5)) pass(1);
  expect(begun.length).toBeGreaterThan(4);
});

it('requests of others that arrive while one keeps the event loop busy count, however long that takes', () => {
  const { begun, send, pass } = sending(true);
  send('other', 0);
  for (const _ of range(20)) send('greedy', 30);
  for (const _ of range(20)) {
    const before = begun.length;
    pass(1);
    send('other', 0);
    expect(begun.at(-1)?.name).toBe('other');
    expect(begun.length - before).toBeLessThanOrEqual(2);
  }
});

it('a principal waits a tenth of a second at most, whatever its last request took', () => {
  const { begun, send, pass } = sending(true);
  for (const principal of ['a', 'b', 'c']) send(principal, 0);
  for (const _ of range(2)) send('greedy', 90);
  const ofGreedy = (): number => begun.filter(({ name }) => name === 'greedy').length;
  for (const _ of range(99)) {
    pass(1);
    send('a', 0);
  }
  expect(ofGreedy()).toBe(1);
  pass(2);
  expect(ofGreedy()).toBe(2);
});

it('all waiting requests begin, in the order of each principal, and at once when others have been silent', () => {
  const { begun, send, pass } = sending(true);
  for (const i of range(20)) for (const principal of ['a', 'b', 'c']) send(principal, 0.1, `${principal} ${i}`);
  for (let ms = 0; begun.length < 60 && ms < 100; ms++) pass(1);
  for (const principal of ['a', 'b', 'c']) {
    const own = begun.filter(({ name }) => name.startsWith(principal)).map(({ name }) => name);
    expect(own).toEqual(range(20).map((i) => `${principal} ${i}`));
  }
  pass(2_500);
  const before = begun.length;
  for (const _ of range(50)) send('a');
  expect(begun).toHaveLength(before + 50);
});
