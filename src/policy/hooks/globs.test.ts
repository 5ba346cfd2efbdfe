import { expect, it } from 'vitest';
import { anyGlob } from './globs.ts';

it('matches as globs do everywhere, and everything where there is none', () => {
  const concerns = anyGlob(['get_*', 'b[0-9]', '{x,y}']);
  expect(['get_', 'get_all', 'b7', 'y', '{x,y}'].filter(concerns)).toEqual(['get_', 'get_all', 'b7', 'y', '{x,y}']);
  expect(['forget_', 'bb', 'z'].filter(concerns)).toEqual([]);
  expect(anyGlob([])('anything')).toBe(true);
});

it.each(['get_*', 'get_?*', 'get_!(no)'])('is got around by no long name: %s', (glob) => {
  const concerns = anyGlob([glob]);
  expect(concerns(`get_${'a'.repeat(10_000)}`)).toBe(true);
  expect(concerns('set_a')).toBe(false);
});
