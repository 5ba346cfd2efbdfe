import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pollEvery } from './repeat.ts';

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('pollEvery', () => {
  it('runs once per interval, first after one', async () => {
    let runs = 0;
    const poll = pollEvery(1000, async () => {
      runs++;
    });
    await vi.advanceTimersByTimeAsync(999);
    expect(runs).toBe(0);
    await vi.advanceTimersByTimeAsync(2001);
    expect(runs).toBe(3);
    poll.close();
  });

  it('never overlaps a slow task', async () => {
    const slow = Promise.withResolvers<void>();
    let runs = 0;
    const poll = pollEvery(100, () => {
      runs++;
      return slow.promise;
    });
    await vi.advanceTimersByTimeAsync(5000);
    expect(runs).toBe(1);
    slow.resolve();
    await vi.advanceTimersByTimeAsync(150);
    expect(runs).toBe(2);
    poll.close();
  });

  it('slows down while the task fails and recovers with it', async () => {
    const at: number[] = [];
    const start = Date.now();
    const poll = pollEvery(1000, () => {
      at.push(Date.now() - start);
      if (at.length <= 5) throw new Error('down');
      return Promise.resolve();
    });
    await vi.advanceTimersByTimeAsync(33_000);
    expect(at).toEqual([1000, 3000, 7000, 15_000, 23_000, 31_000, 32_000, 33_000]);
    poll.close();
  });

  it('stops on close and aborts the running task', async () => {
    let signal: AbortSignal | undefined;
    const poll = pollEvery(1000, (given) => {
      signal = given;
      return new Promise((_resolve, reject) => given.addEventListener('abort', () => reject(new Error('aborted'))));
    });
    await vi.advanceTimersByTimeAsync(1000);
    poll.close();
    expect(signal?.aborted).toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('varies the interval', async () => {
    vi.mocked(Math.random).mockReturnValue(0);
    let runs = 0;
    const poll = pollEvery(1000, async () => {
      runs++;
    });
    await vi.advanceTimersByTimeAsync(800);
    expect(runs).toBe(1);
    poll.close();
  });
});
