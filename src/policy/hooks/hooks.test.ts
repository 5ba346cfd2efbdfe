import { afterAll, describe, expect, it, vi } from 'vitest';
import { Hooks } from './hooks.ts';
import { hookConfig, hookInput, hookModule, memoryLog, removeHookModules } from './testing/hooks.ts';

afterAll(removeHookModules);

describe('hooks of a gateway', () => {
  const load = async (text: string, parts = {}, options = {}) => {
    const log = memoryLog();
    const config = hookConfig({ source: { module: await hookModule(text) }, ...parts });
    return { config, log, hooks: await Hooks.load([config], { log, ...options }) };
  };
  const entryOf = (name: string) => ({
    server: 'notes',
    kind: 'tool' as const,
    name,
    namespaced: `notes__${name}`,
    entry: { key: name, value: { name, annotations: {} } },
  });
  const local = { principal: 'local', grant: undefined };

  it('runs nothing where no hook has the phase and server', async () => {
    const { hooks } = await load(`export default { phases: ['call.before', 'audit'], decide() {} };`, {
      servers: ['n{otes,ews}', 'switchboard'],
      phases: ['call.before'],
    });
    expect(hooks.has('call.before', 'notes')).toBe(true);
    expect(hooks.has('call.before', 'switchboard')).toBe(true);
    expect(hooks.has('call.before', 'mail')).toBe(false);
    expect(hooks.has('audit', 'notes')).toBe(false);
    expect(hooks.hasAny('call.before')).toBe(true);
    expect(hooks.hasAny('audit')).toBe(false);
    expect(hooks.hasAny('list.filter')).toBe(false);
    expect(hooks.run(hookInput({ server: 'mail' }))).toEqual({ effect: 'allow', changes: undefined, shadow: [] });
    expect(hooks.prepare(local, [entryOf('a')])).toBeUndefined();
    expect(hooks.listed(local, entryOf('a'))).toBe(true);
  });

  it('decides once for each entry and principal, until the hooks are loaded anew', async () => {
    const { hooks, config } = await load(
      `let asked = 0;
       export default { phases: ['list.filter', 'call.before'], decide(input) {
         if (input.phase === 'call.before') return { effect: 'deny', reason: String(asked) };
         asked++;
         if (input.entry.name === 'b') return { effect: 'approve', reason: 'x' };
         if (input.principal !== 'local') return { effect: 'deny', reason: 'no' };
       } };`,
    );
    const asked = () => JSON.stringify(hooks.run(hookInput()));
    const [a, b] = [entryOf('a'), entryOf('b')];
    expect(hooks.prepare(local, [a, b])).toBeUndefined();
    expect([hooks.listed(local, a), hooks.listed(local, b), hooks.listed(local, a)]).toEqual([true, true, true]);
    expect(asked()).toContain('"reason":"2"');
    expect(hooks.listed({ principal: 'ci', grant: 'ci' }, a)).toBe(false);
    (await hooks.prepareReload([{ ...config, timeoutMs: 2000 }]))();
    hooks.listed(local, a);
    expect(asked()).toContain('"reason":"4"');
  });

  it('hides undecided entries, decides a bounded number at a time, and calls a failed hook again later', async () => {
    const { hooks } = await load(
      `let running = 0, most = 0, failing = true;
       export default { phases: ['list.filter', 'call.before'], async decide({ phase, name }) {
         if (phase === 'call.before') { failing = false; return { effect: 'deny', reason: String(most) }; }
         most = Math.max(most, ++running);
         await new Promise((resolve) => setTimeout(resolve, 5));
         running--;
         if (name === 'hidden') return { effect: 'deny', reason: 'x' };
         if (name === 'odd' && failing) throw new Error('x');
       } };`,
      {},
      { listing: { concurrency: 4, failureMs: 1 } },
    );
    const entries = Array.from({ length: 30 }, (_, index) => entryOf(`tool${index}`));
    const [odd, hidden] = [entryOf('odd'), entryOf('hidden')];
    expect(entries.some((entry) => hooks.listed(local, entry))).toBe(false);
    const fresh = Array.from({ length: 30 }, (_, index) => entryOf(`other${index}`));
    await hooks.prepare(local, entries);
    await hooks.prepare(local, [...fresh, odd, hidden]);
    expect([...entries, ...fresh].every((entry) => hooks.listed(local, entry))).toBe(true);
    expect([hooks.listed(local, odd), hooks.listed(local, hidden)]).toEqual([false, false]);
    expect(await hooks.run(hookInput())).toMatchObject({ denial: { reason: '30' } });
    await vi.waitFor(async () => {
      await hooks.prepare(local, [odd]);
      expect(hooks.listed(local, odd)).toBe(true);
    });
  });

  it('bounds the entries decided at the same time', async () => {
    const { hooks } = await load(
      `let running = 0, most = 0;
       export default { phases: ['list.filter', 'call.before'], async decide({ phase }) {
         if (phase === 'call.before') return { effect: 'deny', reason: String(most) };
         most = Math.max(most, ++running);
         await new Promise((resolve) => setTimeout(resolve, 2));
         running--;
       } };`,
      {},
      { listing: { concurrency: 4 } },
    );
    await hooks.prepare(
      local,
      Array.from({ length: 30 }, (_, index) => entryOf(`tool${index}`)),
    );
    expect(await hooks.run(hookInput())).toMatchObject({ denial: { reason: '4' } });
  });

  it('stops waiting for lists when their time is up', async () => {
    const { hooks } = await load(
      `export default { phases: ['list.filter'], decide: () => new Promise(() => {}) };`,
      { timeoutMs: 200 },
      { listing: { prepareMs: 20, concurrency: 1 } },
    );
    await hooks.prepare(local, [entryOf('a'), entryOf('b')]);
    expect(hooks.listed(local, entryOf('a'))).toBe(false);
  });

  it('shows every record to audit hooks, which can change, drop and delay nothing', async () => {
    const { hooks, log } = await load(
      `const seen = [];
       export default { phases: ['audit', 'call.before'], async decide({ phase, record }) {
         if (phase === 'call.before') return { effect: 'deny', reason: JSON.stringify(seen) };
         seen.push(record.n);
         if (record.n === 1) throw new Error('x');
         if (record.n === 2) record.n = 7;
         if (record.n === 3) return { effect: 'deny', reason: 'drop it' };
       } };`,
    );
    for (const n of [1, 2, 3, 4]) {
      const record = { n };
      expect(hooks.observe(hookInput({ phase: 'audit', record }))).toBeUndefined();
      expect(record).toEqual({ n });
    }
    expect(await hooks.run(hookInput())).toMatchObject({ denial: { reason: '[1,2,3,4]' } });
    await vi.waitFor(() => expect(log.lines).toHaveLength(2));
  });
});
