/** Runs that end in every way they can. */
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { codeOf } from '../cases.ts';
import { fakeCall } from '../testing/call.ts';
import {
  type Answer,
  call,
  cancels,
  connect,
  endAll,
  failure,
  frame,
  json,
  STREAM,
  sends,
  streamed,
  text,
} from './testing/scripted-server.ts';

afterEach(endAll);

describe('a run', () => {
  const VALUES = frame('values', {
    messages: [
      { type: 'human', content: 'x' },
      { type: 'ai', content: 'done' },
    ],
  });

  it('is followed through odd but valid events', async () => {
    const odd = `: hello\r\nevent: metadata\r\ndata: {"run_id":\r\ndata: "run-1"}\r\nid: 0\r\n\r\n${frame('feedback', {})}${frame('values|sub:1', { messages: [{ type: 'ai', content: 'of a subgraph' }] })}${VALUES}`;
    const { upstream } = await connect({ [STREAM]: streamed(odd) });
    expect(await call(upstream)).toMatchObject({ status: 'completed', text: 'done', runId: 'run-1' });
  });

  it.each([
    ['running', 'SWB_UPSTREAM_UNAVAILABLE', /broke off/],
    ['interrupted', 'SWB_AGENT_FAILED', /cancelled on its server/],
    ['error', 'SWB_AGENT_FAILED', /without saying why/],
    ['timeout', 'SWB_AGENT_FAILED', /ran out of its server's time/],
    ['something', 'SWB_UPSTREAM_PROTOCOL', /does not answer as/],
  ])('whose stream ends while it is %s has not succeeded', async (status, code, message) => {
    const { upstream, seen } = await connect({ [STREAM]: streamed(VALUES), 'GET /threads/*/runs/*': json({ status }) });
    expect(await failure(call(upstream))).toMatchObject({ code, message: expect.stringMatching(message) });
    await vi.waitFor(() => expect(cancels(seen)).toBe(1));
  });

  it.each([
    [
      'breaks off in the middle of a frame',
      streamed('event: values\ndata: {"mess', (r) => r.destroy()),
      'SWB_UPSTREAM_UNAVAILABLE',
    ],
    ['sends what is no JSON', streamed('event: values\ndata: {"__interrupt__"\n\n'), 'SWB_UPSTREAM_PROTOCOL'],
    ['sends too large an event', streamed(`data: ${'x'.repeat(9_000)}`, () => {}), 'SWB_REPLY_TOO_LARGE'],
    [
      'sends too much in total',
      streamed(frame('values', 'x'.repeat(7_000)).repeat(80), () => {}),
      'SWB_REPLY_TOO_LARGE',
    ],
  ] as [string, Answer, string][])('that %s is cancelled, and not sent again', async (_, answer, code) => {
    const { upstream, seen } = await connect({ [STREAM]: answer }, { maxReplyBytes: 8_192 });
    expect(codeOf(await failure(call(upstream)))).toBe(code);
    await vi.waitFor(() => expect(cancels(seen)).toBe(1));
    expect(sends(seen)).toBe(1);
  });

  it.each([
    [
      'a page for people',
      (r: ServerResponse) => void r.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
      'SWB_UPSTREAM_PROTOCOL',
      /LangGraph/,
    ],
    [
      'a failure',
      text('Error: "private words" in /srv/x.py\n  at y', 500),
      'SWB_UPSTREAM_HTTP',
      /^Server 'fixture' answered HTTP 500: Error: "\[input\]" in \[path\]$/,
    ],
    ['too many calls', text('slow down', 429, { 'retry-after': '2' }), 'SWB_UPSTREAM_HTTP', /429/],
    ['a refusal', text('no', 401), 'SWB_UPSTREAM_AUTH', /credentials/],
    [
      'no such assistant',
      text('No assistant found for "graph-1".', 404),
      'SWB_UNKNOWN_AGENT',
      /has no agent 'graph-1'/,
    ],
    ['no such route', text('404 Not Found', 404), 'SWB_UPSTREAM_HTTP', /404/],
    [
      'what does not validate, in Python',
      json({ detail: [{ loc: ['body', 'config'], msg: 'not a dict' }] }, 422),
      'SWB_INVALID_PARAMS',
      /body\.config: not a dict/,
    ],
  ] as [string, Answer, string, RegExp][])(
    'answered with %s is an error that says so, and is not sent again',
    async (_, answer, code, message) => {
      const { upstream, seen } = await connect({ [STREAM]: answer });
      expect(await failure(call(upstream))).toMatchObject({ code, message: expect.stringMatching(message) });
      expect(sends(seen)).toBe(1);
    },
  );

  it('on a busy thread reports it, for the Python server too', async () => {
    const { upstream } = await connect({
      [STREAM]: json({ detail: 'busy' }, 409),
      'GET /threads/*': json({ status: 'busy' }),
    });
    expect(await failure(call(upstream, { threadId: 't' }))).toMatchObject({
      code: 'SWB_UPSTREAM_HTTP',
      message: expect.stringContaining("Thread 't' is busy"),
    });
  });

  it('settles at once although the server hangs on everything', async () => {
    const hang = (): void => {};
    const { upstream, seen } = await connect({
      [STREAM]: streamed(VALUES, hang),
      'POST /threads/*/runs/*/cancel': hang,
    });
    const running = fakeCall();
    const failed = failure(
      upstream.request('agents/call', { agent: 'graph-1', messages: [{ role: 'user', content: 'x' }] }, running),
    );
    await vi.waitFor(() => expect(sends(seen)).toBe(1));
    running.abort();
    expect(codeOf(await failed)).toBe('SWB_CANCELLED');
    // The cancellation is never answered either.
    await upstream.close();
  });

  it('of a lasting call is cancelled when its server is disconnected', async () => {
    const { upstream, seen } = await connect({ [STREAM]: streamed(frame('metadata', { run_id: 'run-1' }), () => {}) });
    const { promise: known, resolve: began } = Promise.withResolvers<JsonObject>();
    const lasting = Object.assign(fakeCall(), { lasting: true, began });
    const params = { agent: 'graph-1', messages: [{ role: 'user', content: 'x' }] };
    const failed = failure(upstream.request('agents/call', params, lasting));
    expect((await known).runId).toBe('run-1');
    await upstream.close();
    expect(codeOf(await failed)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect(cancels(seen)).toBe(1);
  });
});

it('a message to a graph that turns out to take data is an error that names the data', async () => {
  const { upstream } = await connect({
    [STREAM]: streamed(frame('values', { sum: null })),
    'GET /assistants/id-1/schemas': json({
      input_schema: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } } },
    }),
  });
  await upstream.catalog('agents', AbortSignal.timeout(30_000));
  // The first one runs, as nothing is known of the graph yet; the next one does not.
  const says =
    /takes data and no messages, and has run without any: set input to an object with a \(number\), b \(number\)/;
  expect(await failure(call(upstream))).toMatchObject({
    code: 'SWB_INVALID_PARAMS',
    message: expect.stringMatching(says),
  });
  expect((await failure(call(upstream))).message).toMatch(/takes data and no messages: set input/);
});

describe('interrupts', () => {
  const waiting = (value: unknown): string => frame('values', { __interrupt__: [{ id: 'a'.repeat(32), value }] });

  it('are found beside the state, where the Python server puts them', async () => {
    const body = frame('values', { plan: 'p', __interrupt__: [{ value: 'Go?', id: 'i1' }] });
    const { upstream, seen } = await connect({ [STREAM]: streamed(body) });
    expect(await call(upstream, { threadId: 't' })).toMatchObject({
      status: 'interrupted',
      interrupts: [{ id: 'i1', value: 'Go?' }],
      output: { plan: 'p' },
    });
    expect(seen.filter((key) => key === 'GET /threads/*/runs/*')).toEqual([]);
  });

  it('are not read from a text that mentions them', async () => {
    const said = { messages: [{ type: 'ai', content: 'the key is "__interrupt__"' }], '"__interrupt__"': 1 };
    const { upstream } = await connect({ [STREAM]: streamed(frame('values', said)) });
    expect(await call(upstream)).toMatchObject({ status: 'completed', text: 'the key is "__interrupt__"' });
  });

  it('are answered with values the server does not drop', async () => {
    const { upstream, bodies } = await connect({
      [STREAM]: (response, request, body) => {
        const resumed = isObject(JSON.parse(body).command);
        streamed(resumed ? frame('values', { output: 'ok' }) : waiting({ question: 'Q?', options: [true, false] }))(
          response,
          request,
          body,
        );
      },
    });
    const answer = () => ({ action: 'accept', content: { answer: 'false' } });
    expect(await call(upstream, {}, { answer })).toMatchObject({ status: 'completed', text: 'ok' });
    expect(bodies.map(({ command, if_not_exists }) => ({ command, if_not_exists }))).toEqual([
      { command: undefined, if_not_exists: 'create' },
      { command: { resume: { ['a'.repeat(32)]: false } }, if_not_exists: 'reject' },
    ]);
  });

  it('are asked a bounded number of times', async () => {
    const { upstream, bodies } = await connect({ [STREAM]: streamed(waiting('Again?')) });
    const answer = vi.fn(() => ({ action: 'accept', content: { answer: 'yes' } }));
    expect(await call(upstream, {}, { answer })).toMatchObject({ status: 'interrupted' });
    expect(answer).toHaveBeenCalledTimes(8);
    expect(bodies).toHaveLength(9);
  });

  it('are shortened when they are huge', async () => {
    const { upstream } = await connect({ [STREAM]: streamed(waiting({ question: 'Q?', bulk: 'x'.repeat(20_000) })) });
    const [interrupt] = (await call(upstream)).interrupts as JsonObject[];
    expect(interrupt).toEqual({ id: 'a'.repeat(32), message: 'Q?', omitted: expect.stringMatching(/^20\d\d\d bytes/) });
  });

  it('end the call when asking fails', async () => {
    const { upstream } = await connect({ [STREAM]: streamed(waiting('Q?')) });
    const reason = new Error('the client is gone');
    const answer = () => Promise.reject(reason);
    expect(await failure(call(upstream, {}, { answer }))).toBe(reason);
  });
});
