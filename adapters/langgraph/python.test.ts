/**
 * What the Python server (`langgraph-api`) is documented to do differently from the JavaScript one, as recorded exchanges: it
 * cannot run in these tests. Bodies are those of its documentation and of LangChain's serialisation, shortened.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { fakeCall } from '../testing/call.ts';
import {
  type Answer,
  call,
  connect,
  endAll,
  failure,
  frame,
  json,
  STREAM,
  streamed,
  text,
} from './testing/scripted-server.ts';

afterEach(endAll);

const INFO = json({
  version: '0.19.0rc6',
  langgraph_py_version: '1.2.11',
  flags: { assistants: true, crons: false, langsmith: false, langsmith_tracing_replicas: true },
});
const ASSISTANT = json([
  {
    assistant_id: 'fe096781-5601-53d2-b2f6-0d3403f7e9ca',
    graph_id: 'agent',
    config: {},
    context: {},
    metadata: { created_by: 'system' },
    name: 'agent',
    created_at: '2026-10-01T00:00:00+00:00',
    updated_at: '2026-10-01T00:00:00+00:00',
    version: 1,
    description: null,
  },
]);
const server = (routes: Record<string, Answer>) =>
  connect({ 'GET /info': INFO, 'POST /assistants/search': ASSISTANT, ...routes });
const ask = { agent: 'agent' };

/** Messages as Python writes them: every field of the class is there. */
const human = (content: unknown) => ({
  content,
  additional_kwargs: {},
  response_metadata: {},
  type: 'human',
  name: null,
  id: 'h1',
  example: false,
});
const ai = (content: unknown, more = {}) => ({
  content,
  additional_kwargs: {},
  response_metadata: { finish_reason: 'stop', model_name: 'm' },
  type: 'ai',
  name: null,
  id: 'run--1',
  example: false,
  tool_calls: [],
  invalid_tool_calls: [],
  usage_metadata: null,
  ...more,
});

describe('the Python server', () => {
  it('says what it is, and lists its assistants', async () => {
    const { upstream } = await server({});
    expect(upstream.serverInfo).toMatchObject({ version: '0.19.0rc6', langgraph_py_version: '1.2.11' });
    const { entries } = await upstream.catalog('agents', AbortSignal.timeout(30_000));
    expect(entries.map(({ key }) => key)).toEqual(['agent']);
  });

  it('sends comments as heartbeats, a last event without data, and subgraph events with their namespace', async () => {
    const whole = [
      ai('', {
        tool_calls: [{ name: 'search', args: { q: 'sky' }, id: 'call_1', type: 'tool_call' }],
        usage_metadata: { input_tokens: 1, output_tokens: 2, total_tokens: 3, input_token_details: { cache_read: 0 } },
      }),
      {
        content: 'blue',
        type: 'tool',
        name: 'search',
        id: 't1',
        tool_call_id: 'call_1',
        artifact: null,
        status: 'success',
      },
      ai([
        { type: 'text', text: 'It is blue.', annotations: [] },
        { type: 'image', base64: 'aGk=', mime_type: 'image/png' },
        { type: 'reasoning', reasoning: 'Look up.' },
      ]),
    ];
    const body = [
      ': heartbeat\n\n',
      frame('metadata', { run_id: '1f0c1a5e-0000-6000-8000-000000000000', attempt: 1 }),
      frame('messages|tools:1f0c', [ai('inner'), { langgraph_node: 'model', checkpoint_ns: 'tools:1f0c|model:2a' }]),
      ': heartbeat\n\n',
      frame('values|tools:1f0c', { messages: [ai('inner')] }),
      frame('values', { messages: [human('what colour?'), ...whole] }),
      'event: end\ndata: \n\n',
    ].join('');
    const { upstream } = await server({ [STREAM]: streamed(body) });
    const running = fakeCall({ wantsProgress: true });
    const params = { agent: 'agent', messages: [{ role: 'user', content: 'what colour?' }], stream: true };
    const reply = await upstream.request('agents/call', params, running);
    expect(reply).toMatchObject({
      value: {
        status: 'completed',
        text: 'It is blue.',
        content: [{ type: 'image', data: 'aGk=', mimeType: 'image/png' }],
        reasoning: 'Look up.',
        finishReason: 'stop',
        usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 },
        steps: [{ tool: 'search', arguments: { q: 'sky' }, result: 'blue' }],
      },
    });
    expect(running.notifications.map(({ params: sent }) => sent?.message)).toEqual(['inner']);
  });

  it('puts interrupts beside the state, and asks in snake case', async () => {
    const value = {
      action_requests: [{ name: 'send', args: { to: 'ada' }, description: 'A mail' }],
      review_configs: [{ action_name: 'send', allowed_decisions: ['approve', 'reject'] }],
    };
    const seen: unknown[] = [];
    const { upstream } = await server({
      [STREAM]: (response, request, body) => {
        const { command } = JSON.parse(body);
        seen.push(command);
        const values = command
          ? { messages: [ai('sent')] }
          : { messages: [human('go')], __interrupt__: [{ value, id: '8fa2a1c5' }] };
        streamed(frame('values', values))(response, request, body);
      },
    });
    const answer = () => ({ action: 'accept', content: { decision: 'approve' } });
    expect(await call(upstream, ask, { answer })).toMatchObject({ status: 'completed', text: 'sent' });
    expect(seen).toEqual([undefined, { resume: { decisions: [{ type: 'approve' }] } }]);
  });

  it.each<[string, Answer, string, RegExp]>([
    ['an unknown assistant', json({ detail: 'Assistant not found' }, 404), 'SWB_UNKNOWN_AGENT', /has no agent 'agent'/],
    [
      'what does not validate',
      json(
        { detail: [{ type: 'list_type', loc: ['body', 'interrupt_before'], msg: 'Input should be a valid list' }] },
        422,
      ),
      'SWB_INVALID_PARAMS',
      /interrupt_before: Input should be a valid list/,
    ],
    ['no rights', json({ detail: 'Forbidden' }, 403), 'SWB_UPSTREAM_AUTH', /credentials/],
    ['a full queue', json({ detail: 'Too many requests' }, 429, { 'retry-after': '3' }), 'SWB_UPSTREAM_HTTP', /429/],
    ['an end of its own', text('Internal Server Error', 500), 'SWB_UPSTREAM_HTTP', /500/],
    [
      'a failure of the graph',
      streamed(frame('error', { error: 'ValueError', message: 'no such city at /deps/agent/graph.py:12' })),
      'SWB_AGENT_FAILED',
      /ValueError: no such city$/,
    ],
  ])('answers with %s, which is an error that says so', async (_, answer, code, message) => {
    const { upstream } = await server({ [STREAM]: answer });
    expect(await failure(call(upstream, ask))).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('a server without assistants', () => {
  const routes = {
    'POST /assistants/search': text('404 Not Found', 404),
    [STREAM]: streamed(frame('values', { messages: [ai('hi')] })),
  };

  it('offers the graphs of its configuration, which are called by their ids', async () => {
    const { upstream, bodies } = await connect(routes, { options: { graphs: ['echo', 'add'] } });
    const { entries } = await upstream.catalog('agents', AbortSignal.timeout(30_000));
    expect(entries.map(({ key }) => key)).toEqual(['add', 'echo']);
    expect(await call(upstream, { agent: 'echo' })).toMatchObject({ text: 'hi' });
    expect(bodies[0]?.assistant_id).toBe('echo');
    await upstream.ping(AbortSignal.timeout(30_000));
  });

  it('says that a message may not have been heard where nothing tells what the graph takes', async () => {
    const silent = { ...routes, [STREAM]: streamed(frame('values', { sum: null })) };
    const { upstream } = await connect(silent, { options: { graphs: ['add'] } });
    expect(await call(upstream, { agent: 'add' })).toMatchObject({
      status: 'completed',
      omitted: [expect.stringMatching(/^the message, perhaps/)],
    });
  });

  it('cannot be connected without them', async () => {
    expect(await failure(connect(routes))).toMatchObject({ code: 'SWB_UPSTREAM_HTTP' });
  });
});
