import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Watchdog } from './watchdog.ts';

describe('the watchdog of a stream', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const watching = () => {
    let dead = 0;
    const watchdog = new Watchdog(() => dead++);
    return { watchdog, dead: () => dead };
  };

  it('leaves a stream alone that is quiet and has never had a heartbeat', () => {
    const { watchdog, dead } = watching();
    watchdog.alive();
    vi.advanceTimersByTime(24 * 3600_000);
    watchdog.beat();
    vi.advanceTimersByTime(24 * 3600_000);
    expect(dead()).toBe(0);
  });

  it('reports one whose heartbeats stop, once several are missing', () => {
    const { watchdog, dead } = watching();
    for (let i = 0; i < 5; i++) {
      watchdog.beat();
      vi.advanceTimersByTime(30_000);
    }
    vi.advanceTimersByTime(80_000);
    expect(dead()).toBe(0);
    vi.advanceTimersByTime(20_000);
    expect(dead()).toBe(1);
  });

  it('takes anything for a sign of life, and is silent once stopped', () => {
    const { watchdog, dead } = watching();
    watchdog.beat();
    vi.advanceTimersByTime(10_000);
    watchdog.beat();
    for (let i = 0; i < 10; i++) {
      vi.advanceTimersByTime(50_000);
      watchdog.alive();
    }
    expect(dead()).toBe(0);
    watchdog.stop();
    vi.advanceTimersByTime(3600_000);
    expect(dead()).toBe(0);
  });
});
