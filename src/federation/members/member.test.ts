import { describe, expect, it } from 'vitest';
import { mcpAdapter } from '../../../adapters/mcp/index.ts';
import { SwitchboardError, toRpcError, UpstreamError } from '../../core/errors.ts';
import { FakeServer, serverConfig } from '../testing/fakes.ts';
import { harness, thrownBy, toolNames, until, untilReady } from '../testing/harness.ts';

const { create, start } = harness();

describe('a server that goes away', () => {
  it('keeps its last good catalog, marked stale, and fails calls at once', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one, two: new FakeServer('b') });
    const member = federation.member('one');
    one.connecting = 'hang';
    one.crash(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'The process ended.'));

    expect(toolNames(federation)).toEqual(['one__a', 'two__b']);
    expect(member?.status()).toMatchObject({ state: 'degraded', stale: true, counts: { tools: 1 } });
    const error = thrownBy(() => member?.require());
    expect(error.code).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect(error.message).toMatch(/^Server 'one' is not available: The process ended\. /);
    expect(error.retryAfterMs).toBeGreaterThan(0);
    expect(error.data).toMatchObject({ server: 'one', retryAfterMs: error.retryAfterMs });
    expect(federation.member('two')?.require()).toBeDefined();
    expect(one.closes).toBe(1);
  });

  it('comes back by itself, with its current list', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    one.setTools('a', 'c');
    one.crash();
    await untilReady(federation, 'one');
    expect(toolNames(federation)).toEqual(['one__a', 'one__c']);
    expect(federation.member('one')?.status().stale).toBe(false);
  });

  it('is named once in the error of a call', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    one.crash(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', "Server 'one' is not reachable: it refused."));
    expect(thrownBy(() => federation.member('one')?.require()).message).toMatch(
      /^Server 'one' is not reachable: it refused\. The gateway is connecting/,
    );
  });

  it('is reported only by its present connection', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    const old = one.context;
    one.crash();
    await untilReady(federation, 'one');
    old.onDown(new Error('again'));
    expect(federation.member('one')?.state).toBe('ready');
    expect(one.openListens(({ lists }) => lists === true)).toBe(1);
  });

  it('is closed when it connects after its deadline', async () => {
    const one = new FakeServer('a');
    let connect: () => void = () => {};
    const late = new Promise<void>((resolve) => {
      connect = resolve;
    });
    const federation = create(
      {},
      {
        adapters: [
          { ...mcpAdapter, detect: async () => true, connect: (context) => late.then(() => one.connect(context)) },
        ],
      },
    );
    const status = await federation.add(serverConfig('one', { connectTimeoutMs: 20 }));
    expect(status).toMatchObject({ state: 'degraded', error: 'it did not connect within 20 ms (connectTimeoutMs)' });
    connect();
    await until(() => expect(one.closes).toBeGreaterThanOrEqual(1));
  });

  it('that goes down while it connects has failed to connect', async () => {
    const one = new FakeServer('a');
    one.connecting = 'hang';
    const federation = create({ one });
    const added = federation.add(serverConfig('one', { connectTimeoutMs: 60_000 }));
    await until(() => expect(one.attempts).toHaveLength(1));
    one.crash(new UpstreamError({ code: -32000, message: 'no\n    at secret (/path)' }));
    expect((await added).error).toBe('it answered with an error: no');
  });

  it('leaves out of errors what only the log may hold', async () => {
    const federation = create(
      {},
      {
        adapters: [
          {
            ...mcpAdapter,
            detect: async () => true,
            connect: async () => {
              throw Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:81 token=s3cret'), { code: 'ECONNREFUSED' });
            },
          },
        ],
      },
    );
    const status = await federation.add(serverConfig('one'));
    expect(status.error).toBe('it refuses connections');
    const error = toRpcError(thrownBy(() => federation.member('one')?.require()));
    expect(JSON.stringify(error)).not.toMatch(/10\.0\.0\.1|s3cret/);
  });
});

describe('resource updates', () => {
  const watching = (one: FakeServer, uri: string): number =>
    one.openListens(({ resources }) => resources?.includes(uri) === true);

  it('are asked for once per resource, however many listen', async () => {
    const one = new FakeServer();
    const federation = await start({ one });
    const member = federation.member('one');
    const heard: string[] = [];
    const stopFirst = member?.listenResources(['x://1', 'x://2'], () => heard.push('first'));
    const stopSecond = member?.listenResources(['x://1'], () => heard.push('second'));
    expect([watching(one, 'x://1'), watching(one, 'x://2')]).toEqual([1, 1]);
    one.updated('x://1');
    expect(heard).toEqual(['first', 'second']);
    stopFirst?.();
    stopFirst?.();
    expect([watching(one, 'x://1'), watching(one, 'x://2')]).toEqual([1, 0]);
    one.updated('x://1');
    expect(heard).toEqual(['first', 'second', 'second']);
    stopSecond?.();
    expect(watching(one, 'x://1')).toBe(0);
  });

  it('are asked for again after a reconnect, and when the server is connected only later', async () => {
    const one = new FakeServer();
    one.connecting = 'fail';
    const federation = await start({ one });
    const heard: string[] = [];
    federation.member('one')?.listenResources(['x://1'], (change) => heard.push(change.type));
    one.connecting = 'ok';
    await until(() => expect(watching(one, 'x://1')).toBe(1));
    one.crash();
    await until(() => expect(one.attempts.length).toBeGreaterThan(2));
    await until(() => expect(watching(one, 'x://1')).toBe(1));
    one.updated('x://1');
    expect(heard).toEqual(['resource']);
  });
});
