import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuClock } from '../../core/testing/cpu.ts';
import { compileTemplate } from './uri-template.ts';

const matches = (template: string, uri: string): boolean => compileTemplate(template)?.(uri) ?? false;

describe('compileTemplate', () => {
  it.each([
    ['demo://text/{id}', 'demo://text/7'],
    ['demo://{kind}/{id}.txt', 'demo://a.b/c.d.txt'],
    ['file:///{+path}', 'file:///a/b?c#d'],
    ['file://{/path}', 'file:///a/b'],
    ['demo://list{?page,size}', 'demo://list?page=1&size=2'],
    ['demo://list{?page}', 'demo://list'],
    ['demo://list?all=1{&page}', 'demo://list?all=1&page=2'],
    ['demo://x{#part}', 'demo://x#here'],
    ['demo://x{.format}', 'demo://x.json'],
    ['demo://x{;v}', 'demo://x;v=1'],
    ['{+anything}', 'demo://x'],
    ['demo://grün/{id}', 'demo://gr%C3%BCn/1'],
    ['demo://grün/{id}', 'demo://grün/1'],
    ['demo://a%20b/{id}', 'demo://a%20b/1'],
    ['demo://{id*}/{n:3}', 'demo://a/b'],
    ['plain://no-expression', 'plain://no-expression'],
  ])('%s matches %s', (template, uri) => {
    expect(matches(template, uri)).toBe(true);
  });

  it.each([
    ['demo://text/{id}', 'demo://text/'],
    ['demo://text/{id}', 'demo://text/7/8'],
    ['demo://text/{id}', 'demo://texts/7'],
    ['demo://text/{id}', 'demo://text/7?x=1'],
    ['demo://{a}/end', 'demo://x/ending'],
    ['demo://list{?page}', 'demo://listing'],
    ['', 'demo://x'],
  ])('%s does not match %s', (template, uri) => {
    expect(matches(template, uri)).toBe(false);
  });

  it.each(['demo://{', 'demo://}', 'demo://{}', 'demo://{a{b}}', '{a}'.repeat(17)])('%s is refused', (template) => {
    expect(compileTemplate(template)).toBeUndefined();
  });

  it('matches what a simple template expands to', () => {
    const value = fc.stringMatching(/^[A-Za-z0-9._~%-]{1,20}$/);
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(matches('x://{a}/mid/{b}', `x://${a}/mid/${b}`)).toBe(true);
        expect(matches('x://{a}-{b}', `x://${a}-${b}`)).toBe(true);
        expect(matches('x://{a}{b}', `x://${a}${b}`)).toBe(true);
      }),
    );
  });

  it('takes linear time where a regular expression would backtrack', () => {
    const match = compileTemplate(`x:${'{+a}'.repeat(16)}!`);
    const cpu = cpuClock();
    expect(match?.(`x:${'a'.repeat(2_000)}`)).toBe(false);
    expect(cpu()).toBeLessThan(500);
    expect(match?.(`x:${'a'.repeat(100_000)}!`)).toBe(false);
  });
});
