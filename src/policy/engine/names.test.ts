import { describe, expect, it } from 'vitest';
import { normalUri } from '../language/uris.ts';
import { caller, denialOf, document, limit, planOf, predicate, setOf, subject, when } from './testing/build.ts';

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
    expect(planOf(part, 'LÖSCHEN').decide({}, me).effect).toBe('allow');
  });

  it('judges another spelling of a name as sent and in its normal form: a denial of either denies', () => {
    const names = ['löschen', 'lo\u0308schen', 'lös\u200bchen', 'ｌöschen', ' löschen'];
    const effects = (part: Parameters<typeof planOf>[0]) =>
      names.map((name) => {
        const plan = planOf(part, name);
        return [plan.knows, plan.decide({}, me).effect].join(' ');
      });
    const all = (outcome: string): string[] => names.map(() => outcome);
    const exact = (name: string, outcome: string, other: string) =>
      names.map((each) => (each === name ? outcome : other));
    for (const key of [...names, 'lö*', 'ｌo\u0308*']) {
      expect(effects({ default: 'allow', tools: { [key]: deny('never') } }), key).toEqual(all('true deny'));
      expect(effects({ default: 'allow', hide: [key] }), key).toEqual(all('false deny'));
      const approved = effects({ default: 'allow', tools: { [key]: { action: 'require_approval' } } });
      expect(approved, key).toEqual(all('true approve'));
    }
    // What looks like an allowed name is not allowed.
    for (const key of names) {
      expect(effects({ tools: { [key]: {} } }), key).toEqual(exact(key, 'true allow', 'true deny'));
    }
    expect(planOf({ default: 'allow', tools: { 'lo\u0308schen': deny('x') } }, 'laden').decide({}, me).effect).toBe(
      'allow',
    );
  });

  it('takes a URI with a query for a name before it is a pattern, in its normal form too', () => {
    const hides = (key: string, uri: string): boolean => {
      const part = { section: 'resources', namespaced: uri } as const;
      const usual = subject(normalUri(uri), { ...part, namespaced: normalUri(uri), normal: true });
      return !setOf([document({ default: 'allow', hide: [key] })]).planFor(subject(uri, { ...part, usual })).knows;
    };
    expect(hides('http://a.example?x', 'http://a.example/?x')).toBe(true);
    expect(hides('http://a.example/?x', 'http://a.example?x')).toBe(true);
    expect(hides('demo://h/a?x=a//b*', 'demo://H/a?x=a//bc')).toBe(true);
    expect(hides('http://a.example?x', 'http://a.example/?y')).toBe(false);
    // What may be a server's label may be the beginning of a scheme.
    expect(hides('GIT+ssh://h/a', 'git+ssh://h/a')).toBe(true);
    expect(hides('git+ssh://h/a', 'GIT+ssh://h/a')).toBe(true);
  });

  it('denies a URI that servers read in two ways, whatever the documents say of either', () => {
    const uri = 'file:///docs//../secret';
    const usual = subject(normalUri(uri), { section: 'resources', normal: true });
    for (const part of [{ default: 'allow' }, { resources: { '*': {}, [uri]: {} } }] as const) {
      const plan = setOf([document(part)]).planFor(subject(uri, { section: 'resources', usual }));
      expect(denialOf(plan.decide({ uri }, me))).toMatchObject({ rule: '/resources', hidden: false });
      expect(plan.lists).toBe(false);
    }
  });

  it('counts a call of a name with another spelling once', () => {
    const verdict = planOf({ default: 'allow', tools: { ａ: { limits: [limit({ max: 3 })] } } }, 'ａ').decide({}, me);
    expect(verdict.effect === 'allow' && verdict.limits.map(({ amount }) => amount)).toEqual([1]);
  });

  it('judges the URL of connectServer as sent and in its normal form', () => {
    const at = (denyIf: ReturnType<typeof when>, url: unknown, builtin = true) =>
      setOf([document({ default: 'allow', tools: { connectServer: { denyIf: [predicate([denyIf])] } } })])
        .planFor(subject('connectServer', { builtin, namespaced: 'connectServer' }))
        .decide({ url }, me).effect;
    const home = 'https://a.example/mcp';
    const spellings = [home, 'HTTPS://A.example.:443/mcp', 'https://a.example/x/../mcp#f', ' https://a.example/%6Dcp'];
    for (const url of spellings) {
      for (const key of spellings) {
        expect(at(when('args.url', 'eq', key), url), url).toBe('deny');
        expect(at(when('args.url', 'in', ['x', key]), url), url).toBe('deny');
      }
      expect(at(when('args.url', 'regex', '//a\\.example/mcp$'), url), url).toBe('deny');
    }
    expect(at(when('args.url', 'regex', '//127\\.'), 'http://0x7f.1/')).toBe('deny');
    expect(at(when('args.url', 'eq', home), 'https://b.example/mcp')).toBe('allow');
    expect(at(when('args.url', 'eq', home), 7)).toBe('allow');
    // Whether another server's tool reads a URL so is its own affair.
    expect(at(when('args.url', 'eq', home), 'HTTPS://a.example/mcp', false)).toBe('allow');
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
