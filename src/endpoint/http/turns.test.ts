import { expect, it } from 'vitest';
import { Turns } from './turns.ts';

/** Sends requests, and gives in which order they began and in which round of the event loop. */
function sending(turns: Turns) {
  const begun: { name: string; round: number }[] = [];
  let round = 0;
  const send = (principal: string, name = principal): void => {
    const begin = (): void => void begun.push({ name, round });
    if (turns.admits(principal)) begin();
    else turns.wait(principal, begin);
  };
  const nextRound = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    round++;
  };
  return { begun, send, nextRound };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

it('a principal alone begins all of its requests at once', () => {
  const { begun, send } = sending(new Turns(true));
  for (const _ of range(100)) send('only');
  expect(begun).toHaveLength(100);
});

it('a gateway for one principal holds nothing back, whatever callers are named', () => {
  const { begun, send } = sending(new Turns(false));
  for (const i of range(100)) send(i % 2 ? 'a' : 'b');
  expect(begun).toHaveLength(100);
});

it('a principal with hundreds of requests delays those of others by two of its own in each round', async () => {
  const { begun, send, nextRound } = sending(new Turns(true));
  send('modest', 'first');
  for (const i of range(300)) send('greedy', `greedy ${i}`);
  send('modest', 'second');
  expect(begun.map(({ name }) => name)).toEqual(['first', 'greedy 0', 'greedy 1', 'second']);
  for (const round of range(10)) {
    await nextRound();
    send('modest', `modest ${round}`);
    send('greedy', `late ${round}`);
    expect(begun.at(-1)?.name).toBe(`modest ${round}`);
  }
  const of = (prefix: string) => begun.filter(({ name }) => name.startsWith(prefix)).map(({ name }) => name);
  expect(of('greedy')).toEqual(range(22).map((i) => `greedy ${i}`));
  expect(of('late')).toEqual([]);
});

it('waiting requests of several principals begin in turns, all of them, in the order of each', async () => {
  const { begun, send, nextRound } = sending(new Turns(true));
  for (const i of range(20)) for (const principal of ['a', 'b', 'c']) send(principal, `${principal} ${i}`);
  for (let round = 0; begun.length < 60 && round < 30; round++) await nextRound();
  for (const principal of ['a', 'b', 'c']) {
    const own = begun.filter(({ name }) => name.startsWith(principal)).map(({ name }) => name);
    expect(own).toEqual(range(20).map((i) => `${principal} ${i}`));
  }
  const inRound = Map.groupBy(begun, ({ name, round }) => `${name[0]} ${round}`);
  for (const [, requests] of inRound) expect(requests.length).toBeLessThanOrEqual(4);
});
