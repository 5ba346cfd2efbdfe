import { writeFileSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type LoadedConfig, loadConfig, loadWithFiles, watchConfig } from '../load-config.ts';
import { diffPolicy } from '../policy/language/diff.ts';
import { diffGateway, diffServers } from './diff.ts';
import { NamedFiles } from './read-file.ts';
import { configFile, removeTemporaryFolders, temporaryFolder } from './testing/files.ts';
import type { Watcher } from './watch.ts';

const watchers: Watcher[] = [];

afterEach(async () => {
  for (const watcher of watchers.splice(0)) watcher.close();
  await removeTemporaryFolders();
});

// Files are written in one step: between the steps of a save the machine may pause for as long as makes a file count as empty, which has a
// test of its own.
const withServers = (...names: string[]): string =>
  JSON.stringify({ servers: Object.fromEntries(names.map((name) => [name, { url: `http://${name}` }])) });

async function watching(file: string) {
  const seen: { configs: LoadedConfig[]; errors: Error[] } = { configs: [], errors: [] };
  const watcher = await watchConfig(
    { file, env: {}, cwd: dirname(file), debounceMs: 20, pollMs: 50 },
    (config) => seen.configs.push(config),
    (error) => seen.errors.push(error),
  );
  watchers.push(watcher);
  const names = (): string[] | undefined => seen.configs.at(-1)?.servers.map(({ name }) => name);
  return { ...seen, watcher, names };
}

describe('watchConfig', () => {
  it('reports a file that is written in place', async () => {
    const file = await configFile(withServers('a'));
    const { names, configs } = await watching(file);
    writeFileSync(file, withServers('a', 'b'));
    await vi.waitFor(() => expect(names()).toEqual(['a', 'b']), 20_000);
    expect(configs).toHaveLength(1);
  });

  it('reports each edit when editors replace the file', async () => {
    const file = await configFile(withServers('a'));
    const { names } = await watching(file);
    for (const name of ['b', 'c', 'd']) {
      writeFileSync(`${file}~`, withServers(name));
      await rename(`${file}~`, file);
      await vi.waitFor(() => expect(names()).toEqual([name]), 20_000);
    }
  });

  it('reports edits of a symbolic link’s target, and a link with another target', async () => {
    const folder = await temporaryFolder();
    const target = await configFile(withServers('a'));
    const file = join(folder, 'servers.json');
    await symlink(target, file);
    const { names } = await watching(file);
    writeFileSync(`${target}~`, withServers('b'));
    await rename(`${target}~`, target);
    await vi.waitFor(() => expect(names()).toEqual(['b']), 20_000);
    const turned = await configFile(withServers('c'));
    await symlink(turned, join(folder, 'next'));
    await rename(join(folder, 'next'), file);
    await vi.waitFor(() => expect(names()).toEqual(['c']), 20_000);
    writeFileSync(turned, withServers('d'));
    await vi.waitFor(() => expect(names()).toEqual(['d']), 20_000);
  });

  it('reports a broken edit once, then the next sound one', async () => {
    const file = await configFile(withServers('a'));
    const { names, errors, configs } = await watching(file);
    writeFileSync(file, '{"servers": {"b": {"url": "http://b", "kind": "mastr"}}}');
    await vi.waitFor(() => expect(errors).toHaveLength(1), 20_000);
    expect(errors[0]?.message).toContain('servers.b.kind: found "mastr"; did you mean "mastra"?');
    expect(configs).toHaveLength(0);
    writeFileSync(file, withServers('b'));
    await vi.waitFor(() => expect(names()).toEqual(['b']), 20_000);
    expect(errors).toHaveLength(1);
  });

  it('reports that the file is gone, and its return', async () => {
    const file = await configFile(withServers('a'));
    const { names, errors } = await watching(file);
    await rm(file);
    await vi.waitFor(() => expect(errors).toHaveLength(1), 20_000);
    expect(errors[0]?.message).toBe('servers.json: there is no such file.');
    writeFileSync(file, withServers('b'));
    await vi.waitFor(() => expect(names()).toEqual(['b']), 20_000);
  });

  it('reports a file whose whole folder is replaced, as by a checkout', async () => {
    const folder = join(await temporaryFolder(), 'project');
    const file = join(folder, 'servers.json');
    await mkdir(folder);
    writeFileSync(file, withServers('a'));
    const { names, errors } = await watching(file);
    await rm(folder, { recursive: true });
    await vi.waitFor(() => expect(errors).toHaveLength(1), 20_000);
    await mkdir(folder);
    for (const name of ['b', 'c']) {
      writeFileSync(file, withServers(name));
      await vi.waitFor(() => expect(names()).toEqual([name]), 20_000);
    }
  });

  it('reports edits of policy files and hook modules, and a broken one only once', async () => {
    const sound = (max: number) =>
      JSON.stringify({
        version: '1',
        default: 'deny',
        tools: { a: { limits: [{ counter: 'a', window: 'day', max }] } },
      });
    const file = await configFile({
      servers: { a: { url: 'http://a', policy: 'sub/p.json' } },
      gateway: { hooks: [{ module: 'sub/h.ts' }] },
    });
    const [policy, hook] = [join(dirname(file), 'sub/p.json'), join(dirname(file), 'sub/h.ts')];
    await mkdir(dirname(policy));
    writeFileSync(policy, sound(1));
    writeFileSync(hook, '// 1');
    const before = await loadConfig({ file, env: {} });
    const { configs, errors } = await watching(file);
    const max = () => configs.at(-1)?.policy.servers.get('a')?.sections.tools.get('a')?.limits[0]?.max;

    writeFileSync(policy, sound(2));
    await vi.waitFor(() => expect(max()).toBe(2), 20_000);
    expect(diffServers(before.servers, configs[0]?.servers ?? []).changed).toEqual([]);
    expect(diffPolicy(before.policy, configs[0]?.policy)).toEqual(['servers.a.policy']);

    writeFileSync(hook, '// 2');
    await vi.waitFor(() => expect(configs).toHaveLength(2), 20_000);
    expect(diffPolicy(configs[0]?.policy, configs[1]?.policy)).toEqual(['gateway.hooks']);

    writeFileSync(policy, '{"version": "1", "default": "dney"}');
    await vi.waitFor(() => expect(errors).toHaveLength(1), 20_000);
    expect(errors[0]?.message).toContain('p.json:1:18 default: found "dney"; did you mean "deny"?');
    await rm(policy);
    await vi.waitFor(() => expect(errors).toHaveLength(2), 20_000);
    expect(errors[1]?.message).toContain('servers.a.policy: the policy file sub/p.json was not read: there is no such');

    writeFileSync(`${policy}~`, sound(3));
    await rename(`${policy}~`, policy);
    await vi.waitFor(() => expect(max()).toBe(3), 20_000);
    expect(configs).toHaveLength(3);
    expect(errors).toHaveLength(2);
  });

  it('follows a policy file that is named by an edit, also in a folder that does not exist yet', async () => {
    const named = (policy: string) => JSON.stringify({ gateway: { policy } });
    const file = await configFile({});
    const { configs, errors } = await watching(file);
    const policy = join(dirname(file), 'later/p.json');
    writeFileSync(file, named('later/p.json'));
    await vi.waitFor(() => expect(errors).toHaveLength(1), 20_000);
    await mkdir(dirname(policy));
    writeFileSync(policy, '{"version": "1", "default": "deny"}');
    await vi.waitFor(() => expect(configs.at(-1)?.policy.gateway?.default).toBe('deny'), 20_000);
    writeFileSync(policy, '{"version": "1", "default": "allow"}');
    await vi.waitFor(() => expect(configs.at(-1)?.policy.gateway?.default).toBe('allow'), 20_000);
    writeFileSync(file, '{}');
    await vi.waitFor(() => expect(configs.at(-1)?.policy.gateway).toBeUndefined(), 20_000);
    expect(errors).toHaveLength(1);
  });

  it('reports an edit while another file beside it is written without end', async () => {
    const file = await configFile(withServers('a'));
    const { names } = await watching(file);
    let writing = true;
    const busy = (async () => {
      while (writing) await writeFile(join(dirname(file), 'audit.jsonl'), String(Math.random()));
    })();
    writeFileSync(file, withServers('b'));
    await vi
      .waitFor(() => expect(names()).toEqual(['b']), 20_000)
      .finally(() => {
        writing = false;
      });
    await busy;
  });

  it('counts a file as empty only when it stays so', async () => {
    const file = await configFile(withServers('a'));
    const { errors, configs } = await watching(file);
    writeFileSync(file, '');
    await vi.waitFor(() => expect(errors).toHaveLength(1), 20_000);
    expect(errors[0]?.message).toContain('the file is empty');
    expect(configs).toHaveLength(0);
  });

  it('ignores other files and saves without a change', async () => {
    const file = await configFile(withServers('a'));
    const { watcher, configs, errors } = await watching(file);
    writeFileSync(join(dirname(file), 'other.json'), '{}');
    await mkdir(join(dirname(file), '.switchboard'));
    writeFileSync(file, withServers('a'));
    // A reload on demand is queued behind whatever the events have set off.
    writeFileSync(file, withServers('b'));
    await vi.waitFor(() => expect(configs).toHaveLength(1), 20_000);
    await watcher.reload();
    expect(configs.map(({ servers }) => servers[0]?.name)).toEqual(['b', 'b']);
    expect(errors).toHaveLength(0);
  });

  it('reports an edit between the caller’s load and its own, a file that was written meanwhile included', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'servers.json');
    const since = new NamedFiles();
    const load = { env: {}, cwd: folder, mayBeMissing: true };
    expect((await loadWithFiles(load, since)).isFirstRun).toBe(true);
    const configs: LoadedConfig[] = [];
    const watch = async (files: NamedFiles): Promise<void> => {
      const options = { ...load, file, since: files };
      const failed = (error: Error): void => {
        throw error;
      };
      watchers.push(await watchConfig(options, (config) => configs.push(config), failed));
    };
    writeFileSync(file, withServers('a'));
    await watch(since);
    expect(configs.map(({ servers }) => servers.map(({ name }) => name))).toEqual([['a']]);
    const known = new NamedFiles();
    expect((await loadWithFiles({ ...load, file }, known)).isFirstRun).toBe(false);
    await watch(known);
    expect(configs).toHaveLength(1);
  });

  it('reports a first file at whatever moment of its start that is written', async () => {
    const parts = Array.from({ length: 60 }, async (_, i) => {
      const folder = await temporaryFolder();
      const file = join(folder, 'servers.json');
      const since = new NamedFiles();
      const load = { env: {}, cwd: folder, mayBeMissing: true };
      await loadWithFiles(load, since);
      const configs: LoadedConfig[] = [];
      const watching = watchConfig(
        { ...load, file, since, debounceMs: 20, pollMs: 50 },
        (config) => configs.push(config),
        () => {},
      );
      for (let turns = 0; turns < i; turns++) await new Promise(setImmediate);
      writeFileSync(file, withServers('a'));
      watchers.push(await watching);
      await vi.waitFor(() => expect(configs.at(-1)?.servers.map(({ name }) => name)).toEqual(['a']), 20_000);
    });
    await Promise.all(parts);
  });

  it('reports nothing after it is closed', async () => {
    const file = await configFile(withServers('a'));
    const { watcher, configs } = await watching(file);
    const open = await watching(file);
    watcher.close();
    writeFileSync(file, withServers('b'));
    await vi.waitFor(() => expect(open.configs).toHaveLength(1), 20_000);
    await watcher.reload();
    expect(configs).toHaveLength(0);
  });
});

describe('diffServers and diffGateway', () => {
  const load = async (content: unknown): Promise<LoadedConfig> =>
    loadConfig({ file: await configFile(content), env: {} });

  it('list added, removed, changed and unchanged servers', async () => {
    const url = 'http://h';
    const before = await load({ servers: { same: { url }, edited: { url }, gone: { url } } });
    const after = await load({
      servers: { edited: { url, timeoutMs: 5 }, fresh: { url }, same: { url, concurrency: 16 } },
    });
    const diff = diffServers(before.servers, after.servers);
    const names = (list: { name: string }[]): string[] => list.map(({ name }) => name);
    expect(names(diff.added)).toEqual(['fresh']);
    expect(names(diff.removed)).toEqual(['gone']);
    expect(diff.changed).toMatchObject([{ name: 'edited', timeoutMs: 5 }]);
    expect(names(diff.unchanged)).toEqual(['same']);
  });

  it('list the keys of the gateway section that differ', async () => {
    const before = await load({ gateway: { stateDir: false } });
    const after = await load({ gateway: { stateDir: false, port: 1, limits: { pageSize: 5 } } });
    expect(diffGateway(before.gateway, after.gateway)).toEqual(['gateway.port', 'gateway.limits']);
    expect(diffGateway(before.gateway, before.gateway)).toEqual([]);
  });
});

describe('diffPolicy', () => {
  it('lists the keys that differ, also when only the order of globs does', async () => {
    const loadPolicy = async (gateway: object, servers: object = {}) =>
      (await loadConfig({ file: await configFile({ gateway: { stateDir: '/s', ...gateway }, servers }), env: {} }))
        .policy;
    const document = (...names: string[]) => ({
      version: '1',
      default: 'deny',
      tools: Object.fromEntries(names.map((name) => [name, {}])),
    });
    const key = (id: string) => `sha256:${id}${'0'.repeat(8)}:${'s'.repeat(16)}:${'h'.repeat(43)}`;
    const url = 'http://h';
    const before = await loadPolicy(
      { policy: document('a*', 'b*'), grants: { x: { key: key('x') }, y: { key: key('y') } }, audit: true },
      { s: { url, validateArguments: true }, t: { url, policy: document() } },
    );
    const after = await loadPolicy(
      { policy: document('b*', 'a*'), grants: { x: { key: key('z') } }, audit: false, validateArguments: false },
      { s: { url, validateArguments: false }, t: { url } },
    );
    expect(diffPolicy(before, { ...before })).toEqual([]);
    expect(diffPolicy(before, { ...after, lock: before.lock })).toEqual([
      'gateway.policy',
      'servers.t.policy',
      'gateway.grants.x',
      'gateway.grants.y',
      'gateway.validateArguments',
      'servers.s.validateArguments',
      'gateway.audit',
    ]);
    expect(diffPolicy(undefined, before)).toContain('gateway.defaultPolicy');
  });
});
