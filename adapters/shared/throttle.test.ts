import { describe, expect, it } from 'vitest';
import { Throttle } from './throttle.ts';

describe('the pauses in reading a heavy stream', () => {
  it('are zero for little work', () => {
    expect(new Throttle().rest(0, 0, 99)).toBe(0);
    expect(new Throttle().rest(90, 0, 9)).toBe(0);
  });

  it('are four times the work, once that was much', () => {
    expect(new Throttle().rest(100, 1_000, 1_010)).toBe(40);
  });

  it('are saved up while too short for a timer', () => {
    const pace = new Throttle();
    expect(pace.rest(100, 0, 1)).toBe(0);
    expect(pace.rest(101, 1, 2)).toBeGreaterThan(5);
  });

  it('are shared by all streams of one server', () => {
    const pace = new Throttle();
    expect(pace.rest(100, 0, 10)).toBe(40);
    expect(pace.rest(100, 10, 20)).toBe(70);
  });
});
