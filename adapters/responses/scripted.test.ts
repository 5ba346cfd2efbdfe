/** What servers with the Responses API may answer and a Mastra server does not: a scripted server in their documented shapes. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Upstream } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { type FakeCallOptions, fakeCall } from '../testing/call.ts';
import { fakeContext, fakeDetectContext } from '../testing/context.ts';
import { codeOf, resultOf } from '../testing/outcome.ts';
import { responsesAdapter } from './index.ts';

type Script =
  | { status: number; headers?: Record<string, string>; body: JsonObject }
  | { events: JsonObject[]; cut?: boolean };

let server: Server;
let url: string;
let upstream: Upstream;
let scripts: Script[] = [];
let bodies: JsonObject[] = [];

beforeAll(async () => {
  server = createServer(async (request, response) => {
    if (request.method === 'GET' && request.url === '/v1/models') {
      response.end(JSON.stringify({ object: 'list', data: [{ id: 'small', object: 'model' }, { id: 'large' }] }));
      return;
    }
    if (request.method === 'GET') {
      response.statusCode = 404;
      response.end(JSON.stringify({ error: { message: "Response with id 'resp_0' not found.", code: null } }));
      return;
    }
    bodies.push(await jsonOf(request));
    const script = scripts.shift() ?? { status: 500, body: {} };
    if ('status' in script) {
      response.writeHead(script.status, { 'content-type': 'application/json', ...script.headers });
      response.end(JSON.stringify(script.body));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of script.events) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    if (script.cut) setImmediate(() => response.destroy());
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  upstream = await responsesAdapter.connect(fakeContext({ transport: 'http', url, headers: {} }));
});
afterAll(async () => {
  await upstream?.close();
  server?.close();
  server?.closeAllConnections();
});
beforeEach(() => {
  scripts = [];
  bodies = [];
});

async function jsonOf(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as JsonObject;
}

const completed = (output: unknown[], more: JsonObject = {}): Script => ({
  events: [{ type: 'response.completed', response: { id: 'resp_1', status: 'completed', output, ...more } }],
});

const say = async (content: unknown, more: JsonObject = {}, options: FakeCallOptions = {}): Promise<JsonObject> => {
  const params = { agent: 'small', messages: [{ role: 'user', content }], ...more };
  return resultOf(await upstream.request('agents/call', params, fakeCall(options)));
};

describe('A server with the Responses API', () => {
  it('is detected by what it says of an unknown response, and lists its models as agents', async () => {
    expect(await responsesAdapter.detect(new URL(url), fakeDetectContext())).toBe(true);
    const { entries } = await upstream.catalog('agents', AbortSignal.timeout(30_000));
    expect(entries.map(({ key }) => key)).toEqual(['small', 'large']);
  });

  it('receives the model, and images and files in its own parts', async () => {
    scripts.push(completed([]));
    await say([
      { type: 'text', text: 'look' },
      { type: 'image', data: 'aGk=', mimeType: 'image/png' },
      { type: 'resource', resource: { uri: 'file:///a/b.pdf', mimeType: 'application/pdf', blob: 'aGk=' } },
      { type: 'resource_link', uri: 'https://files.example/c.pdf', name: 'c.pdf' },
    ]);
    expect(bodies[0]).toMatchObject({ model: 'small', stream: true });
    expect(bodies[0]?.input).toEqual([
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'look' },
          { type: 'input_image', image_url: 'data:image/png;base64,aGk=' },
          { type: 'input_file', filename: 'b.pdf', file_data: 'data:application/pdf;base64,aGk=' },
          { type: 'input_file', file_url: 'https://files.example/c.pdf' },
        ],
      },
    ]);
  });

  it('answers with text, sources, pictures, reasoning, tools and usage', async () => {
    const annotations = [{ type: 'url_citation', url: 'https://news.example/1', title: 'News' }];
    scripts.push(
      completed(
        [
          { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Let me look.' }] },
          { type: 'web_search_call', action: { query: 'news' } },
          { type: 'image_generation_call', result: 'aGk=', output_format: 'webp' },
          { type: 'mcp_call', name: 'add', arguments: '{"a":1}', error: 'no' },
          { type: 'strange_thing' },
          { type: 'message', content: [{ type: 'output_text', text: 'All quiet.', annotations }] },
        ],
        {
          usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5, output_tokens_details: { reasoning_tokens: 1 } },
        },
      ),
    );
    expect(await say('news?')).toEqual({
      status: 'completed',
      text: 'All quiet.',
      content: [
        { type: 'image', data: 'aGk=', mimeType: 'image/webp' },
        { type: 'resource_link', uri: 'https://news.example/1', name: 'News' },
      ],
      reasoning: 'Let me look.',
      steps: [
        { tool: 'web_search', arguments: '{"query":"news"}' },
        { tool: 'image_generation' },
        { tool: 'add', arguments: '{"a":1}', result: 'no', isError: true },
      ],
      omitted: ['Output of type strange_thing.'],
      usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5, reasoningTokens: 1 },
      runId: 'resp_1',
      threadId: 'resp_1',
    });
  });

  it('is handed a lent key as a remote MCP server among the tools', async () => {
    const lent = { url: 'http://127.0.0.1:7300/mcp', key: 'swb_lent_1', expiresAt: 0, tools: ['docs__read'] };
    const server = { type: 'mcp', server_label: 'switchboard', server_url: lent.url, authorization: 'swb_lent_1' };
    scripts.push(completed([]), completed([]));
    await say('x', {}, { lent }).catch(() => {});
    await say('x', {}, { lent: { ...lent, tools: ['docs__*'] } }).catch(() => {});
    expect(bodies.map(({ tools }) => tools)).toEqual([
      [{ ...server, require_approval: 'never', allowed_tools: ['docs__read'] }],
      [{ ...server, require_approval: 'never' }],
    ]);
  });

  it('is refused a lent key where it is an agent with tools of its own alone', async () => {
    const models = { own: { request: { agent_id: 'own' } } };
    const target = { transport: 'http', url, headers: {} } as const;
    const other = await responsesAdapter.connect(fakeContext(target, { options: { models } }));
    const lent = { url: 'http://127.0.0.1:7300/mcp', key: 'swb_lent_1', expiresAt: 0, tools: ['docs__read'] };
    const params = { agent: 'own', messages: [{ role: 'user', content: 'x' }] };
    await expect(other.request('agents/call', params, fakeCall({ lent }))).rejects.toMatchObject({
      code: 'SWB_NOT_SUPPORTED',
    });
    expect(bodies).toEqual([]);
    await other.close();
  });

  it('asks the person to approve a tool, and goes on from the response that waited', async () => {
    const request = {
      type: 'mcp_approval_request',
      id: 'mcpr_1',
      name: 'delete',
      server_label: 'files',
      arguments: '{}',
    };
    scripts.push(completed([request]));
    scripts.push(
      completed([{ type: 'message', content: [{ type: 'output_text', text: 'Deleted.' }] }], { id: 'resp_2' }),
    );
    const result = await say('clean up', {}, { answer: () => ({ action: 'accept', content: { approve: true } }) });
    expect(result).toMatchObject({ status: 'completed', text: 'Deleted.', threadId: 'resp_1', runId: 'resp_2' });
    expect(bodies[1]).toMatchObject({
      previous_response_id: 'resp_1',
      input: [{ type: 'mcp_approval_response', approval_request_id: 'mcpr_1', approve: true }],
    });
  });

  it('is interrupted by a function the client has to run, and goes on with its result', async () => {
    scripts.push(
      completed([{ type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"city":"Rome"}' }]),
    );
    scripts.push(
      completed([{ type: 'message', content: [{ type: 'output_text', text: 'Sunny.' }] }], { id: 'resp_3' }),
    );
    const waiting = await say('weather?');
    expect(waiting).toMatchObject({
      status: 'interrupted',
      interrupts: [{ id: 'call_1', reason: 'function_call', name: 'weather', arguments: '{"city":"Rome"}' }],
    });
    const answer = { type: 'function_call_output', call_id: 'call_1', output: 'sun' };
    const params = { agent: 'small', messages: [], threadId: waiting.threadId, options: { input: [answer] } };
    const result = resultOf(await upstream.request('agents/call', params, fakeCall()));
    expect(result).toMatchObject({ status: 'completed', text: 'Sunny.', threadId: 'resp_1' });
    expect(bodies[1]).toMatchObject({ previous_response_id: 'resp_1', input: [answer] });
  });

  it('returns the value of an answer in a JSON format', async () => {
    const message = { type: 'message', content: [{ type: 'output_text', text: '{"size":3}' }] };
    scripts.push(completed([message], { text: { format: { type: 'json_schema', name: 'size' } } }));
    expect((await say('size?')).output).toEqual({ size: 3 });
  });

  it('says why an answer is cut short, and that a model refused', async () => {
    const refusal = { type: 'message', content: [{ type: 'refusal', refusal: 'I will not.' }] };
    scripts.push(completed([refusal]));
    expect(await say('do it')).toMatchObject({ text: 'I will not.', finishReason: 'refusal' });
    const part = { type: 'message', content: [{ type: 'output_text', text: 'Once upon' }] };
    const cut = { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } };
    scripts.push(completed([part], cut));
    expect(await say('a story')).toMatchObject({ text: 'Once upon', finishReason: 'max_output_tokens' });
  });

  it.each([
    [401, 'SWB_UPSTREAM_AUTH'],
    [400, 'SWB_INVALID_PARAMS'],
    [429, 'SWB_UPSTREAM_HTTP'],
    [500, 'SWB_AGENT_FAILED'],
    [503, 'SWB_UPSTREAM_UNAVAILABLE'],
  ])('gives its own words for HTTP %i, without secrets, and is asked once', async (status, code) => {
    const message = 'Wrong key sk-abcdef0123456789 at http://10.0.0.7/x';
    scripts.push({ status, body: { error: { message } }, headers: { 'retry-after': '7' } });
    const failed = await say('x').catch((error: Error) => error);
    expect(codeOf(failed)).toBe(code);
    expect((failed as Error).message).toContain('Wrong key');
    expect((failed as Error).message).not.toMatch(/sk-abcdef|10\.0\.0\.7/);
    expect(bodies).toHaveLength(1);
  });

  it('fails by an error event, a failed response and a stream that breaks off', async () => {
    scripts.push({ events: [{ type: 'error', message: 'overloaded' }] });
    expect(codeOf(await say('x').catch((error) => error))).toBe('SWB_AGENT_FAILED');
    scripts.push({
      events: [{ type: 'response.failed', response: { status: 'failed', output: [], error: { message: 'bad' } } }],
    });
    expect(((await say('x').catch((error) => error)) as Error).message).toMatch(/failed: bad/);
    scripts.push({
      events: [{ type: 'response.created', response: { id: 'r', status: 'in_progress', output: [] } }],
      cut: true,
    });
    expect(codeOf(await say('x').catch((error) => error))).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect(bodies).toHaveLength(3);
  });
});
