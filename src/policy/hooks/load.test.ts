import { execFile } from 'node:child_process';
import { utimes, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { BUILTIN_FACTORIES } from '../../../hooks/index.ts';
import type { SwitchboardError } from '../../core/errors.ts';
import { SERVERS_FILE } from '../../load-config.ts';
import { Hooks } from './hooks.ts';
import { loadHooks } from './load.ts';
import { importDefault, moduleVersion } from './module.ts';
import { hookConfig, hookInput, hookModule, memoryLog, removeHookModules } from './testing/hooks.ts';

afterAll(removeHookModules);

const problemOf = async (config: Parameters<typeof hookConfig>[0]): Promise<string> => {
  const error = await loadHooks([hookConfig(config)]).then(
    () => undefined,
    (thrown: SwitchboardError) => thrown,
  );
  expect(error?.code).toBe('SWB_CONFIG');
  return error?.message ?? '';
};

const good = `export default { phases: ['call.before'], decide: () => ({ effect: 'deny', reason: 'one' }) };`;

describe('loading hooks', () => {
  it('runs TypeScript and JavaScript, objects and factories, promises of hooks too', async () => {
    const typed = await hookModule(
      `interface Options { word: string }
       export default async (options: Options) => ({
         phases: ['call.before'] as const,
         decide: () => ({ effect: 'deny' as const, reason: options.word }),
       });`,
      'hook.ts',
    );
    const [a, b] = await loadHooks([
      hookConfig({ source: { module: await hookModule(good, 'hook.js') } }),
      hookConfig({ name: 'b', source: { module: typed }, options: { word: 'two' } }),
    ]);
    const context = { signal: new AbortController().signal };
    expect(a?.hook.decide(hookInput(), context)).toMatchObject({ reason: 'one' });
    expect(b?.hook.decide(hookInput(), context)).toMatchObject({ reason: 'two' });
  });

  it('knows the built-in hooks of the schema, and no others', () => {
    expect(SERVERS_FILE.words.schemaAt(['gateway', 'hooks', 0, 'use'])?.enum).toEqual([...BUILTIN_FACTORIES.keys()]);
  });

  it.each([
    ['no default export', 'export const hook = 1;', /has no default export/],
    ['a wrong shape', 'export default 7;', /its default export is no hook/],
    ['no decide', `export default { phases: ['audit'] };`, /has no function "decide"/],
    ['no phases', 'export default { phases: [], decide() {} };', /has no "phases"; allowed: upstream.connect/],
    [
      'a phase that is misspelt',
      `export default { phases: ['call.befor'], decide() {} };`,
      /"call.befor"; did you mean "call.before"\?/,
    ],
    [
      'a phase of another type',
      'export default { phases: [7], decide() {} };',
      /a phase that does not exist: a number/,
    ],
    ['a factory that makes nothing', 'export default () => {};', /what its factory makes is no hook/],
    [
      'a factory that throws',
      `export default () => { throw new Error('no word in options'); };`,
      /its factory failed: Error: no word in options/,
    ],
    ['a factory that rejects', `export default async () => { throw new TypeError('odd'); };`, /TypeError: odd/],
    [
      'throwing while loading',
      `throw new Error('at /etc/secrets/key.pem https://u:pw@host/x');`,
      /failed while loading: Error: at …/,
    ],
    [
      'an import that is not there',
      `import 'no-such-package-here'; export default 1;`,
      /imports a module that cannot be found/,
    ],
    ['something odd thrown', 'throw null;', /failed while loading: a object was thrown/],
  ])('reports what is wrong with a module: %s', async (_, text, problem) => {
    const module = await hookModule(text);
    const message = await problemOf({ source: { module } });
    expect(message).toMatch(problem);
    expect(message).toMatch(/^Hook "guard": /);
    expect(message.replaceAll(module, '')).not.toMatch(/\/tmp|\/etc|node:|\.mjs:|pw@|\n/);
  });

  it('reports what is wrong with the configuration of a hook', async () => {
    const module = await hookModule(good);
    expect(await problemOf({ source: { module: `${module}.gone.mjs` } })).toMatch(/there is no file .*gone\.mjs/);
    expect(await problemOf({ source: { module: '/tmp' } })).toMatch(/\/tmp is no module; allowed: \.ts/);
    expect(await problemOf({ source: { builtin: 'redact-secret' } })).toMatch(/did you mean "redact-secrets"/);
    expect(await problemOf({ source: { builtin: 'toString' } })).toMatch(/there is no built-in hook "toString"/);
    expect(await problemOf({ source: { module }, phases: ['audit'] })).toMatch(
      /has no phase audit; it has call.before/,
    );
    expect(await problemOf({ options: { onArgument: 'deny' } })).toMatch(
      /Hook "guard": options: there is no option "onArgument" \(did you mean "onArguments"\?\)/,
    );
  });

  it('reports Node’s message for a module that is no program', async () => {
    const modules = await Promise.all([
      hookModule(good.replace('decide:', 'decide: (_: unknown) =>'), 'typed.ts'),
      hookModule('export default {'),
      hookModule('export default { decide(: };', 'hook.ts'),
      hookModule('enum A { B }\nexport default A;', 'enum.ts'),
      hookModule(`import './gone.mjs';`),
    ]);
    const child = fileURLToPath(new URL('./testing/load-in-node.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [child, ...modules], { timeout: 20_000 });
    expect(JSON.parse(stdout)).toEqual([
      'loaded',
      expect.stringMatching(/^Hook "guard": MODULE is not valid: SyntaxError: [^\n/]+$/),
      'Hook "guard": MODULE is not valid TypeScript.',
      expect.stringMatching(/^Hook "guard": MODULE uses TypeScript that is more than types/),
      `Hook "guard": MODULE imports a module that cannot be found: Error: Cannot find module '…' imported from ….`,
    ]);
  });

  it('rejects a module that does not finish loading', async () => {
    const module = await hookModule('await new Promise(() => {}); export default 1;');
    await expect(importDefault(module, await moduleVersion(module), 50)).rejects.toThrow(
      /took longer than 50 ms to load/,
    );
  });

  it('reports every mistake at once', async () => {
    const error = await loadHooks([
      hookConfig({ name: 'a', source: { builtin: 'x' } }),
      hookConfig({ name: 'b', options: { keys: 7 } }),
    ]).catch((thrown: SwitchboardError) => thrown);
    expect((error as SwitchboardError).data.mistakes).toHaveLength(2);
  });
});

describe('reloading hooks', () => {
  const counting = (word: string): string =>
    `let n = 0; export default { phases: ['call.before'], decide: () => ({ effect: 'deny', reason: '${word} ' + ++n }) };`;
  const reasonOf = (hooks: Hooks): unknown => {
    const outcome = hooks.run(hookInput());
    return outcome instanceof Promise || outcome.effect !== 'deny' ? outcome : outcome.denial.reason;
  };

  it('loads an edited module, keeps an unchanged one with its state, and keeps the old one when the edit is broken', async () => {
    const module = await hookModule(counting('old'));
    const config = hookConfig({ source: { module } });
    const hooks = await Hooks.load([config], { log: memoryLog() });
    expect(reasonOf(hooks)).toBe('old 1');
    (await hooks.prepareReload([{ ...config, timeoutMs: 50 }]))();
    expect(reasonOf(hooks)).toBe('old 2');
    await writeFile(module, counting('new'));
    await utimes(module, new Date(), new Date(Date.now() + 5000));
    (await hooks.prepareReload([config]))();
    expect(reasonOf(hooks)).toBe('new 1');
    await writeFile(module, 'export default {');
    await expect(hooks.prepareReload([config])).rejects.toThrow(/hook\.mjs (?:is not valid|failed while loading)/);
    expect(reasonOf(hooks)).toBe('new 2');
    await writeFile(module, counting('mended'));
    (await hooks.prepareReload([config]))();
    expect(reasonOf(hooks)).toBe('mended 1');
  });

  it('exchanges all hooks or none', async () => {
    const module = await hookModule(good);
    const hooks = await Hooks.load([hookConfig({ source: { module } })], { log: memoryLog() });
    await expect(
      hooks.prepareReload([hookConfig({ name: 'other' }), hookConfig({ source: { builtin: 'x' } })]),
    ).rejects.toThrow();
    expect(hooks.run(hookInput())).toMatchObject({ denial: { rule: '(hook guard)' } });
    expect(reasonOf(hooks)).toBe('one');
    (await hooks.prepareReload([]))();
    expect(hooks.has('call.before', 'notes')).toBe(false);
  });
});
