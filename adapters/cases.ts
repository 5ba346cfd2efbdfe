/**
 * The behaviour every adapter shows, whatever kind of server stands behind it, run against a real one. An adapter's own
 * tests cover what only its kind has; what is here is what the rest of the gateway relies on.
 *
 * A suite says what its server can be asked for (`CaseSetup`): tools/call for MCP servers, agents/call for agent
 * servers. Cases a server has nothing for are not registered, so that no test passes without having looked.
 * @module
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SwitchboardError } from '../src/core/errors.ts';
import { CATALOG_KINDS, type Upstream } from '../src/core/upstream.ts';
import { isObject } from '../src/wire/jsonrpc.ts';
import { type FakeCall, type FakeCallOptions, fakeCall } from './testing/call.ts';
import { type ContextOverrides, type FakeContext, fakeContext, fakeDetectContext } from './testing/context.ts';
import { absentOrigin, type RawServer, startMuteServer, startWebSite } from './testing/faults.ts';
import {
  codeOf,
  connectFailure,
  elsewhere,
  expectNoLeak,
  expectWellFormed,
  outcomeOf,
  resultOf,
} from './testing/outcome.ts';
import type { CaseSetup, OptionalCases } from './testing/setup.ts';

export { codeOf, resultOf } from './testing/outcome.ts';
export type { CaseRequest, CaseSetup, OptionalCases } from './testing/setup.ts';

/** Runs the suite. `setup` starts a fresh fixture each time; it runs twice, as one case destroys its server. */
export function behavesLikeAnUpstream(
  name: string,
  setup: () => Promise<CaseSetup>,
  optional: OptionalCases = {},
): void {
  describe(`${name} behaves like an upstream`, () => {
    let fixture: CaseSetup;
    const open = new Set<Upstream>();

    beforeAll(async () => {
      fixture = await setup();
    });
    afterAll(async () => {
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
    const newCall = (options: FakeCallOptions = {}, from: CaseSetup = fixture): FakeCall =>
      fakeCall({ ...from.call, ...options });

    it('connects within its deadline and says what it is', async () => {
      const { upstream, context } = await connect();
      expect(upstream.kind).toBe(fixture.adapter.kind);
      expect(upstream.transport).toMatch(/^(stdio|streamable-http|sse|http|in-process)$/);
      expect(upstream.protocolVersion).not.toBe('');
      expect(isObject(upstream.capabilities)).toBe(true);
      await upstream.ping(AbortSignal.timeout(10_000));
      await done(upstream);
      expect(context.downs).toEqual([]);
    });

    it('lists well-formed entries, the same ones each time, and nothing of what it does not offer', async () => {
      const { upstream } = await connect();
      for (const kind of CATALOG_KINDS) {
        const first = await upstream.catalog(kind, AbortSignal.timeout(15_000));
        const second = await upstream.catalog(kind, AbortSignal.timeout(15_000));
        const keys = first.entries.map((entry) => entry.key);
        expect(new Set(keys).size, `${kind} are listed once each`).toBe(keys.length);
        expect(
          second.entries.map((entry) => entry.key),
          `${kind} keep their order`,
        ).toEqual(keys);
        for (const entry of first.entries) expectWellFormed(kind, entry);
        const offered = fixture.offers[kind];
        if (offered) expect(keys).toEqual(expect.arrayContaining([...offered]));
        else expect(keys, `${kind} are not offered`).toEqual([]);
      }
      await done(upstream);
    });

    it('answers a call', async () => {
      const { upstream } = await connect();
      const { method, params } = fixture.echo('marker-one');
      const result = resultOf(await upstream.request(method, params, newCall()));
      expect(JSON.stringify(result)).toContain('marker-one');
      expect(result.isError).not.toBe(true);
      await done(upstream);
    });

    it('does not mix calls that run at the same time', async () => {
      const { upstream } = await connect();
      const markers = Array.from({ length: 8 }, (_, i) => `parallel-${i}-end`);
      const replies = await Promise.all(
        markers.map((marker) => {
          const { method, params } = fixture.echo(marker);
          return upstream.request(method, params, newCall());
        }),
      );
      for (const [i, reply] of replies.entries()) {
        const text = JSON.stringify(resultOf(reply));
        for (const [j, marker] of markers.entries()) expect(text.includes(marker)).toBe(i === j);
      }
      await done(upstream);
    });

    it('passes an error on precisely and leaks nothing of the server', async () => {
      const { upstream } = await connect();
      const outcome = await outcomeOf(upstream, fixture.failure, newCall());
      expect(outcome.failed).toBe(true);
      expect(outcome.text).toMatch(fixture.failure.says);
      expectNoLeak(outcome.text, fixture);
      await done(upstream);
    });

    it('makes an unknown name an error', async () => {
      const { upstream } = await connect();
      const outcome = await outcomeOf(upstream, fixture.unknown, newCall());
      expect(outcome.failed).toBe(true);
      expectNoLeak(outcome.text, fixture);
      await done(upstream);
    });

    it('settles an aborted call at once, cancels it upstream, and serves the next one', async () => {
      const { upstream, context } = await connect();
      const { method, params, started, cancelled } = fixture.slow;
      const before = { started: await started(), cancelled: await cancelled() };
      const call = newCall();
      const running = outcomeOf(upstream, { method, params: structuredClone(params) }, call);
      await vi.waitFor(async () => expect(await started()).toBe(before.started + 1), { timeout: 10_000, interval: 20 });

      const reason = new SwitchboardError('SWB_CANCELLED', 'The client cancelled the request.');
      const abortedAt = performance.now();
      call.abort(reason);
      const outcome = await running;
      expect(performance.now() - abortedAt).toBeLessThan(1_000);
      expect(outcome.thrown).toBe(reason);
      await vi.waitFor(async () => expect(await cancelled()).toBe(before.cancelled + 1), {
        timeout: 10_000,
        interval: 20,
      });

      const next = fixture.echo('after-the-abort');
      const result = resultOf(await upstream.request(next.method, next.params, newCall()));
      expect(JSON.stringify(result)).toContain('after-the-abort');
      expect(context.downs).toEqual([]);
      await done(upstream);
    });

    it('does not send a call that is aborted already', async () => {
      const { upstream } = await connect();
      const { method, params, started } = fixture.slow;
      const before = await started();
      const call = newCall();
      const reason = new SwitchboardError('SWB_CALL_TIMEOUT', 'Too late.');
      call.abort(reason);
      const outcome = await outcomeOf(upstream, { method, params: structuredClone(params) }, call);
      expect(outcome.thrown).toBe(reason);
      // A later call has been there and back: what was sent before it would have started by now.
      const next = fixture.echo('later');
      await upstream.request(next.method, next.params, newCall());
      expect(await started()).toBe(before);
      await done(upstream);
    });

    const { progress, oversize } = optional;
    if (progress) {
      it('reports the progress of a slow call to that call', async () => {
        const { upstream } = await connect();
        const [call, other] = [newCall({ wantsProgress: true }), newCall()];
        const echo = fixture.echo('meanwhile');
        const [reply] = await Promise.all([
          upstream.request(progress.method, structuredClone(progress.params), call),
          upstream.request(echo.method, echo.params, other),
        ]);
        expect(resultOf(reply).isError).not.toBe(true);
        const reports = call.notifications.filter(({ method }) => method === 'notifications/progress');
        expect(reports.length).toBeGreaterThanOrEqual(progress.atLeast);
        let last = Number.NEGATIVE_INFINITY;
        for (const { params } of reports) {
          expect(params).not.toHaveProperty('progressToken');
          expect(params?.progress).toBeTypeOf('number');
          expect(params?.progress as number).toBeGreaterThan(last);
          last = params?.progress as number;
        }
        expect(other.notifications).toEqual([]);
        await done(upstream);
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
        expect(codeOf(outcome.thrown)).toBe('SWB_REPLY_TOO_LARGE');
        const next = fixture.echo('after-the-flood');
        const result = resultOf(await upstream.request(next.method, next.params, newCall()));
        expect(JSON.stringify(result)).toContain('after-the-flood');
        await done(upstream);
      });
    }

    it('closes within its bounds, as often as asked, and leaves nothing behind', async () => {
      const { upstream, context } = await connect();
      const echo = fixture.echo('before-the-end');
      await upstream.request(echo.method, echo.params, newCall());
      const { method, params, started } = fixture.slow;
      const before = await started();
      const inFlight = outcomeOf(upstream, { method, params: structuredClone(params) }, newCall());
      await vi.waitFor(async () => expect(await started()).toBe(before + 1), { timeout: 10_000, interval: 20 });

      const closedAt = performance.now();
      await Promise.all([upstream.close(), upstream.close()]);
      await upstream.close();
      expect(performance.now() - closedAt).toBeLessThan(5_000);
      open.delete(upstream);

      expect(codeOf((await inFlight).thrown)).toBe('SWB_UPSTREAM_UNAVAILABLE');
      const late = await outcomeOf(upstream, fixture.echo('too-late'), newCall());
      expect(codeOf(late.thrown)).toBe('SWB_UPSTREAM_UNAVAILABLE');
      expect(context.downs, 'closing is not a loss').toEqual([]);
      const { leftovers } = fixture;
      if (leftovers) {
        await vi.waitFor(async () => expect(await leftovers()).toBe(0), { timeout: 10_000, interval: 50 });
      }
    });

    it('says that a server that is not there is unavailable', async () => {
      const absent = elsewhere(fixture.target, await absentOrigin(), 'switchboard-no-such-command');
      const failure = await connectFailure(fixture, fakeContext(absent, { ...fixture.context }));
      expect(codeOf(failure)).toBe('SWB_UPSTREAM_UNAVAILABLE');
      expectNoLeak(failure.message, { ...fixture, target: absent });
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
        expect(codeOf(await failed)).toBe('SWB_UPSTREAM_UNAVAILABLE');
        expect(performance.now() - startedAt).toBeLessThan(5_000);
        clearTimeout(timer);
      } finally {
        await mute.close();
      }
    });

    it('detects its own kind of server and no other', async () => {
      const site = await startWebSite();
      try {
        expect(await fixture.adapter.detect(new URL(site.origin), fakeDetectContext())).toBe(false);
        expect(await fixture.adapter.detect(new URL(await absentOrigin()), fakeDetectContext())).toBe(false);
        const { target } = fixture;
        if (target.transport !== 'stdio') {
          const context = fakeDetectContext({ headers: target.headers });
          expect(await fixture.adapter.detect(new URL(target.url), context)).toBe(true);
          const { leftovers } = fixture;
          if (leftovers) {
            await vi.waitFor(async () => expect(await leftovers()).toBe(0), { timeout: 10_000, interval: 50 });
          }
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
        await vi.waitFor(async () => expect(await started()).toBe(before + 1), { timeout: 10_000, interval: 20 });

        await doomed.kill();
        const killedAt = performance.now();
        const outcome = await inFlight;
        expect(performance.now() - killedAt).toBeLessThan(2_000);
        expect(codeOf(outcome.thrown)).toBe('SWB_UPSTREAM_UNAVAILABLE');
        expectNoLeak(outcome.text, doomed);

        const echo = doomed.echo('anyone-there');
        const next = await outcomeOf(upstream, echo, newCall({}, doomed));
        expect(codeOf(next.thrown)).toBe('SWB_UPSTREAM_UNAVAILABLE');
        expectNoLeak(next.text, doomed);
        await vi.waitFor(() => expect(context.downs.length).toBe(1), { timeout: 5_000, interval: 20 });
        await expect(upstream.ping(AbortSignal.timeout(5_000))).rejects.toThrow();
        await done(upstream);
        expect(context.downs.length).toBe(1);
      } finally {
        await doomed.stop();
      }
    });
  });
}
