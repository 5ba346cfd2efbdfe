import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff.ts';

describe('Backoff', () => {
  it('doubles the wait up to its ceiling, with jitter, and starts again after a success', () => {
    const backoff = new Backoff({ backoffBaseMs: 100, backoffCapMs: 1_000 });
    for (const whole of [100, 200, 400, 800, 1_000, 1_000]) {
      const wait = backoff.next();
      expect(wait).toBeGreaterThanOrEqual(whole / 2);
      expect(wait).toBeLessThanOrEqual(whole);
    }
    expect(backoff.failures).toBe(6);
    backoff.reset();
    expect(backoff.next()).toBeLessThanOrEqual(100);
  });
});
