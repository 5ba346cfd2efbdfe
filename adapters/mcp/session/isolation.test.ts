import { describe, expect, it, vi } from 'vitest';
import type { Upstream } from '../../../src/core/upstream.ts';
import { startV1Http, startV1Sse, startV2Http } from '../../../test/fixtures/mcp/http.ts';
import { stdioFixture } from '../../../test/fixtures/mcp/stdio.ts';
import { codeOf } from '../../cases.ts';
import { type FakeCallOptions, fakeCall, modernCaller } from '../../testing/call.ts';
import { connections, textOf, toolCall } from '../testing/connected.ts';

const { connect, closing } = connections();

const whoami = async (upstream: Upstream, options: FakeCallOptions) =>
  JSON.parse(textOf(await upstream.request(...toolCall('whoami'), fakeCall(options))));

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => new Error('It succeeded.'),
    (e) => e,
  );

const servers = {
  'SDK v1 over HTTP': async () => {
    const fixture = closing(await startV1Http());
    return { target: fixture.url, held: () => fixture.sessions(), ledger: fixture.ledger };
  },
  'SDK v1 over SSE': async () => {
    const fixture = closing(await startV1Sse());
    return { target: fixture.url, held: () => fixture.sessions(), ledger: fixture.ledger };
  },
  'SDK v1 over stdio': async () => {
    const fixture = closing(stdioFixture('v1'));
    return { target: fixture.target, held: () => fixture.children().length, ledger: fixture.ledger };
  },
};

/** Who a session belongs to, as the server sees it. */
const keyOf = ({ session, process: pid }: { session?: string; process: number }): string => session ?? String(pid);

describe.each(Object.entries(servers))('a session per caller: %s', (_name, start) => {
  it('is opened with exactly what the caller declared, once for calls at the same time, and freed when it leaves', async () => {
    const { target, held } = await start();
    const { upstream } = await connect(target, { isolation: 'caller' });
    expect(held()).toBe(1);
    const one: FakeCallOptions = {
      caller: {
        key: 'one',
        capabilities: { roots: { listChanged: true } },
        clientInfo: { name: 'first', version: '1' },
      },
    };
    const two: FakeCallOptions = {
      caller: { key: 'two', capabilities: {}, clientInfo: { name: 'second', version: '2' } },
    };
    const [a, b, c] = await Promise.all([whoami(upstream, one), whoami(upstream, one), whoami(upstream, two)]);
    expect(a).toMatchObject({ client: { name: 'first' }, capabilities: { roots: { listChanged: true } } });
    expect(c).toMatchObject({ client: { name: 'second' }, capabilities: {} });
    expect(keyOf(a)).toBe(keyOf(b));
    expect(keyOf(a)).not.toBe(keyOf(c));
    expect(held()).toBe(3);

    upstream.release?.('one');
    await vi.waitFor(() => expect(held()).toBe(2), { timeout: 5_000 });
    expect(keyOf(await whoami(upstream, two))).toBe(keyOf(c));
  });

  it('takes the place of the one unused for longest, and never of one that is busy', async () => {
    const { target, held, ledger } = await start();
    const { upstream, context } = await connect(target, { isolation: 'caller', maxCallerSessions: 2 });
    const first = await whoami(upstream, { caller: { key: 'one' } });
    const second = await whoami(upstream, { caller: { key: 'two' } });
    expect(keyOf(await whoami(upstream, { caller: { key: 'one' } }))).toBe(keyOf(first));
    await whoami(upstream, { caller: { key: 'three' } });
    await vi.waitFor(() => expect(held()).toBe(3), { timeout: 5_000 });
    expect(keyOf(await whoami(upstream, { caller: { key: 'one' } }))).toBe(keyOf(first));
    expect(keyOf(await whoami(upstream, { caller: { key: 'two' } }))).not.toBe(keyOf(second));

    const busy = ['one', 'two'].map((key) => fakeCall({ caller: { key } }));
    const running = busy.map((call) => failure(upstream.request(...toolCall('slow'), call)));
    await vi.waitFor(() => expect(ledger.count('slow:started')).toBe(2), { timeout: 5_000 });
    const refused = await failure(whoami(upstream, { caller: { key: 'three' } }));
    expect(refused).toMatchObject({ code: 'SWB_TOO_MANY_SESSIONS', retryAfterMs: 1_000 });
    for (const call of busy) call.abort();
    await Promise.all(running);
    expect(context.downs).toEqual([]);
  });
});

describe('a session per caller', () => {
  it('is another one for a modern caller that declares something else', async () => {
    const { upstream } = await connect(closing(await startV1Http()).url, { isolation: 'caller' });
    const plain = modernCaller({ key: 'grant' });
    const capable = modernCaller({ key: 'grant', capabilities: { sampling: {} } });
    const [a, b, c] = [
      await whoami(upstream, { caller: plain }),
      await whoami(upstream, { caller: capable }),
      await whoami(upstream, { caller: { ...plain, capabilities: {} } }),
    ];
    expect(b.capabilities).toEqual({ sampling: {} });
    expect(a.session).not.toBe(b.session);
    expect(a.session).toBe(c.session);
  });

  it('is not needed towards modern servers, which get the caller with every request', async () => {
    const fixture = closing(await startV2Http('modern'));
    const { upstream } = await connect(fixture.url, { isolation: 'caller' });
    const caller = modernCaller({ key: 'one', capabilities: { sampling: {} }, logLevel: 'warning' });
    const seen = await whoami(upstream, { caller });
    expect(seen.envelope).toMatchObject({
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': { sampling: {} },
      'io.modelcontextprotocol/clientInfo': { name: 'test-client' },
      'io.modelcontextprotocol/logLevel': 'warning',
    });
    const legacy = await whoami(upstream, { caller: { key: 'two', capabilities: { roots: {} } } });
    expect(legacy.envelope).toMatchObject({ 'io.modelcontextprotocol/clientCapabilities': { roots: {} } });
  });

  it('that is lost while idle fails one call, and is then opened anew', async () => {
    const fixture = closing(await startV1Sse());
    const { upstream, context } = await connect(fixture.url, { isolation: 'caller' });
    const caller = { key: 'one' };
    const before = await whoami(upstream, { caller });
    await fixture.dropSession(before.session);
    await vi.waitFor(() => expect(fixture.sessions()).toBe(1));
    // The end of the stream was sent before the answer to this: with it the gateway knows.
    await upstream.ping(AbortSignal.timeout(30_000));
    const told = await failure(whoami(upstream, { caller }));
    expect(codeOf(told)).toBe('SWB_UPSTREAM_SESSION_LOST');
    const after = await whoami(upstream, { caller });
    expect(after.session).not.toBe(before.session);
    expect(context.downs).toEqual([]);
  });

  it('in a child that dies fails its own calls, and no others', async () => {
    const fixture = closing(stdioFixture('v1'));
    const { upstream, context } = await connect(fixture.target, { isolation: 'caller' });
    const doomed = await whoami(upstream, { caller: { key: 'one' } });
    const other = await whoami(upstream, { caller: { key: 'two' } });
    const running = failure(upstream.request(...toolCall('slow'), fakeCall({ caller: { key: 'one' } })));
    await vi.waitFor(() => expect(fixture.ledger.count('slow:started')).toBe(1));
    process.kill(doomed.process, 'SIGKILL');
    expect(await running).toMatchObject({ code: 'SWB_UPSTREAM_UNAVAILABLE', message: /ended by SIGKILL/ });
    expect((await whoami(upstream, { caller: { key: 'two' } })).process).toBe(other.process);
    expect((await whoami(upstream, { caller: { key: 'one' } })).process).not.toBe(doomed.process);
    expect(context.downs).toEqual([]);
  });

  it('is waited for by a call only as long as that call lives', async () => {
    const { upstream } = await connect(closing(stdioFixture('v1')).target, { isolation: 'caller' });
    const call = fakeCall({ caller: { key: 'one' } });
    const running = failure(upstream.request(...toolCall('whoami'), call));
    call.abort();
    expect(codeOf(await running)).toBe('SWB_CANCELLED');
    await whoami(upstream, { caller: { key: 'one' } });
  });
});

describe('a shared session', () => {
  it('serves all callers, and declares what the gateway can relay', async () => {
    const fixture = closing(await startV1Http());
    const { upstream, context } = await connect(fixture.url);
    const [a, b] = [
      await whoami(upstream, { caller: { key: 'one' } }),
      await whoami(upstream, { caller: { key: 'two' } }),
    ];
    expect(a.session).toBe(b.session);
    expect(a.capabilities).toEqual(context.envelope.clientCapabilities);
    expect(a.client).toEqual(context.envelope.clientInfo);
    expect(fixture.sessions()).toBe(1);
  });
});
