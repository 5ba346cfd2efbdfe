import { describe, expect, it } from 'vitest';
import { caller, denialOf, document, planOf, setOf, subject } from './testing/build.ts';

const me = caller();

describe('names', () => {
  const deny = (reason: string) => ({ action: 'deny', reason }) as const;
  const reasonFor = (part: Parameters<typeof planOf>[0], name: string): string =>
    denialOf(planOf(part, name).decide({}, me)).reason;

  it('prefers the exact name, then the first glob, then the star', () => {
    const part = {
      default: 'allow',
      tools: { '*': deny('star'), 'a*': deny('first'), 'ab*': deny('second'), abc: deny('exact') },
    } as const;
    expect(['abc', 'abd', 'x'].map((name) => reasonFor(part, name))).toEqual(['exact', 'first', 'star']);
  });

  it('lists no tools by the star under default deny, as published, but does by narrower globs', () => {
    expect(planOf({ tools: { '*': {} } }, 'x').lists).toBe(false);
    expect(planOf({ tools: { 'x*': {} } }, 'x1').lists).toBe(true);
    const set = setOf([document({ prompts: { '*': {} } })]);
    expect(set.planFor(subject('greet', { section: 'prompts' })).lists).toBe(true);
  });

  it('compares exactly, whatever the alphabet', () => {
    const part = { default: 'allow', tools: { löschen: deny('exact'), '削除_*': deny('glob') } } as const;
    expect(reasonFor(part, 'löschen')).toBe('exact');
    expect(reasonFor(part, `削除_${'長'.repeat(5_000)}`)).toBe('glob');
    expect(planOf(part, 'lo\u0308schen').decide({}, me).effect).toBe('allow');
    expect(planOf(part, 'LÖSCHEN').decide({}, me).effect).toBe('allow');
  });

  it.each(['__proto__', 'constructor', 'toString'])('finds no inherited rule for %s', (name) => {
    expect(planOf({ tools: { x: {} } }, name).lists).toBe(false);
    expect(planOf({ default: 'allow', hide: ['x'] }, name).decide({}, me).effect).toBe('allow');
  });

  it('takes a URI template for a name before it is a pattern', () => {
    const set = setOf([document({ resources: { 'db://{table}?q=[1]': {} } })]);
    expect(set.planFor(subject('db://{table}?q=[1]', { section: 'resources' })).lists).toBe(true);
  });

  it('matches original names, namespaced names, or either', () => {
    const part = document({ tools: { own: {}, s__far: {} } });
    const listed = (naming: 'original' | 'namespaced' | 'both', name: string): boolean =>
      setOf([part], naming).planFor(subject(name)).lists;
    expect(['own', 'far'].map((name) => listed('original', name))).toEqual([true, false]);
    expect(['own', 'far'].map((name) => listed('namespaced', name))).toEqual([false, true]);
    expect(['own', 'far'].map((name) => listed('both', name))).toEqual([true, true]);
    const twice = document({
      tools: { x: { action: 'deny', reason: 'first' }, s__x: { action: 'deny', reason: 'second' } },
    });
    expect(denialOf(setOf([twice], 'both').planFor(subject('x')).decide({}, me)).reason).toBe('first');
    const hiding = setOf([document({ default: 'allow', hide: ['own', 's__far'] })], 'both');
    expect(['own', 'far', 'x'].map((name) => hiding.planFor(subject(name)).knows)).toEqual([false, false, true]);
  });

  it('matches original names only where they cannot be mistaken for another server’s', () => {
    const part = document({ tools: { own: {}, s__far: {}, connectServer: {}, other__tool: {} } });
    const set = setOf([part], { reserved: new Set(['connectServer']) });
    const names = ['own', 'far', 'connectServer', 'other__tool'];
    expect(names.map((name) => set.planFor(subject(name)).lists)).toEqual([true, true, false, false]);
    const resources = setOf([document({ resources: { 'file:///a': {}, 'other+file:///a': {} } })], {
      reserved: new Set(['connectServer']),
    });
    const uris = ['file:///a', 'other+file:///a'];
    expect(uris.map((uri) => resources.planFor(subject(uri, { section: 'resources' })).lists)).toEqual([true, false]);
  });
});
