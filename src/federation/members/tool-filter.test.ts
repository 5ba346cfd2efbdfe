import { describe, expect, it } from 'vitest';
import { cpuClock } from '../../core/testing/cpu.ts';
import { toolFilter } from './tool-filter.ts';

const shown = (include: string[], exclude: string[], ...names: string[]): string[] =>
  names.filter(toolFilter({ include, exclude }) ?? ((): boolean => true));

describe('toolFilter', () => {
  it('shows everything without globs', () => {
    expect(toolFilter({ include: [], exclude: [] })).toBeUndefined();
  });

  it('includes what matches and excludes before it includes', () => {
    expect(shown(['get*', 'list'], ['*_secret'], 'get', 'get_a', 'get_secret', 'list', 'lists')).toEqual([
      'get',
      'get_a',
      'list',
    ]);
    expect(shown([], ['delete*'], 'get', 'delete', 'delete_all')).toEqual(['get']);
  });

  it('treats names as names, not as paths', () => {
    expect(shown(['*'], [], 'a/b', '.hidden', 'a.b')).toEqual(['a/b', '.hidden', 'a.b']);
    expect(shown(['{get,list}_*'], [], 'get_a/b', 'list_.x', 'set_a')).toEqual(['get_a/b', 'list_.x']);
  });

  it('knows the usual glob signs, and literal ones', () => {
    expect(shown(['[gs]et_?'], [], 'get_a', 'set_b', 'let_c', 'get_ab')).toEqual(['get_a', 'set_b']);
    expect(shown(['!delete*'], [], 'get', 'delete_all')).toEqual(['get']);
    expect(shown(['a\\*b'], [], 'a*b', 'axb')).toEqual(['a*b']);
  });

  it('does not match a name that is shorter than both ends of the glob together', () => {
    expect(shown(['ab*ba'], [], 'aba', 'abba', 'ab-ba')).toEqual(['abba', 'ab-ba']);
    expect(shown(['a*b*a'], [], 'aba', 'aa', 'a-b-a')).toEqual(['aba', 'a-b-a']);
  });

  it('neither includes nor spares a name too long for a glob that has no linear form', () => {
    const long = 'x'.repeat(200);
    expect(shown(['!(get)*'], [], 'set', long)).toEqual(['set']);
    expect(shown([], ['!(get)'], 'get', 'set', long)).toEqual(['get']);
  });

  it('is not stalled by a hostile name', () => {
    const cpu = cpuClock();
    expect(shown(['*a*a*a*a*a*a*b'], [], 'a'.repeat(100_000))).toEqual([]);
    expect(shown(['?*a*a*a*b'], [], 'a'.repeat(100_000))).toEqual([]);
    expect(cpu()).toBeLessThan(500);
  });
});
