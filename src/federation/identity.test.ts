import { describe, expect, it } from 'vitest';
import type { CatalogKind } from '../core/upstream.ts';
import { FakeServer, serverConfig } from './testing/fakes.ts';
import { exposed, harness, until, untilReady } from './testing/harness.ts';
import type { View } from './types.ts';

const { start } = harness();

describe('serverInfo, capabilities and instructions of a view', () => {
  it('name the gateway, what any server can do, and which servers there are', async () => {
    const one = new FakeServer('a');
    one.capabilities = {
      tools: {},
      resources: { subscribe: true },
      extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: ['x'] }, 'io.modelcontextprotocol/tasks': {} },
    };
    one.instructions = 'Use a first.';
    const two = new FakeServer('b');
    two.capabilities = {
      completions: {},
      experimental: { 'x/y': { on: true } },
      extensions: { 'io.modelcontextprotocol/ui': {} },
    };
    const { all } = await start({ one, two }, { two: { namespace: false } });
    const shared = {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: ['x'] } },
      experimental: { 'x/y': { on: true } },
    };
    expect(all.capabilities('modern')).toEqual(shared);
    expect(all.capabilities('legacy')).toEqual({ ...shared, logging: {} });
    expect(all.serverInfo()).toMatchObject({
      name: 'agent-switchboard',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
    expect(all.instructions()).toMatch(
      /^This endpoint is a gateway to 2 servers: one, two \(names without prefix\)\. /,
    );
    expect(all.instructions()).toMatch(/## one\n\nUse a first\.$/);
  });

  it('bound the instructions of servers', async () => {
    const servers = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => {
        const server = new FakeServer();
        server.instructions = 'long '.repeat(2_000);
        return [`s${i}`, server];
      }),
    );
    const { all } = await start(servers);
    expect(all.instructions()?.length).toBeLessThan(20_000);
    expect(all.instructions()).toContain('s49 and 10 more');
  });

  it('bound what one server may declare to all clients', async () => {
    const large = new FakeServer();
    large.capabilities = {
      tools: {},
      experimental: { large: 'x'.repeat(100_000), small: {} },
      extensions: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`e${i}`, {}])),
    };
    const federation = await start({ large });
    const merged = federation.all.capabilities('legacy');
    expect(merged.experimental).toEqual({ small: {} });
    expect(JSON.stringify(merged).length).toBeLessThan(5_000);
    expect(federation.view('large')?.capabilities('legacy')).toMatchObject({
      experimental: large.capabilities.experimental,
    });
  });

  it('declare everything while a server has not been connected', async () => {
    const one = new FakeServer();
    one.connecting = 'fail';
    const federation = await start({ one });
    expect(federation.all.capabilities('legacy')).toEqual({
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {},
      tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
    });
    expect(federation.view('one')?.capabilities('legacy')).toMatchObject({ resources: { subscribe: true } });
    one.connecting = 'ok';
    one.capabilities = { tools: {} };
    await untilReady(federation, 'one');
    expect(federation.all.capabilities('legacy')).toMatchObject({ resources: { subscribe: false } });
    expect(federation.view('one')?.capabilities('legacy')).toEqual({ tools: { listChanged: true } });
  });

  it("is the server's own in its own view, also while it is away", async () => {
    const one = new FakeServer('a');
    one.capabilities = {
      tools: { x: 1 },
      resources: { subscribe: false },
      tasks: { list: {} },
      experimental: { e: {} },
    };
    one.instructions = 'Mine.';
    one.serverInfo = { name: 'mine', version: '3' };
    const federation = await start({ one });
    one.connecting = 'hang';
    one.crash();
    const view = federation.view('one');
    expect(view).toMatchObject({ id: 'one', server: 'one' });
    expect(view?.capabilities('legacy')).toEqual({
      tools: { x: 1, listChanged: true },
      resources: { subscribe: false, listChanged: true },
      tasks: { list: {} },
      experimental: { e: {} },
    });
    expect(view?.instructions()).toBe('Mine.');
    expect(view?.serverInfo()).toEqual({ name: 'mine', version: '3' });
    expect(exposed(view as View)).toEqual(['a']);
  });

  it('stay with the holder of the view when its server is restarted or added again', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    const view = federation.view('one') as View;
    const heard: CatalogKind[] = [];
    view.onListChanged((kind) => heard.push(kind));
    await federation.apply([serverConfig('one', { timeoutMs: 7 })]);
    await federation.settled();
    expect(federation.view('one')).toBe(view);
    await federation.remove('one');
    await until(() => expect(heard).toEqual(['tools']));
    expect(exposed(view)).toEqual([]);
    expect(view.resolveUri('x://y')).toBeUndefined();
    await federation.add(serverConfig('one'));
    expect(federation.view('one')).toBe(view);
    await until(() => expect(exposed(view)).toEqual(['a']));
  });
});
