import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADAPTERS } from '../../../adapters/index.ts';
import { recordingLog } from '../../../adapters/testing/context.ts';
import type { GatewayConfig, ServerConfig } from '../../config/types.ts';
import { MemoryKeyValue } from '../../state/memory/memory-state.ts';
import { openSqliteState } from '../../state/sqlite/sqlite-state.ts';
import type { Federation, ServerStatus } from '../types.ts';
import {
  createRuntimeServers,
  type RuntimeServer,
  restoreRuntimeServers,
  runtimeServerConfig,
} from './runtime-servers.ts';

const server = (name: string, more: Partial<RuntimeServer> = {}): RuntimeServer => ({
  name,
  url: `https://${name}.example/mcp`,
  kind: 'mcp',
  headers: { authorization: 'Bearer token-of-this-server' },
  namespace: name,
  ...more,
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchboard-runtime-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('runtime servers', () => {
  it('are saved, listed by name, replaced and deleted', async () => {
    const servers = createRuntimeServers(new MemoryKeyValue(), ADAPTERS, recordingLog());
    await servers.save(server('b', { kind: undefined, namespace: false, headers: {} }));
    await servers.save(server('a'));
    await servers.save(server('a', { kind: 'mastra' }));
    expect(await servers.list()).toEqual([
      server('a', { kind: 'mastra' }),
      server('b', { kind: undefined, namespace: false, headers: {} }),
    ]);
    expect(await servers.delete('a')).toBe(true);
    expect(await servers.delete('a')).toBe(false);
    expect((await servers.list()).map(({ name }) => name)).toEqual(['b']);
  });

  it('survive in a folder only their owner can read', async () => {
    const log = recordingLog();
    const before = openSqliteState(folder, { log });
    await createRuntimeServers(before.kv, ADAPTERS, log).save(server('a'));
    const state = openSqliteState(folder, { log });
    const again = createRuntimeServers(state.kv, ADAPTERS, log);
    expect(await again.list()).toEqual([server('a')]);
    const holding: string[] = [];
    for (const file of await readdir(folder)) {
      const path = join(folder, file);
      if (!(await readFile(path, 'utf8')).includes('token-of-this-server')) continue;
      holding.push(file);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
    expect(holding).toHaveLength(1);
    await again.delete('a');
    for (const file of await readdir(folder))
      expect(await readFile(join(folder, file), 'utf8')).not.toContain('token-of-this-server');
    await before.close();
    await state.close();
    expect(JSON.stringify(log.lines)).not.toContain('token-of-this-server');
  });

  it('that cannot be read are left out and logged', async () => {
    const store = new MemoryKeyValue();
    const log = recordingLog();
    const good = { url: 'https://a.example', kind: null, headers: {}, namespace: 'a' };
    const bad = {
      text: 'hello',
      file: { ...good, url: 'file:///etc/passwd' },
      broken: { ...good, url: 'http://' },
      kind: { ...good, kind: 'builtin' },
      headers: { ...good, headers: { a: 1 } },
      prefix: { ...good, namespace: '' },
    };
    for (const [name, value] of Object.entries({ a: good, ...bad })) await store.set('runtime-servers', name, value);
    expect((await createRuntimeServers(store, ADAPTERS, log).list()).map(({ name }) => name)).toEqual(['a']);
    expect(log.lines.filter((each) => each.level === 'warn')).toHaveLength(Object.keys(bad).length);
  });

  it('are configured with the defaults and an origin that the network guard checks', () => {
    expect(runtimeServerConfig(server('a', { kind: 'mastra', namespace: false }))).toMatchObject({
      name: 'a',
      kind: 'mastra',
      target: {
        transport: 'auto',
        url: 'https://a.example/mcp',
        headers: { authorization: 'Bearer token-of-this-server' },
      },
      isolation: 'caller',
      namespace: false,
      origin: 'runtime',
      disabled: false,
      concurrency: expect.any(Number),
    });
  });
});

describe('restoring', () => {
  const connect: GatewayConfig['connect'] = { enabled: true, allowPrivate: [], maxServers: 2 };

  async function restored(names: string[], taken: string[], settings: Partial<GatewayConfig['connect']> = {}) {
    const log = recordingLog();
    const servers = createRuntimeServers(new MemoryKeyValue(), ADAPTERS, log);
    for (const name of names) await servers.save(server(name));
    const added: ServerConfig[] = [];
    const federation: Pick<Federation, 'add' | 'member'> = {
      member: (name) => (taken.includes(name) ? ({ name } as ReturnType<Federation['member']>) : undefined),
      // A server that never answers must not keep the gateway from starting.
      add: (config) => {
        added.push(config);
        return config.name === 'broken' ? Promise.reject(new Error('boom')) : new Promise<ServerStatus>(() => {});
      },
    };
    const result = await restoreRuntimeServers({ servers, federation, connect: { ...connect, ...settings }, log });
    expect(added.map(({ name }) => name)).toEqual(result);
    expect(added.every(({ origin }) => origin === 'runtime')).toBe(true);
    return { result, warnings: log.lines.filter(({ level }) => level !== 'debug').map(({ message }) => message), log };
  }

  it('adds the saved servers without waiting for them', async () => {
    expect((await restored(['b', 'a'], [])).result).toEqual(['a', 'b']);
  });

  it('leaves out names the configuration has taken, and logs it', async () => {
    const { result, warnings } = await restored(['a', 'b'], ['a']);
    expect(result).toEqual(['b']);
    expect(warnings).toEqual([expect.stringContaining('name is now in the configuration')]);
  });

  it('keeps to the bound, and to the switch', async () => {
    const { result, warnings } = await restored(['a', 'b', 'c'], []);
    expect(result).toEqual(['a', 'b']);
    expect(warnings).toEqual([expect.stringContaining('maxServers')]);
    expect((await restored(['a'], [], { enabled: false })).result).toEqual([]);
  });

  it('survives a server the federation refuses', async () => {
    const { result, log } = await restored(['broken'], []);
    expect(result).toEqual(['broken']);
    await new Promise((resolve) => setImmediate(resolve));
    expect(log.lines.some(({ level }) => level === 'error')).toBe(true);
  });
});
