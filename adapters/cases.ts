/**
 * The behaviour every adapter shows, whatever kind of server stands behind it, run against a real one. An adapter's own
 * tests cover what only its kind has; what is here is what the rest of the gateway relies on.
 *
 * A suite describes its server with `CaseSetup`: tools/call for MCP servers, agents/call for agent servers. Cases that a
 * server has nothing for are not registered, so that no test passes without having looked.
 * @module
 */
import assert from 'node:assert/strict';
import { SwitchboardError } from '../src/core/errors.ts';
import { CATALOG_KINDS, type Upstream } from '../src/core/upstream.ts';
import { isObject } from '../src/wire/jsonrpc.ts';
import { type FakeCall, type FakeCallOptions, fakeCall } from './testing/call.ts';
import { type ContextOverrides, type FakeContext, fakeContext, fakeDetectContext } from './testing/context.ts';
import { absentOrigin, type RawServer, startMuteServer, startRelay, startWebSite } from './testing/faults.ts';
import {
  assertNoLeak,
  assertSoon,
  assertWellFormed,
  codeOf,
  connectFailure,
  elsewhere,
  outcomeOf,
  resultOf,
  until,
} from './testing/outcome.ts';
import type { CaseSetup, OptionalCases } from './testing/setup.ts';

export { codeOf, resultOf } from './testing/outcome.ts';
export type { CaseRequest, CaseSetup, OptionalCases } from './testing/setup.ts';

/** The functions of a test runner: the module `node:test`, or those of vitest as `{ describe, it, before: beforeAll, after: afterAll }`. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
  before(body: () => Promise<void>): unknown;
  after(body: () => Promise<void>): unknown;
}

/**
 * Registers the suite with a test runner; failures are `AssertionError`s. `setup` starts a fresh server each time; it runs
 * twice, as one case destroys its server. Cases about calls share a connection; connecting, closing and losing it have their own.
 */
export function adapterCases(
  { describe, it, before, after }: TestRunner,
  name: string,
  setup: () => Promise<CaseSetup>,
  optional: OptionalCases = {},
): void {
  describe(`${name} behaves like an upstream`, () => {
    let fixture: CaseSetup;
    const open = new Set<Upstream>();

    before(async () => {
      fixture = await setup();
    });
    after(async () => {
      await Promise.all([...open].map((upstream) => upstream.close()));
      await fixture?.stop();
    });

    const connect = async (
      overrides: ContextOverrides = {},
      from: CaseSetup = fixture,
    ): Promise<{ upstream: Upstream; context: FakeContext }> => {
      const context = fakeContext(from.target, { ...from.context, ...overrides });
      const upstream = await from.adapter.connect(context);
      open.add(upstream);
      return { upstream, context };
    };
    const done = async (upstream: Upstream): Promise<void> => {
      await upstream.close();
      open.delete(upstream);
    };
    let shared: ReturnType<typeof connect> | undefined;
    /** The connection that cases about calls share. */
    const connected = (): ReturnType<typeof connect> => {
      shared ??= connect().catch((error: unknown) => {
        shared = undefined;
        throw error;
      });
      return shared;
    };
    /** Closes it: where what a connection leaves behind is counted. */
    const alone = async (): Promise<void> => {
      const closing = shared;
      shared = undefined;
      if (closing) await done((await closing).upstream);
    };
    const newCall = (options: FakeCallOptions = {}, from: CaseSetup = fixture): FakeCall =>
      fakeCall({ ...from.call, ...options });

    it('connects within its deadline and says what it is', async () => {
      const { upstream, context } = await connect();
      assert.equal(upstream.kind, fixture.adapter.kind);
      assert.match(upstream.transport, /^(stdio|streamable-http|sse|http|mqtt|in-process)$/);
      assert.notEqual(upstream.protocolVersion, '');
      assert.ok(isObject(upstream.capabilities));
      await upstream.ping(AbortSignal.timeout(30_000));
      await done(upstream);
      assert.deepEqual(context.downs, []);
    });

    it('lists well-formed entries, the same ones each time, and nothing of what it does not offer', async () => {
      const { upstream } = await connected();
      for (const kind of CATALOG_KINDS) {
        const first = await upstream.catalog(kind, AbortSignal.timeout(30_000));
        const second = await upstream.catalog(kind, AbortSignal.timeout(30_000));
        const keys = first.entries.map((entry) => entry.key);
        assert.equal(new Set(keys).size, keys.length, `${kind} are listed once each`);
        const again = second.entries.map((entry) => entry.key);
        assert.deepEqual(again, keys, `${kind} keep their order`);
        for (const entry of first.entries) assertWellFormed(kind, entry);
        const offered = fixture.offers[kind];
        const missing = offered?.filter((key) => !keys.includes(key));
        assert.deepEqual(
          missing ?? keys,
          [],
          `${kind}: ${offered ? 'all that is offered is listed' : 'none are offered'}`,
        );
      }
    });

    it('answers a call', async () => {
      const { upstream } = await connected();
      const { method, params } = fixture.echo('marker-one');
      const result = resultOf(await upstream.request(method, params, newCall()));
      assert.ok(JSON.stringify(result).includes('marker-one'));
      assert.notEqual(result.isError, true);
    });

    it('does not mix calls that run at the same time', async () => {
      const { upstream } = await connected();
      const markers = Array.from({ length: 8 }, (_, i) => `parallel-${i}-end`);
      const replies = await Promise.all(
        markers.map((marker) => {
          const { method, params } = fixture.echo(marker);
          return upstream.request(method, params, newCall());
        }),
      );
      for (const [i, reply] of replies.entries()) {
        const text = JSON.stringify(resultOf(reply));
        for (const [j, marker] of markers.entries()) assert.equal(text.includes(marker), i === j);
      }
    });

    it('passes an error on precisely and leaks nothing of the server', async () => {
      const { upstream } = await connected();
      const outcome = await outcomeOf(upstream, fixture.failure, newCall());
      assert.ok(outcome.failed);
      assert.match(outcome.text, fixture.failure.says);
      assertNoLeak(outcome.text, fixture);
    });

    it('makes an unknown name an error', async () => {
      const { upstream } = await connected();
      const outcome = await outcomeOf(upstream, fixture.unknown, newCall());
      assert.ok(outcome.failed);
      assertNoLeak(outcome.text, fixture);
    });

    it('settles an aborted call at once, cancels it upstream, and serves the next one', async () => {
      const { upstream, context } = await connected();
      const { method, params, started, cancelled } = fixture.slow;
      const before = { started: await started(), cancelled: await cancelled?.() };
      const call = newCall();
      const running = outcomeOf(upstream, { method, params: structuredClone(params) }, call);
      await until('the call has started', async () => (await started()) === before.started + 1);

      const reason = new SwitchboardError('SWB_CANCELLED', 'The client cancelled the request.');
      const abortedAt = performance.now();
      call.abort(reason);
      const outcome = await running;
      assertSoon(abortedAt);
      assert.equal(outcome.thrown, reason);
      if (cancelled)
        await until('the server cancels it', async () => (await cancelled()) === (before.cancelled ?? 0) + 1);

      const next = fixture.echo('after-the-abort');
      const result = resultOf(await upstream.request(next.method, next.params, newCall()));
      assert.ok(JSON.stringify(result).includes('after-the-abort'));
      assert.deepEqual(context.downs, []);
    });

    it('does not send a call that is aborted already', async () => {
      const { upstream } = await connected();
      const { method, params, started } = fixture.slow;
      const before = await started();
      const call = newCall();
      const reason = new SwitchboardError('SWB_CALL_TIMEOUT', 'Too late.');
      call.abort(reason);
      const outcome = await outcomeOf(upstream, { method, params: structuredClone(params) }, call);
      assert.equal(outcome.thrown, reason);
      // A later call has been there and back: what was sent before it would have started by now.
      const next = fixture.echo('later');
      await upstream.request(next.method, next.params, newCall());
      assert.equal(await started(), before);
    });

    const { progress, oversize, accepts = {}, busy, cut } = optional;
    if (progress) {
      it('reports the progress of a slow call to that call', async () => {
        const { upstream } = await connected();
        const [call, other] = [newCall({ wantsProgress: true }), newCall()];
        const echo = fixture.echo('meanwhile');
        const [reply] = await Promise.all([
          upstream.request(progress.method, structuredClone(progress.params), call),
          upstream.request(echo.method, echo.params, other),
        ]);
        assert.notEqual(resultOf(reply).isError, true);
        const reports = call.notifications.filter(({ method }) => method === 'notifications/progress');
        assert.ok(reports.length >= progress.atLeast, `${reports.length} reports`);
        let last = Number.NEGATIVE_INFINITY;
        for (const { params = {} } of reports) {
          assert.ok(!('progressToken' in params));
          assert.ok(typeof params.progress === 'number' && params.progress > last, 'progress increases');
          last = params.progress;
        }
        assert.deepEqual(other.notifications, []);
      });
    }

    if (oversize) {
      it('refuses a reply over the limit and serves the next call', async () => {
        const { upstream } = await connect({ maxReplyBytes: oversize.maxReplyBytes });
        const outcome = await outcomeOf(
          upstream,
          { method: oversize.method, params: structuredClone(oversize.params) },
          newCall(),
        );
        assert.equal(codeOf(outcome.thrown), 'SWB_REPLY_TOO_LARGE');
        const next = fixture.echo('after-the-flood');
        const result = resultOf(await upstream.request(next.method, next.params, newCall()));
        assert.ok(JSON.stringify(result).includes('after-the-flood'));
        await done(upstream);
      });
    }

    for (const [what, { method, params, says }] of Object.entries(accepts)) {
      it(`takes ${what}`, async () => {
        const { upstream } = await connected();
        const outcome = await outcomeOf(upstream, { method, params: structuredClone(params) }, newCall());
        assert.equal(outcome.thrown, undefined);
        assert.equal(outcome.failed, false);
        assert.match(outcome.text, says);
      });
    }

    if (busy) {
      it('says that what a call needs is busy, and serves it afterwards', async () => {
        const { upstream } = await connected();
        const { method, started, cancelled } = fixture.slow;
        const before = { started: await started(), cancelled: (await cancelled?.()) ?? 0 };
        const call = newCall();
        const running = outcomeOf(upstream, { method, params: structuredClone(busy.slow) }, call);
        await until('the call has started', async () => (await started()) === before.started + 1);
        const second = structuredClone(busy.call);
        const outcome = await outcomeOf(upstream, second, newCall());
        assert.ok(outcome.failed);
        assert.match(outcome.text, busy.says);
        call.abort();
        await running;
        if (cancelled) await until('the server cancels it', async () => (await cancelled()) === before.cancelled + 1);
        await until('it is served', async () => {
          const again = await outcomeOf(upstream, structuredClone(busy.call), newCall());
          return !again.failed;
        });
      });
    }

    if (cut) {
      it('fails a call whose connection is cut, sends it no second time, and serves the next one', async () => {
        const { target } = fixture;
        assert.ok(target.transport !== 'stdio');
        const relay = await startRelay(new URL(target.url).origin);
        try {
          const through: CaseSetup = { ...fixture, target: elsewhere(target, relay.origin, '') };
          const { upstream, context } = await connect({}, through);
          const { method, params, started, cancelled } = fixture.slow;
          const before = { started: await started(), cancelled: (await cancelled?.()) ?? 0 };
          const running = outcomeOf(upstream, { method, params: structuredClone(params) }, newCall());
          await until('the call has started', async () => (await started()) === before.started + 1);
          relay.cut();
          const outcome = await running;
          assert.equal(codeOf(outcome.thrown), 'SWB_UPSTREAM_UNAVAILABLE');
          assertNoLeak(outcome.text, through);
          if (cancelled) await until('the server stops it', async () => (await cancelled()) === before.cancelled + 1);
          const next = fixture.echo('after-the-cut');
          const result = resultOf(await upstream.request(next.method, next.params, newCall()));
          assert.ok(JSON.stringify(result).includes('after-the-cut'));
          assert.equal(await started(), before.started + 1);
          assert.deepEqual(context.downs, []);
          await done(upstream);
        } finally {
          await relay.close();
        }
      });
    }

    it('closes within its bounds, as often as asked, and leaves nothing behind', async () => {
      await alone();
      const { upstream, context } = await connect();
      const echo = fixture.echo('before-the-end');
      await upstream.request(echo.method, echo.params, newCall());
      const { method, params, started } = fixture.slow;
      const before = await started();
      const inFlight = outcomeOf(upstream, { method, params: structuredClone(params) }, newCall());
      await until('the call has started', async () => (await started()) === before + 1);

      const closedAt = performance.now();
      await Promise.all([upstream.close(), upstream.close()]);
      await upstream.close();
      assertSoon(closedAt);
      open.delete(upstream);

      assert.equal(codeOf((await inFlight).thrown), 'SWB_UPSTREAM_UNAVAILABLE');
      const late = await outcomeOf(upstream, fixture.echo('too-late'), newCall());
      assert.equal(codeOf(late.thrown), 'SWB_UPSTREAM_UNAVAILABLE');
      assert.deepEqual(context.downs, [], 'closing is not a loss');
      const { leftovers } = fixture;
      if (leftovers) await until('nothing is left', async () => (await leftovers()) === 0);
    });

    it('says that a server that is not there is unavailable', async () => {
      const absent = elsewhere(fixture.target, await absentOrigin(), 'switchboard-no-such-command');
      const failure = await connectFailure(fixture, fakeContext(absent, { ...fixture.context }));
      assert.equal(codeOf(failure), 'SWB_UPSTREAM_UNAVAILABLE');
      assertNoLeak(failure.message, { ...fixture, target: absent });
    });

    it('gives up connecting to a mute server when its deadline passes', async () => {
      const mute: RawServer = await startMuteServer();
      try {
        const target = elsewhere(fixture.target, mute.origin, process.execPath, ['-e', 'process.stdin.resume()']);
        const deadline = new AbortController();
        const reason = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'It did not answer in time.');
        const failed = connectFailure(fixture, fakeContext(target, { ...fixture.context, signal: deadline.signal }));
        const timer = setTimeout(() => deadline.abort(reason), 300);
        const startedAt = performance.now();
        assert.equal(codeOf(await failed), 'SWB_UPSTREAM_UNAVAILABLE');
        assertSoon(startedAt);
        clearTimeout(timer);
      } finally {
        await mute.close();
      }
    });

    it('detects its own kind of server and no other', async () => {
      await alone();
      const site = await startWebSite();
      try {
        assert.equal(await fixture.adapter.detect(new URL(site.origin), fakeDetectContext()), false);
        assert.equal(await fixture.adapter.detect(new URL(await absentOrigin()), fakeDetectContext()), false);
        const { target } = fixture;
        if (target.transport !== 'stdio') {
          const context = fakeDetectContext({ headers: target.headers });
          assert.equal(await fixture.adapter.detect(new URL(target.url), context), true);
          const { leftovers } = fixture;
          if (leftovers) await until('nothing is left', async () => (await leftovers()) === 0);
        }
      } finally {
        await site.close();
      }
    });

    it('says once that the server is gone, and fails its calls at once', async () => {
      const doomed = await setup();
      try {
        const { upstream, context } = await connect({}, doomed);
        const { method, params, started } = doomed.slow;
        const before = await started();
        const inFlight = outcomeOf(upstream, { method, params: structuredClone(params) }, newCall({}, doomed));
        await until('the call has started', async () => (await started()) === before + 1);

        await doomed.kill();
        const killedAt = performance.now();
        const outcome = await inFlight;
        assertSoon(killedAt);
        assert.equal(codeOf(outcome.thrown), 'SWB_UPSTREAM_UNAVAILABLE');
        assertNoLeak(outcome.text, doomed);

        const echo = doomed.echo('anyone-there');
        const next = await outcomeOf(upstream, echo, newCall({}, doomed));
        assert.equal(codeOf(next.thrown), 'SWB_UPSTREAM_UNAVAILABLE');
        assertNoLeak(next.text, doomed);
        await until('the loss is reported', () => context.downs.length === 1);
        await assert.rejects(upstream.ping(AbortSignal.timeout(30_000)));
        await done(upstream);
        assert.equal(context.downs.length, 1);
      } finally {
        await doomed.stop();
      }
    });
  });
}
