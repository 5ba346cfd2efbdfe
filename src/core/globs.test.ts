import { describe, expect, it } from 'vitest';
import { anyGlob, globMatcher } from './globs.ts';
import { cpuClock } from './testing/cpu.ts';

const matched = (glob: string, ...names: string[]): string[] => names.filter((name) => globMatcher(glob)(name));

describe('globMatcher', () => {
  it('knows stars, question marks, sets, braces, groups and escapes', () => {
    expect(matched('read_*', 'read_', 'read_a/b.c', 'read', 'xread_a')).toEqual(['read_', 'read_a/b.c']);
    expect(matched('r?d', 'red', 'r/d', 'rd', 'reed')).toEqual(['red', 'r/d']);
    expect(matched('[a-c]x', 'ax', 'cx', 'dx')).toEqual(['ax', 'cx']);
    expect(matched('[!a-c]x', 'ax', 'dx')).toEqual(['dx']);
    expect(matched('{get,list_{a,b}}_?', 'get_1', 'list_a_1', 'list_c_1')).toEqual(['get_1', 'list_a_1']);
    expect(matched('@(get|list)*', 'get', 'lists', 'set')).toEqual(['get', 'lists']);
    expect(matched('a+(b)', 'a', 'ab', 'abb')).toEqual(['ab', 'abb']);
    expect(matched('a\\*b', 'a*b', 'axb')).toEqual(['a*b']);
    expect(matched('!delete*', 'get', 'delete_all')).toEqual(['get']);
    expect(matched('!!get', 'get', 'set')).toEqual(['get']);
  });

  it('takes the signs of regular expressions for what they are', () => {
    expect(matched('a.b+c^d$?', 'a.b+c^d$1', 'aXb+c^d$1')).toEqual(['a.b+c^d$1']);
    expect(matched('db://{table}', 'db://{table}', 'db://table')).toEqual(['db://{table}']);
  });

  it('takes brackets with a range that ends before it begins for themselves', () => {
    expect(matched('http://[xn--a]/*', 'http://[xn--a]/x', 'http://n/x')).toEqual(['http://[xn--a]/x']);
    expect(matched('[z-a]?', '[z-a]b', 'zb', 'b')).toEqual(['[z-a]b']);
  });

  it('counts code points, and compares them exactly', () => {
    expect(matched('?_ü*', '😀_über', '😀😀_über', '😀_u\u0308ber', '😀_Über')).toEqual(['😀_über']);
    expect(matched('löschen_*', 'löschen_alles', 'loschen_alles')).toEqual(['löschen_alles']);
  });

  it('tries names of any length in linear time', () => {
    const long = `${'a'.repeat(300_000)}!`;
    const cpu = cpuClock();
    expect(matched('*a*a*a*a*a*b', long)).toEqual([]);
    expect(matched('[a]*a*?a*a*a*b', long)).toEqual([]);
    expect(matched('ü*ü*?ü*b', 'ü'.repeat(300_000))).toEqual([]);
    expect(matched('{a,b}*a*!', long)).toEqual([long]);
    expect(cpu()).toBeLessThan(2_000);
  });

  it('says so when a name is too long for a glob only picomatch knows', () => {
    const matches = globMatcher('!(delete)_*');
    expect(matches('get_x')).toBe(true);
    expect(matches('delete_x')).toBe(false);
    expect(matches(`get_${'x'.repeat(200)}`)).toBeUndefined();
  });
});

it('a glob only picomatch knows cannot be tried where it has a run of backslashes, over which picomatch never ends', () => {
  for (const glob of ['!(a)/\\\\\\\\C\\\\\\\\', 'a|/\\\\\\']) expect(globMatcher(glob)('abc')).toBeUndefined();
  expect(matched('a\\\\\\\\b', 'a\\\\b')).toEqual(['a\\\\b']);
});

describe('anyGlob', () => {
  it('matches what any of its globs matches, and everything where there is none', () => {
    const concerns = anyGlob(['get_*', 'b[0-9]', '{x,y}']);
    expect(['get_', 'get_all', 'b7', 'y', '{x,y}'].filter(concerns)).toEqual(['get_', 'get_all', 'b7', 'y', '{x,y}']);
    expect(['forget_', 'bb', 'z'].filter(concerns)).toEqual([]);
    expect(anyGlob([])('anything')).toBe(true);
  });

  it.each(['get_*', 'get_?*', 'get_!(no)'])('matches a name that is too long to be tried: %s', (glob) => {
    const concerns = anyGlob([glob]);
    expect(concerns(`get_${'a'.repeat(10_000)}`)).toBe(true);
    expect(concerns('set_a')).toBe(false);
  });
});
