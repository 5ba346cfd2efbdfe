import { describe, expect, it } from 'vitest';
import { recordingLog } from '../../../adapters/testing/context.ts';
import { type ClientFeatures, featuresOf } from '../../core/client-features.ts';
import type { CapabilityLists as Lists, Upstream } from '../../core/upstream.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { tool } from '../testing/fakes.ts';
import { CapabilityLists } from './capability-lists.ts';

const of = (...names: string[]): Lists => ({ tools: { entries: names.map((name) => tool(name)) } });

function setup(listsFor: (capabilities: JsonObject) => Promise<Lists | undefined>, remembered: string[] = []) {
  const catalog = ['plain', 'ask'];
  const asked: JsonObject[] = [];
  const changed: string[] = [];
  const alike: (readonly string[])[] = [];
  const extras: string[] = [];
  const upstream = {
    listsFor: (capabilities: JsonObject) => {
      asked.push(capabilities);
      return listsFor(capabilities);
    },
  } as Partial<Upstream> as Upstream;
  const lists = new CapabilityLists({
    server: 'one',
    timeoutMs: 50,
    log: recordingLog(),
    upstream: () => upstream,
    lists: (kind, key) => kind === 'tools' && catalog.includes(key),
    count: (kind) => (kind === 'tools' ? catalog.length : 0),
    setExtras: (_kind, entries) => void extras.splice(0, extras.length, ...entries.map(({ key }) => key)),
    onChange: (key) => changed.push(key),
    recallAlike: async () => remembered,
    rememberAlike: (keys) => alike.push(keys),
  });
  const shown = (features: ClientFeatures, ...names: string[]) =>
    names.filter((name) => lists.shows(features.key, 'tools', name));
  return { lists, asked, changed, alike, extras, shown };
}

const NONE = featuresOf({});
const ROOTS = featuresOf({ roots: { listChanged: true } });

describe('what a server lists to clients with some capabilities', () => {
  it('is asked once, and shown to these clients alone', async () => {
    const { lists, asked, changed, extras, shown } = setup(async () => of('plain', 'instead'));
    expect(shown(NONE, 'plain', 'ask')).toEqual(['plain', 'ask']);
    await Promise.all([lists.ask(NONE, 'ada'), lists.ask(featuresOf({ experimental: {} }), 'ada')]);
    expect(asked).toEqual([{}]);
    expect(lists.ask(NONE, 'ada')).toBeUndefined();
    expect(shown(NONE, 'plain', 'ask', 'instead')).toEqual(['plain', 'instead']);
    expect(shown(ROOTS, 'plain', 'ask', 'instead')).toEqual(['plain', 'ask']);
    // An agent among the tools is none of the server's own tools.
    for (const features of [NONE, ROOTS]) expect(shown(features, 'agent')).toEqual(['agent']);
    expect([changed, extras, lists.varies]).toEqual([[''], ['instead'], true]);
  });

  it('is remembered where it is the same as for all, and not asked for again', async () => {
    const first = setup(async () => of('plain', 'ask'));
    await first.lists.ask(NONE, 'ada');
    expect([first.alike, first.changed, first.lists.varies]).toEqual([[['']], [], false]);
    const second = setup(async () => of('plain'), ['']);
    await second.lists.ask(NONE, 'ada');
    expect(second.asked).toEqual([]);
    await second.lists.ask(ROOTS, 'ada');
    expect(second.asked).toEqual([{ roots: {} }]);
  });

  it('is asked for again when the lists have changed, and known as before meanwhile', async () => {
    let now = of('plain');
    const { lists, shown } = setup(async () => now);
    await lists.ask(NONE, 'ada');
    now = of('plain', 'ask');
    lists.outdated();
    expect(lists.ask(NONE, 'ada')).toBeUndefined();
    expect(shown(NONE, 'plain', 'ask')).toEqual(['plain']);
    await expect.poll(() => shown(NONE, 'plain', 'ask')).toEqual(['plain', 'ask']);
    expect(lists.varies).toBe(false);
  });

  it('is what all are shown where the server does not answer, fails or cannot be asked', async () => {
    for (const answer of [
      () => new Promise<undefined>(() => {}),
      () => Promise.reject(new Error('no')),
      async () => undefined,
    ]) {
      const { lists, asked, shown } = setup(answer);
      await lists.ask(NONE, 'ada');
      expect(shown(NONE, 'plain', 'ask')).toEqual(['plain', 'ask']);
      // Not at once again.
      expect(lists.ask(NONE, 'ada')).toBeUndefined();
      expect(asked).toHaveLength(1);
    }
  });

  it('is asked for a bounded number of sets, of which no principal uses up what others have', async () => {
    const { lists, asked } = setup(async () => of('plain'));
    const flags = ['form', 'url', 'tools', 'context', 'list', 'cancel'];
    const all = Array.from({ length: 64 }, (_, bits) => {
      const on = (i: number) => (bits & (1 << i) ? { [flags[i] as string]: {} } : {});
      return featuresOf({
        elicitation: { ...on(0), ...on(1) },
        sampling: { ...on(2), ...on(3) },
        tasks: { ...on(4), ...on(5) },
      });
    });
    for (const features of all) await lists.ask(features, 'greedy');
    expect(asked).toHaveLength(16);
    await lists.ask(NONE, 'ada');
    expect(asked).toHaveLength(17);
    for (const principal of ['bob', 'eve', 'mallory']) for (const features of all) await lists.ask(features, principal);
    expect(asked.length).toBeLessThanOrEqual(48);
  });
});

it('what a server lists to some clients alone is kept up to a number, and up to a size', async () => {
  const many = Array.from({ length: 5_000 }, (_, i) => `t${i}`);
  const first = setup(async () => of('plain', 'ask', ...many));
  await first.lists.ask(NONE, 'ada');
  expect(first.extras).toHaveLength(1_000);
  const large = { entries: Array.from({ length: 10 }, (_, i) => tool(`t${i}`, { description: 'x'.repeat(200_000) })) };
  const second = setup(async () => ({ tools: large }));
  await second.lists.ask(NONE, 'ada');
  expect(second.extras).toHaveLength(5);
});

describe('the features of a client', () => {
  it('are the same for capabilities that mean the same', () => {
    expect(featuresOf({ elicitation: {} })).toEqual(featuresOf({ elicitation: { form: {} }, experimental: { x: {} } }));
    expect(featuresOf({ elicitation: { url: {} } }).capabilities).toEqual({ elicitation: { url: {} } });
    expect(featuresOf({ roots: true, sampling: null } as JsonObject).key).toBe('');
  });

  it('tell apart what servers can tell apart', () => {
    const sets: JsonObject[] = [
      {},
      { roots: {} },
      { sampling: {} },
      { sampling: { tools: {} } },
      { elicitation: {} },
      { elicitation: { form: {}, url: {} } },
      { tasks: {} },
      { tasks: { requests: { sampling: { createMessage: {} } } } },
      { extensions: { 'io.modelcontextprotocol/ui': {} } },
    ];
    expect(new Set(sets.map((set) => featuresOf(set).key)).size).toBe(sets.length);
  });
});
