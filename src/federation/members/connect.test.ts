import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Adapter, NetworkGuard } from '../../core/adapter.ts';
import { EraChanged, SwitchboardError } from '../../core/errors.ts';
import type { FederationOptions } from '../federation.ts';
import { FakeServer, type Fixture, federate, serverConfig } from '../testing/fakes.ts';
import type { Detect } from './connect.ts';
import type { StateLike } from './era-memory.ts';

let fixture: Fixture | undefined;

afterEach(async () => {
  await fixture?.federation.close();
  vi.useRealTimers();
});

function start(server: FakeServer, options: Partial<FederationOptions> = {}): Fixture['federation'] {
  fixture = federate({ one: server }, options);
  return fixture.federation;
}

function memoryStore(): StateLike & { values: Map<string, unknown> } {
  const values = new Map<string, unknown>();
  return {
    values,
    get: (namespace, key) => Promise.resolve(values.get(`${namespace}/${key}`)),
    set: (namespace, key, value) => {
      values.set(`${namespace}/${key}`, structuredClone(value));
      return Promise.resolve();
    },
  };
}

describe('the remembered era of a server', () => {
  it('is kept from one process to the next, without anything secret in the store', async () => {
    const state = memoryStore();
    const target = {
      transport: 'http' as const,
      url: 'https://user:pass@host/mcp?token=s3cret',
      headers: { authorization: 'Bearer s3cret' },
    };
    for (const known of [undefined, { era: 'modern', protocolVersion: '2026-07-28' }]) {
      const server = new FakeServer();
      server.era = 'modern';
      const federation = start(server, { state });
      await federation.add(serverConfig('one', { target }));
      expect(server.context.known).toEqual(known);
      await federation.close();
    }
    const stored = JSON.stringify([...state.values]);
    expect(stored).toMatch(/^\[\["eras\/one:[0-9a-f]{16}",\{"era":"modern","protocolVersion":"2026-07-28","at":"20/);
    expect(stored).not.toMatch(/s3cret|pass|host/);
  });

  it('is of that target only, and not used again when connecting with it failed', async () => {
    const state = memoryStore();
    const server = new FakeServer();
    const federation = start(server, { state });
    await federation.add(serverConfig('one'));
    server.crash();
    await vi.waitFor(() => expect(federation.member('one')?.state).toBe('ready'), 3_000);
    expect(server.context.known).toMatchObject({ era: 'legacy' });
    server.connecting = 'fail';
    server.crash();
    await vi.waitFor(() => expect(server.attempts.length).toBeGreaterThan(3), 3_000);
    expect(server.context.known).toBeUndefined();
    server.connecting = 'ok';
    await federation.apply([serverConfig('one', { target: { transport: 'http', url: 'http://else/', headers: {} } })]);
    await federation.settled();
    expect(server.context.known).toBeUndefined();
  });

  it('is probed again after a day where an upgrade would go unnoticed', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const state = memoryStore();
    for (const [hours, known] of [
      [0, false],
      [23, true],
      [25, false],
      [26, true],
    ] as const) {
      vi.setSystemTime(Date.UTC(2026, 10, 1, hours));
      const server = new FakeServer();
      const federation = start(server, { state });
      await federation.add(serverConfig('one'));
      expect(server.context.known !== undefined, `after ${hours} h`).toBe(known);
      await federation.close();
    }
  });

  it('is forgotten when the server shows that it speaks another era, though connecting had worked', async () => {
    const state = memoryStore();
    const server = new FakeServer();
    const federation = start(server, { state });
    await federation.add(serverConfig('one'));
    server.era = 'modern';
    server.crash(new EraChanged('SWB_UPSTREAM_UNAVAILABLE', 'It is modern.'));
    await vi.waitFor(() => expect(server.attempts.length).toBe(2), 3_000);
    expect(server.context.known).toBeUndefined();
    server.crash();
    await vi.waitFor(() => expect(server.attempts.length).toBe(3), 3_000);
    expect(server.context.known).toMatchObject({ era: 'modern' });
  });

  it('does not matter when the store is broken or holds nonsense', async () => {
    const broken: StateLike = {
      get: () => Promise.reject(new Error('disk')),
      set: () => {
        throw new Error('disk');
      },
    };
    const nonsense: StateLike = {
      get: () => ({ era: 'modern', protocolVersion: '2025-11-25', at: 'x' }),
      set: () => {},
    };
    for (const state of [broken, nonsense]) {
      const server = new FakeServer();
      const federation = start(server, { state });
      expect((await federation.add(serverConfig('one'))).state).toBe('ready');
      expect(server.context.known).toBeUndefined();
      await federation.close();
    }
  });
});

describe('what a server does not take', () => {
  it('is remembered with its date, for a day and for that target', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const state = memoryStore();
    const habits = { declares: 'features', oneSession: true } as const;
    for (const [hours, known] of [
      [0, {}],
      [23, habits],
      [25, {}],
    ] as const) {
      vi.setSystemTime(Date.UTC(2026, 10, 1, hours));
      const server = new FakeServer();
      const federation = start(server, { state });
      await federation.add(serverConfig('one'));
      expect(server.context.habits ?? {}, `after ${hours} h`).toEqual(known);
      if (hours === 0) server.context.learned?.(habits);
      await federation.close();
    }
    expect(JSON.stringify([...state.values])).toContain('"declares":"features","oneSession":true,"at":"20');
  });
});

describe('connecting', () => {
  it('gives the adapter its limits, its isolation and its guard', async () => {
    const server = new FakeServer();
    const guard = {} as NetworkGuard;
    const federation = start(server, { guardFor: ({ origin }) => (origin === 'runtime' ? guard : undefined) });
    await federation.add(serverConfig('one', { origin: 'runtime', isolation: 'caller' }));
    expect(server.context).toMatchObject({
      name: 'one',
      isolation: 'caller',
      maxReplyBytes: 1_000_000,
      maxCallerSessions: 10,
    });
    expect(server.context.guard).toBe(guard);
  });

  it('detects the kind where none is configured, and again after a failed attempt', async () => {
    const server = new FakeServer();
    const detect = vi.fn<Detect>(async (_url, [adapter]) => adapter as Adapter);
    const federation = start(server, { detect });
    expect((await federation.add(serverConfig('one', { kind: undefined }))).kind).toBe('mcp');
    server.crash();
    await vi.waitFor(() => expect(federation.member('one')?.state).toBe('ready'), 3_000);
    expect(detect).toHaveBeenCalledTimes(1);
    server.connecting = 'fail';
    server.crash();
    await vi.waitFor(() => expect(detect.mock.calls.length).toBeGreaterThan(1), 3_000);
  });

  it('reports why no kind was detected, and tries again', async () => {
    const server = new FakeServer();
    const detect = vi.fn(() => Promise.reject(new SwitchboardError('SWB_CONNECT_FAILED', 'Nobody answers.')));
    const federation = start(server, { detect });
    const status = await federation.add(serverConfig('one', { kind: undefined }));
    expect(status).toMatchObject({ state: 'degraded', kind: undefined, error: 'Nobody answers' });
    await vi.waitFor(() => expect(detect.mock.calls.length).toBeGreaterThan(1), 3_000);
    expect(server.attempts).toHaveLength(0);
  });

  it('takes a command for an MCP server', async () => {
    const server = new FakeServer();
    const detect = vi.fn<Detect>(async (_url, [adapter]) => adapter as Adapter);
    const federation = start(server, { detect });
    const target = { transport: 'stdio' as const, command: 'x', args: [], env: {}, cwd: undefined };
    expect((await federation.add(serverConfig('one', { kind: undefined, target }))).state).toBe('ready');
    expect(detect).not.toHaveBeenCalled();
  });

  it('reports that there is no adapter for a kind', async () => {
    const federation = start(new FakeServer(), { adapters: [] satisfies Adapter[] });
    const status = await federation.add(serverConfig('one', { kind: 'mastra' }));
    expect(status.error).toBe("this gateway has no adapter for 'mastra' servers");
  });
});
