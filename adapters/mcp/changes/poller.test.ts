import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Catalog } from '../../../src/core/upstream.ts';
import { Poller } from './poller.ts';

const list = (...names: string[]): Catalog => ({
  entries: names.map((name) => ({ key: name, value: { name }, raw: Buffer.from(JSON.stringify({ name })) })),
});

describe('polling a list', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const polling = (read: () => Catalog | Error) => {
    const changed: string[] = [];
    let reads = 0;
    const poller = new Poller({
      read: async () => {
        reads++;
        const result = read();
        if (result instanceof Error) throw result;
        return result;
      },
      changed: (kind) => changed.push(kind),
    });
    return { poller, changed, reads: () => reads };
  };

  it('happens about every 30 s and reports changed bytes only', async () => {
    let now = list('a');
    const { poller, changed, reads } = polling(() => now);
    poller.seen('tools', now);
    poller.set(new Set(['tools']));
    await vi.advanceTimersByTimeAsync(26_000);
    expect(reads()).toBe(0);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(reads()).toBe(1);
    expect(changed).toEqual([]);
    now = list('a', 'b');
    await vi.advanceTimersByTimeAsync(34_000);
    expect(changed).toEqual(['tools']);
    poller.close();
    await vi.advanceTimersByTimeAsync(100_000);
    expect(reads()).toBe(2);
  });

  it('does not report a change that another reading has seen already', async () => {
    let now = list('a');
    const { poller, changed } = polling(() => now);
    poller.seen('tools', now);
    poller.set(new Set(['tools']));
    now = list('b');
    poller.seen('tools', now);
    await vi.advanceTimersByTimeAsync(34_000);
    expect(changed).toEqual([]);
    poller.close();
  });

  it('waits for as long as the server says its list is fresh, and goes on after a failure', async () => {
    let now: Catalog | Error = { ...list('a'), ttlMs: 120_000 };
    const { poller, changed, reads } = polling(() => now);
    poller.seen('tools', now);
    poller.set(new Set(['tools']));
    await vi.advanceTimersByTimeAsync(100_000);
    expect(reads()).toBe(0);
    now = new Error('away');
    await vi.advanceTimersByTimeAsync(35_000);
    expect(reads()).toBe(1);
    now = list('b');
    await vi.advanceTimersByTimeAsync(135_000);
    expect(changed).toEqual(['tools']);
    poller.close();
  });
});
