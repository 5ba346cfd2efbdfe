import { afterEach, describe, expect, it } from 'vitest';
import { restoreRuntimeServers } from '../federation/members/runtime-servers.ts';
import { MemoryKeyValue } from '../state/memory/memory-state.ts';
import { type Rig, type RigOptions, rig } from './testing/rig.ts';
import { errorOf, everything, mastra, namesOf } from './testing/servers.ts';

const rigs: Rig[] = [];
const setUp = async (options?: RigOptions): Promise<Rig> => {
  const made = await rig(options);
  rigs.push(made);
  return made;
};
afterEach(async () => {
  for (const each of rigs.splice(0)) await each.close();
});

describe('a connected server', () => {
  it('survives a restart, headers included, until it is disconnected', async () => {
    const store = new MemoryKeyValue();
    const before = await setUp({ servers: [everything()], store });
    await before.call('connectServer', {
      url: 'https://mcp.example/mcp',
      name: 'e',
      headers: { 'X-Key': 'k' },
      namespace: 'short',
    });
    const after = await setUp({ servers: [everything()], store });
    const { federation, runtimeServers: servers, log } = after;
    const connect = { enabled: true, allowPrivate: [], maxServers: 4 };
    expect(await restoreRuntimeServers({ servers, federation, connect, log })).toEqual(['e']);
    await federation.settled();
    expect((await after.call('listServers')).structuredContent).toMatchObject({
      servers: [{ name: 'e', kind: 'mcp', state: 'ready', origin: 'runtime' }],
    });
    expect(after.connects[0]?.target).toMatchObject({ headers: { 'x-key': 'k' } });
    expect(federation.all.resolve('tools', 'short__tool0')).toBeDefined();
    await after.call('disconnectServer', { name: 'e' });
    expect(await before.runtimeServers.list()).toEqual([]);
  });

  it('is reported as not surviving a restart without a state folder', async () => {
    const memory = await setUp({ servers: [everything()], persistent: false });
    const kept = await memory.call('connectServer', { url: 'https://mcp.example/mcp' });
    expect(kept.structuredContent).toMatchObject({ survivesRestart: false });
    expect(kept.text).toContain('after a restart');
    const full = await setUp({
      servers: [everything()],
      deps: {
        runtimeServers: {
          save: () => Promise.reject(new Error('disk full')),
          list: async () => [],
          delete: async () => false,
        },
      },
    });
    const unsaved = await full.call('connectServer', { url: 'https://mcp.example/mcp' });
    expect(unsaved.structuredContent).toMatchObject({ status: 'connected', survivesRestart: false });
    expect(full.log.lines.some(({ level }) => level === 'error')).toBe(true);
  });
});

describe('disconnectServer', () => {
  it('takes a server out of the lists and forgets it', async () => {
    const at = await setUp({ servers: [everything()] });
    await at.call('connectServer', { url: 'https://mcp.example/mcp', name: 'e' });
    const result = await at.call('disconnectServer', { name: 'e' });
    expect(result.structuredContent).toEqual({ name: 'e', disconnected: true });
    expect(namesOf(at)).toEqual([]);
    expect(await at.runtimeServers.list()).toEqual([]);
    expect(at.federation.all.resolve('tools', 'e__tool0')).toBeUndefined();
    expect(errorOf(await at.call('disconnectServer', { name: 'e' }))).toMatchObject({ code: 'SWB_UNKNOWN_SERVER' });
  });

  it('works for servers connected at run time only', async () => {
    const at = await setUp({
      configured: { m: mastra(), n: { ...mastra(), url: 'https://n.example' } },
      origins: { n: 'env' },
    });
    const file = await at.call('disconnectServer', { name: 'm' });
    expect(errorOf(file)).toMatchObject({ code: 'SWB_NOT_SUPPORTED' });
    expect(file.text).toContain('configuration file');
    expect((await at.call('disconnectServer', { name: 'n' })).text).toContain('AGENT_SERVERS');
    expect(errorOf(await at.call('disconnectServer', { name: 'switchboard' }))).toMatchObject({
      code: 'SWB_UNKNOWN_SERVER',
    });
    expect(namesOf(at)).toEqual(['m', 'n']);
  });

  it('forgets a saved server that is not connected', async () => {
    const at = await setUp();
    await at.runtimeServers.save({
      name: 'old',
      url: 'https://old.example',
      kind: 'mcp',
      headers: {},
      namespace: 'old',
    });
    expect((await at.call('disconnectServer', { name: 'old' })).structuredContent).toMatchObject({
      disconnected: true,
    });
    expect(await at.runtimeServers.list()).toEqual([]);
  });
});
