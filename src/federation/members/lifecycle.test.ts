import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ServerConfig } from '../../config/types.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { FakeServer, federate, gatewayConfig, serverConfig } from '../testing/fakes.ts';
import type { Federation } from '../types.ts';
import { DEFAULT_TIMING } from './timing.ts';

/** With the real intervals, on a fake clock: what is tested here is the schedule itself. */
describe('the schedule of connecting', () => {
  let server: FakeServer;
  let federation: Federation;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(1);
    server = new FakeServer('a');
    ({ federation } = federate({ one: server }, { timing: DEFAULT_TIMING }));
  });

  afterEach(async () => {
    const closed = federation.close();
    await vi.advanceTimersByTimeAsync(10_000);
    await closed;
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  const start = async (connectTimeoutMs = 5_000): Promise<void> => {
    void federation.add(serverConfig('one', { connectTimeoutMs }));
    await vi.advanceTimersByTimeAsync(0);
  };
  const state = () => federation.member('one')?.state;
  /** Milliseconds from now to the next attempt. */
  const untilNextAttempt = async (): Promise<number> => {
    const [before, startedAt] = [server.attempts.length, Date.now()];
    while (server.attempts.length === before) await vi.advanceTimersByTimeAsync(10);
    return Date.now() - startedAt;
  };

  it('doubles the pauses up to half a minute', async () => {
    server.connecting = 'fail';
    await start();
    expect(state()).toBe('degraded');
    const pauses = [];
    for (let i = 0; i < 9; i++) pauses.push(await untilNextAttempt());
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('spreads the pauses over their upper half', async () => {
    vi.mocked(Math.random).mockReturnValue(0);
    server.connecting = 'fail';
    await start();
    expect(await untilNextAttempt()).toBe(250);
  });

  it('gives an attempt its deadline, then tries again', async () => {
    server.connecting = 'hang';
    await start(5_000);
    expect(state()).toBe('connecting');
    await vi.advanceTimersByTimeAsync(4_990);
    expect(state()).toBe('connecting');
    expect(server.context.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(10);
    expect(state()).toBe('degraded');
    expect(server.context.signal.aborted).toBe(true);
    expect(federation.member('one')?.status().error).toBe('it did not connect within 5000 ms (connectTimeoutMs)');
    server.connecting = 'ok';
    await untilNextAttempt();
    await vi.advanceTimersByTimeAsync(0);
    expect(state()).toBe('ready');
  });

  it('gives a server that shows life while it starts its connect time again, five times as long at most', async () => {
    server.connecting = 'hang';
    await start(5_000);
    for (let i = 0; i < 6; i++) {
      await vi.advanceTimersByTimeAsync(4_000);
      expect(state()).toBe('connecting');
      server.context.onStarting?.();
    }
    await vi.advanceTimersByTimeAsync(990);
    expect(state()).toBe('connecting');
    await vi.advanceTimersByTimeAsync(10);
    expect(federation.member('one')?.status()).toMatchObject({
      state: 'degraded',
      error: 'it did not connect within 25000 ms, although it kept writing to stderr (5 times connectTimeoutMs)',
    });
    // A sign that comes late gives nothing back.
    server.context.onStarting?.();
    expect(state()).toBe('degraded');
  });

  it('ends a start that falls silent after its last sign of life', async () => {
    server.connecting = 'hang';
    await start(5_000);
    await vi.advanceTimersByTimeAsync(4_000);
    server.context.onStarting?.();
    await vi.advanceTimersByTimeAsync(4_990);
    expect(state()).toBe('connecting');
    await vi.advanceTimersByTimeAsync(10);
    expect(federation.member('one')?.status().error).toBe('it did not connect within 5000 ms (connectTimeoutMs)');
  });

  it('goes on doubling while a server dies as soon as it is up', async () => {
    await start();
    const pauses = [];
    for (let i = 0; i < 5; i++) {
      expect(state()).toBe('ready');
      server.crash();
      pauses.push(await untilNextAttempt());
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
  });

  it('connects again at once after each connection that answered a client: some servers end after every answer', async () => {
    server.answered = true;
    await start();
    for (let i = 0; i < 5; i++) {
      server.crash();
      await vi.advanceTimersByTimeAsync(10);
      expect(state()).toBe('ready');
    }
    server.answered = false;
    server.crash();
    await vi.advanceTimersByTimeAsync(10);
    server.crash();
    expect(await untilNextAttempt()).toBe(500);
  });

  it('starts with the first pause again after a stable connection', async () => {
    await start();
    for (let i = 0; i < 4; i++) {
      server.crash();
      await untilNextAttempt();
      await vi.advanceTimersByTimeAsync(0);
    }
    await vi.advanceTimersByTimeAsync(30_000);
    server.crash();
    expect(await untilNextAttempt()).toBe(500);
  });

  it('tries earlier when a call asks for the server, but not in a tight loop', async () => {
    server.connecting = 'fail';
    await start();
    for (let i = 0; i < 7; i++) await untilNextAttempt();
    const attempts = server.attempts.length;
    const call = (): void => expect(() => federation.member('one')?.require()).toThrow("Server 'one' is not available");

    for (let i = 0; i < 100; i++) call();
    expect(server.attempts.length).toBe(attempts);
    await vi.advanceTimersByTimeAsync(5_000);
    for (let i = 0; i < 100; i++) call();
    await vi.advanceTimersByTimeAsync(0);
    expect(server.attempts.length).toBe(attempts + 1);
    for (let i = 0; i < 100; i++) call();
    await vi.advanceTimersByTimeAsync(0);
    expect(server.attempts.length).toBe(attempts + 1);
  });

  it('stops trying when the server is removed', async () => {
    server.connecting = 'fail';
    await start();
    const attempts = server.attempts.length;
    await federation.remove('one');
    await vi.advanceTimersByTimeAsync(120_000);
    expect(server.attempts.length).toBe(attempts);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('calls a server degraded that no longer answers pings, and ready when it does, without closing it', async () => {
    await start();
    server.pinging = 'hang';
    await vi.advanceTimersByTimeAsync(30_000 + 10_000);
    expect(state()).toBe('ready');
    await vi.advanceTimersByTimeAsync(5_000 + 10_000);
    expect(state()).toBe('degraded');
    expect(federation.member('one')?.upstream).toBeDefined();
    expect(federation.member('one')?.status()).toMatchObject({
      stale: false,
      error: 'it did not answer a ping within 10000 ms',
    });
    server.pinging = 'ok';
    await vi.advanceTimersByTimeAsync(20_000);
    expect(state()).toBe('ready');
    expect(server.closes).toBe(0);
  });
});

describe('servers that are commands', () => {
  const target = { transport: 'stdio' as const, command: 'x', args: [], env: {}, cwd: undefined };
  const names = ['one', 'two', 'three', 'four'];
  let servers: Record<string, FakeServer>;
  let federation: Federation;

  beforeEach(() => {
    vi.useFakeTimers();
    servers = Object.fromEntries(names.map((name) => [name, new FakeServer('a')]));
    const gateway = gatewayConfig();
    gateway.limits.maxStarts = 2;
    ({ federation } = federate(servers, { timing: DEFAULT_TIMING, gateway }));
  });

  afterEach(async () => {
    const closed = federation.close();
    await vi.advanceTimersByTimeAsync(10_000);
    await closed;
    vi.useRealTimers();
  });

  const begin = async (overrides: Partial<ServerConfig> = {}): Promise<void> => {
    void federation.apply(names.map((name) => serverConfig(name, { target, connectTimeoutMs: 6_000, ...overrides })));
    await vi.advanceTimersByTimeAsync(0);
  };
  const started = () => names.filter((name) => servers[name]?.attempts.length);
  const states = () => names.map((name) => federation.member(name)?.state);

  it('start a few at a time, and their connect time begins when they do', async () => {
    for (const server of Object.values(servers)) server.connecting = 'hang';
    await begin();
    expect(started()).toEqual(['one', 'two']);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(started()).toEqual(names);
    expect(states()).toEqual(['degraded', 'degraded', 'connecting', 'connecting']);
    await vi.advanceTimersByTimeAsync(5_990);
    expect(states().slice(2)).toEqual(['connecting', 'connecting']);
    await vi.advanceTimersByTimeAsync(10);
    expect(states().slice(2)).toEqual(['degraded', 'degraded']);
  });

  it('that are ready at once wait for nothing else', async () => {
    await begin();
    expect(states()).toEqual(['ready', 'ready', 'ready', 'ready']);
  });

  it('are not started any more when they are removed while they wait', async () => {
    for (const server of Object.values(servers)) server.connecting = 'hang';
    await begin();
    await federation.remove('three');
    await vi.advanceTimersByTimeAsync(6_000);
    expect(started()).toEqual(['one', 'two', 'four']);
  });

  it('that exit while they start count as tried after a second attempt, where that is asked for', async () => {
    const exited = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'it exited', { data: { exitCode: 1 } });
    const [first] = Object.values(servers) as [FakeServer];
    first.connecting = 'hang';
    await begin();
    const settled: string[] = [];
    void federation.settled().then(() => settled.push('once'));
    void federation.settled({ triedAgain: true }).then(() => settled.push('twice'));
    first.crash(exited);
    await vi.advanceTimersByTimeAsync(0);
    expect(settled).toEqual(['once']);
    first.connecting = 'ok';
    await vi.advanceTimersByTimeAsync(500);
    expect(settled).toEqual(['once', 'twice']);
    expect(states()).toEqual(['ready', 'ready', 'ready', 'ready']);
  });
});
