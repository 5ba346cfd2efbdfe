import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { CatalogKind } from '../core/upstream.ts';
import { FakeServer, serverConfig } from './testing/fakes.ts';
import { harness, thrownBy, toolNames, until, untilReady } from './testing/harness.ts';
import type { ServerStatus } from './types.ts';

const { create, start } = harness();

describe('a federation', () => {
  it('serves what is ready while one of fifty servers never answers', async () => {
    const servers = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`s${i}`, new FakeServer('a', 'b')]));
    (servers.s20 as FakeServer).connecting = 'hang';
    const federation = create(servers);
    const startedAt = performance.now();
    await federation.apply(Object.keys(servers).map((name) => serverConfig(name, { connectTimeoutMs: 60_000 })));
    await until(() => expect(federation.members().filter(({ state }) => state === 'ready')).toHaveLength(49));
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(toolNames(federation)).toHaveLength(98);
    expect(federation.member('s20')?.state).toBe('connecting');
  });

  it('reports kind, state, protocol and counts of each server', async () => {
    const one = new FakeServer('a', 'b');
    const federation = await start({ one, two: new FakeServer() }, { two: { disabled: true, kind: undefined } });
    expect(federation.member('one')?.status()).toEqual({
      name: 'one',
      kind: 'mcp',
      speaksMcp: true,
      state: 'ready',
      transport: 'in-process',
      era: 'legacy',
      protocolVersion: '2025-11-25',
      stale: false,
      counts: { tools: 2, prompts: 0, resources: 0, templates: 0, agents: 0 },
      error: undefined,
      origin: 'file',
      since: expect.any(Number),
      serverInfo: { name: 'fake', version: '1.0.0' },
    });
    expect(federation.member('two')?.status()).toMatchObject({
      kind: undefined,
      state: 'stopped',
      error: 'it is disabled in the configuration',
    });
    expect(thrownBy(() => federation.member('two')?.require()).retryAfterMs).toBeUndefined();
  });

  it('asks a server only for what it declares', async () => {
    const one = new FakeServer('a');
    one.capabilities = { tools: {}, resources: {} };
    await start({ one });
    expect(one.lists).toEqual({ tools: 1, prompts: 0, resources: 1, templates: 1, agents: 0 });
  });

  it('reports changes of state in order', async () => {
    const one = new FakeServer('a');
    const federation = create({ one });
    const states: string[] = [];
    const stop = federation.onStateChange(({ name, state }) => states.push(`${name} ${state}`));
    await federation.add(serverConfig('one'));
    one.connecting = 'fail';
    one.crash();
    one.connecting = 'ok';
    await untilReady(federation, 'one');
    await federation.remove('one');
    expect(states).toEqual(['one connecting', 'one ready', 'one degraded', 'one ready', 'one stopped']);
    stop();
  });

  it('emits notifications with their server', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    const heard: unknown[] = [];
    federation.onNotification((member, notification, key) => heard.push([member.name, notification.method, key]));
    one.context.onNotification({ jsonrpc: '2.0', method: 'notifications/message' }, 'caller');
    expect(heard).toEqual([['one', 'notifications/message', 'caller']]);
  });

  it('refuses a second server of a name, and names of its own', async () => {
    const federation = await start({ one: new FakeServer() });
    await expect(federation.add(serverConfig('one'))).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS' });
    await expect(federation.apply([serverConfig('x'), serverConfig('x')])).rejects.toMatchObject({
      code: 'SWB_CONFIG',
    });
    expect(federation.members().map(({ name }) => name)).toEqual(['one']);
  });
});

describe('apply', () => {
  it('adds, removes and restarts only what differs, in the order given', async () => {
    const servers = { one: new FakeServer('a'), two: new FakeServer('b') };
    const federation = await start(servers);
    const one = federation.member('one');
    await federation.apply([serverConfig('two', { timeoutMs: 5 }), serverConfig('one')]);
    await federation.settled();
    expect(federation.members().map(({ name }) => name)).toEqual(['two', 'one']);
    expect(toolNames(federation)).toEqual(['two__b', 'one__a']);
    expect(federation.member('one')).toBe(one);
    expect(servers.one.attempts).toHaveLength(1);
    expect(servers.two.attempts).toHaveLength(2);
    expect(servers.two.closes).toBe(1);

    await federation.apply([serverConfig('two', { timeoutMs: 5 })]);
    expect(toolNames(federation)).toEqual(['two__b']);
    expect(servers.one.closes).toBe(1);
    expect(federation.view('one')).toBeUndefined();
    expect(servers.two.attempts).toHaveLength(2);
  });

  it('starts servers that had to wait one after the other, so that others get a turn in between', async () => {
    const servers = { one: new FakeServer('a'), two: new FakeServer('b'), three: new FakeServer('c') };
    const { promise: startAfter, resolve } = Promise.withResolvers<void>();
    const federation = create(servers, { startAfter });
    await federation.apply(Object.keys(servers).map((name) => serverConfig(name)));
    const attempts = (): number[] => Object.values(servers).map((server) => server.attempts.length);
    expect(attempts()).toEqual([0, 0, 0]);
    resolve();
    const seen = new Set<number>();
    do {
      await nextTurn();
      seen.add(attempts().reduce((sum, count) => sum + count));
    } while (!seen.has(3));
    expect([...seen]).toEqual(expect.arrayContaining([1, 2, 3]));
    await federation.settled();
    expect(attempts()).toEqual([1, 1, 1]);
  });

  it('shows the old list of a restarted server until it has a new one', async () => {
    const one = new FakeServer('a', 'b');
    const federation = await start({ one });
    one.connecting = 'hang';
    await federation.apply([serverConfig('one', { tools: { include: [], exclude: ['b'] } })]);
    expect(toolNames(federation)).toEqual(['one__a']);
    expect(federation.member('one')?.status()).toMatchObject({ state: 'connecting', stale: true });
  });

  it('renames at once what a new prefix renames', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    expect(toolNames(federation)).toEqual(['one__a']);
    await federation.apply([serverConfig('one', { namespace: 'other' })]);
    expect(toolNames(federation)).toEqual(['other__a']);
    await federation.settled();
    expect(toolNames(federation)).toEqual(['other__a']);
  });

  it('leaves servers connected at run time alone, after the others', async () => {
    const federation = await start({ one: new FakeServer('a'), two: new FakeServer('b'), three: new FakeServer('c') });
    await federation.apply([]);
    await federation.add(serverConfig('two', { origin: 'runtime' }));
    const two = federation.member('two');
    await federation.apply([serverConfig('one')]);
    await federation.settled();
    expect(toolNames(federation)).toEqual(['one__a', 'two__b']);
    expect(federation.member('two')).toBe(two);
    await federation.apply([serverConfig('two')]);
    expect(federation.member('two')?.status().origin).toBe('file');
  });

  it('has no two servers that can make one name: a connected one is refused, or gives way to the configuration', async () => {
    const federation = await start({ a: new FakeServer('x'), a_: new FakeServer('x'), b: new FakeServer('x') });
    await federation.apply([serverConfig('a')]);
    await expect(federation.add(serverConfig('a_', { origin: 'runtime' }))).rejects.toThrow(
      "The servers 'a' and 'a_' can make one name of two tools",
    );
    await federation.add(serverConfig('b', { origin: 'runtime', namespace: 'a-' }));
    await federation.apply([]);
    await federation.add(serverConfig('a_', { origin: 'runtime' }));
    await federation.apply([serverConfig('a')]);
    await federation.settled();
    expect(toolNames(federation)).toEqual(['a__x', 'a-__x']);
  });

  it('drops the list of a server whose target changed', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    one.connecting = 'hang';
    await federation.apply([serverConfig('one', { target: { transport: 'http', url: 'http://other/', headers: {} } })]);
    expect(toolNames(federation)).toEqual([]);
  });

  it('starts the new server when the old one has ended', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    one.closing = 'hang';
    const applied = federation.apply([serverConfig('one', { timeoutMs: 5 })]);
    expect(federation.member('one')?.state).toBe('configured');
    expect(one.attempts).toHaveLength(1);
    await applied;
    await federation.settled();
    expect(one.attempts).toHaveLength(2);
  });
});

describe('remove and close', () => {
  it('end the server and its subscriptions', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    const member = federation.member('one');
    const heard: CatalogKind[] = [];
    federation.all.onListChanged((kind) => heard.push(kind));
    expect(await federation.remove('one')).toBe(true);
    expect(await federation.remove('one')).toBe(false);
    expect(federation.members()).toEqual([]);
    expect(one.closes).toBe(1);
    expect(one.listens.every(({ closed }) => closed)).toBe(true);
    expect(thrownBy(() => member?.require()).message).toContain('it has been removed');
    await until(() => expect(heard).toEqual(['tools']));
  });

  it('close everything at once and within bounds, although a server hangs', async () => {
    const servers = { one: new FakeServer('a'), two: new FakeServer('b'), three: new FakeServer('c') };
    servers.three.connecting = 'hang';
    const federation = create(servers);
    const added = Object.keys(servers).map((name) => federation.add(serverConfig(name, { connectTimeoutMs: 60_000 })));
    await until(() => expect(toolNames(federation)).toHaveLength(2));
    servers.one.closing = 'hang';
    const startedAt = performance.now();
    await federation.close();
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect([servers.one.closes, servers.two.closes]).toEqual([1, 1]);
    expect(servers.three.context.signal.aborted).toBe(true);
    const statuses: ServerStatus[] = await Promise.all(added);
    expect(statuses[2]?.state).toBe('stopped');
    await expect(federation.add(serverConfig('four'))).rejects.toMatchObject({ code: 'SWB_SHUTTING_DOWN' });
  });
});
