import { afterEach, describe, expect, it, vi } from 'vitest';
import { SwitchboardError } from '../../src/core/errors.ts';
import { resultOf } from '../cases.ts';
import { fakeCall } from '../testing/call.ts';
import type { ContextOverrides } from '../testing/context.ts';
import {
  ask,
  closeAll,
  connect,
  DONE,
  event,
  events,
  failureOf,
  fakeMastra,
  finish,
  json,
  page,
  page502,
  type Route,
} from './testing/fake-mastra.ts';

afterEach(closeAll);

describe('an agent call', () => {
  const streams = async (route: Route, overrides: ContextOverrides = {}) => {
    const { server, sent } = await fakeMastra({ 'POST /api/agents/a/stream': route });
    const { upstream, context } = await connect(server.origin, overrides);
    return { upstream, context, posts: () => sent.filter(({ line }) => line.startsWith('POST')).length };
  };

  it('reads a stream however it is cut', async () => {
    const whole = [
      event('start'),
      event('text-delta', { text: 'grüße ' }),
      event('text-delta', { text: '✓' }),
      finish,
      DONE,
    ];
    const bytes = Buffer.from(whole.join(''));
    const { upstream } = await streams((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      for (let i = 0; i < bytes.length; i += 7) response.write(bytes.subarray(i, i + 7));
      response.end();
    });
    expect(await ask(upstream, true)).toEqual({
      status: 'completed',
      text: 'grüße ✓',
      runId: 'run-1',
      finishReason: 'stop',
      usage: { totalTokens: 3 },
    });
  });

  const stack = { error: { message: 'no model\n    at x (/srv/a.ts:1:2)', stack: 'Error: no model at /srv/a.ts' } };
  it.each<[string, Route, string, RegExp]>([
    ['ends without a finish', events(event('text-delta', { text: 'I' }), DONE), 'SWB_AGENT_FAILED', /ended too early/],
    ['ends at once', events(), 'SWB_AGENT_FAILED', /ended too early/],
    ['ends in half an event', events('data: {"type":"fin'), 'SWB_AGENT_FAILED', /ended too early/],
    ['is no JSON', events('data: <html>\n\n'), 'SWB_UPSTREAM_PROTOCOL', /not JSON/],
    ['is a web page', page, 'SWB_UPSTREAM_PROTOCOL', /does not answer like/],
    ['tells of an error', events(event('error', stack), DONE), 'SWB_AGENT_FAILED', /failed: no model$/],
    [
      'is stopped by a guardrail',
      events(event('tripwire', { reason: 'rude' }), DONE),
      'SWB_AGENT_FAILED',
      /guardrail.*rude/,
    ],
    ['is stopped', events(event('abort'), DONE), 'SWB_AGENT_FAILED', /stopped/],
    ['waits for nothing it names', events(event('tool-call-approval', {}), DONE), 'SWB_AGENT_FAILED', /does not name/],
  ])('fails when its stream %s', async (_what, route, code, says) => {
    const { upstream, posts } = await streams(route);
    const failure = await failureOf(ask(upstream, true));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(says);
    expect(failure.message).not.toMatch(/srv/);
    expect(posts()).toBe(1);
  });

  it('completes after an error that its run recovered from', async () => {
    const { upstream } = await streams(
      events(event('error', stack), event('text-delta', { text: 'ok' }), finish, DONE),
    );
    expect(await ask(upstream, true)).toMatchObject({ status: 'completed', text: 'ok' });
  });

  it('refuses one huge line, and text that never ends, at the limit', async () => {
    const huge = await streams(events(event('step-finish', { messages: 'x'.repeat(9_000_000) })), {
      maxReplyBytes: 1_000_000,
    });
    expect((await failureOf(ask(huge.upstream, true))).code).toBe('SWB_REPLY_TOO_LARGE');
    let closed = false;
    const endless = await streams(
      (request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const more = (): void => {
          while (!closed && response.write(event('text-delta', { text: 'y'.repeat(1_000) })));
        };
        response.on('drain', more);
        request.socket.on('close', () => {
          closed = true;
        });
        more();
      },
      { maxReplyBytes: 100_000 },
    );
    expect((await failureOf(ask(endless.upstream, true))).code).toBe('SWB_REPLY_TOO_LARGE');
    await vi.waitFor(() => expect(closed).toBe(true), { timeout: 5_000 });
  });

  it('fails at once when the connection breaks, without a second request and without reporting the server down', async () => {
    const { upstream, context, posts } = await streams((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(event('text-delta', { text: 'I' }), () => request.socket.destroy());
    });
    const failure = await failureOf(ask(upstream, true));
    expect(failure.code).toBe('SWB_UPSTREAM_UNAVAILABLE');
    await upstream.ping(AbortSignal.timeout(30_000));
    expect(posts()).toBe(1);
    expect(context.downs).toEqual([]);
  });

  it.each<[string, Route, string, RegExp]>([
    ['is a web page', page, 'SWB_UPSTREAM_PROTOCOL', /does not answer like/],
    [
      'is malformed',
      json({ error: 'Invalid request body', issues: [{ field: 'maxSteps', message: 'expected number' }] }, 400),
      'SWB_INVALID_PARAMS',
      /maxSteps: expected number/,
    ],
    ['is rate limited', json({ error: 'Slow down' }, 429, { 'retry-after': '7' }), 'SWB_UPSTREAM_HTTP', /Slow down/],
    ['is refused', json({ error: 'Forbidden' }, 403), 'SWB_UPSTREAM_AUTH', /credentials/],
    ['breaks a proxy', page502, 'SWB_UPSTREAM_UNAVAILABLE', /502/],
    ['is too long', json({ error: 'x'.repeat(200_000) }, 500), 'SWB_REPLY_TOO_LARGE', /over 100000 bytes/],
  ])('fails when its reply %s', async (_what, route, code, says) => {
    const { server, sent } = await fakeMastra({ 'POST /api/agents/a/stream': route });
    const { upstream } = await connect(server.origin, { maxReplyBytes: 100_000 });
    const failure = await failureOf(ask(upstream, false));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(says);
    expect(sent.filter(({ line }) => line.startsWith('POST'))).toHaveLength(1);
    if (code === 'SWB_UPSTREAM_HTTP') expect(failure.retryAfterMs).toBe(7_000);
  });
});

describe('a workflow that an earlier process began', () => {
  const run = { workflow: 'w', runId: 'r' };
  const LOOK = 'GET /api/workflows/w/runs/r?withNestedWorkflows=false';
  const attached = async (...answers: Route[]) => {
    const { server, sent } = await fakeMastra({ [LOOK]: (...to) => (answers.shift() ?? page502)(...to) });
    const { upstream } = await connect(server.origin);
    const outcome = upstream.request('tools/attach', { name: 'workflow-w', run }, fakeCall());
    return { outcome, lines: () => sent.map(({ line }) => line) };
  };
  const running = json({ status: 'running', steps: {} });
  const over = json({ status: 'success', result: { done: true }, steps: {} });

  it('goes on where its server is away for a moment', async () => {
    const { outcome, lines } = await attached(page502, running, page502, page502, over, page502, over);
    expect(resultOf(await outcome)).toMatchObject({ structuredContent: { done: true } });
    expect(lines().filter((line) => line.startsWith('POST'))).toEqual([]);
  });

  it('is cancelled where its server stays away, after four looks', async () => {
    const { outcome, lines } = await attached();
    expect((await failureOf(outcome)).code).toBe('SWB_UPSTREAM_UNAVAILABLE');
    await vi.waitFor(() => expect(lines()).toContain('POST /api/workflows/w/runs/r/cancel'), { timeout: 5_000 });
    expect(lines().filter((line) => line === LOOK)).toHaveLength(4);
  });
});

it('an agent whose streams cannot be reached answers as a whole, and is asked once', async () => {
  const whole = { text: 'hi', finishReason: 'stop', runId: 'r', usage: { totalTokens: 1 } };
  const { server, sent } = await fakeMastra({ 'POST /api/agents/a/generate': json(whole) });
  const { upstream } = await connect(server.origin);
  expect(await ask(upstream, false)).toMatchObject({ status: 'completed', text: 'hi', runId: 'r' });
  expect(sent.filter(({ line }) => line === 'POST /api/agents/a/generate')).toHaveLength(1);
  expect((await failureOf(ask(upstream, true))).code).toBe('SWB_UNKNOWN_AGENT');
  const waiting = {
    finishReason: 'suspended',
    runId: 'r',
    suspendPayload: { toolCallId: 't', toolName: 'x', args: {} },
  };
  const other = await fakeMastra({ 'POST /api/agents/a/generate': json(waiting) });
  const next = await connect(other.server.origin);
  expect(await ask(next.upstream, false)).toMatchObject({ status: 'interrupted', interrupts: [{ toolName: 'x' }] });
});

// A server that loads its models for fifteen seconds was closed: the ping had ten, and the look after it five.
describe('a ping that takes too long', () => {
  it('is not the loss of its server, whose calls go on', async () => {
    const asked = Promise.withResolvers<void>();
    let isBusy = false;
    const { server, sent } = await fakeMastra({
      'GET /api/system/packages': (request, response) => {
        if (isBusy) asked.resolve();
        else json({ packages: [] })(request, response);
      },
    });
    const { upstream } = await connect(server.origin);
    const before = sent.length;
    isBusy = true;
    const deadline = new AbortController();
    const ping = failureOf(upstream.ping(deadline.signal));
    await asked.promise;
    deadline.abort(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'it did not answer a ping in time'));
    expect((await ping).message).toBe('it did not answer a ping in time');
    isBusy = false;
    await upstream.ping(AbortSignal.timeout(30_000));
    expect(sent.length - before).toBe(2);
  });
});
