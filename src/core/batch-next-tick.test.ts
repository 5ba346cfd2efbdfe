import { expect, it } from 'vitest';
import { batchNextTick } from './batch-next-tick.ts';

it('work that is put off is done in order, and lets others in between when it is much', async () => {
  const done: (number | string)[] = [];
  for (let i = 0; i < 4; i++) {
    batchNextTick(() => {
      const end = performance.now() + 6;
      while (performance.now() < end);
      done.push(i);
    });
  }
  for (let turns = 0; turns < 4; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    done.push('other');
  }
  await expect.poll(() => done.filter((each) => each !== 'other')).toEqual([0, 1, 2, 3]);
  expect(done.indexOf('other')).toBeLessThan(done.indexOf(1));
});

it('what is put off meanwhile comes after what waits', async () => {
  const done: string[] = [];
  batchNextTick(() => {
    done.push('first');
    batchNextTick(() => done.push('third'));
  });
  batchNextTick(() => done.push('second'));
  await expect.poll(() => done).toEqual(['first', 'second', 'third']);
});
