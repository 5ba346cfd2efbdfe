import { describe, expect, it } from 'vitest';
import { codeOf } from '../../cases.ts';
import { fakeCall, fakeCaller } from '../../testing/call.ts';
import { connections, textOf, toolCall } from '../testing/connected.ts';
import { type Incoming, startScripted } from '../testing/scripted.ts';

const { connect, closing } = connections();

const rpc = (code: number, message: string, id: unknown = null): string =>
  JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } });

/** Status, type and body with which a server refuses a session it does not know. */
type Refusal = readonly [status: number, type: string, body: string, headers?: Record<string, string>];

const JSON_TYPE = 'application/json';
const GONE: readonly (readonly [name: string, refusal: Refusal])[] = [
  ['TypeScript SDK', [404, JSON_TYPE, rpc(-32001, 'Session not found')]],
  ['TypeScript SDK, examples', [400, JSON_TYPE, rpc(-32000, 'Bad Request: No valid session ID provided')]],
  ['TypeScript SDK, restarted', [400, JSON_TYPE, rpc(-32000, 'Bad Request: Server not initialized')]],
  ['Python SDK 1.8 to 1.25', [400, 'text/plain', 'Bad Request: No valid session ID provided']],
  [
    'Python SDK, the transport',
    [404, JSON_TYPE, rpc(-32600, 'Not Found: Invalid or expired session ID', 'server-error')],
  ],
  ['Python SDK, missing', [400, JSON_TYPE, rpc(-32600, 'Bad Request: Missing session ID', 'server-error')]],
  ['rmcp up to 0.16', [401, 'text/plain', 'Unauthorized: Session not found']],
  ['rmcp later', [404, 'text/plain', 'Not Found: Session not found']],
  ['Ruby SDK 0.2 to 0.8', [400, JSON_TYPE, '{"error":"Invalid session ID"}']],
  ['Ruby SDK later', [404, JSON_TYPE, '{"error":"Session not found"}']],
  ['Go SDK', [404, 'text/plain; charset=utf-8', 'session not found\n']],
  ['mcp-go', [400, 'text/plain; charset=utf-8', 'Invalid session ID\n']],
  ['mcp-go, terminated', [404, 'text/plain', 'Session terminated']],
  ['Java SDK', [404, JSON_TYPE, '{"jsonRpcError":{"code":-32603,"message":"Session not found: 7"}}']],
  ['Java SDK, missing', [400, JSON_TYPE, '{"jsonRpcError":{"code":-32600,"message":"Session ID missing"}}']],
  ['Kotlin SDK', [400, JSON_TYPE, rpc(-32000, 'Bad Request: No valid session ID provided')]],
  ['C# SDK', [404, JSON_TYPE, rpc(-32001, 'Session not found', '')]],
  ['PHP SDK', [404, JSON_TYPE, rpc(-32600, 'Session not found or has expired.', '')]],
  ['Swift SDK', [404, JSON_TYPE, rpc(-32600, 'Not Found: Session has been terminated')]],
  ['a proxy that keeps sessions apart', [410, 'text/plain', 'Gone']],
];

const KNOWN: readonly (readonly [name: string, refusal: Refusal, code: string])[] = [
  [
    '401 with a challenge',
    [401, 'text/plain', 'Session expired', { 'www-authenticate': 'Bearer' }],
    'SWB_UPSTREAM_AUTH',
  ],
  ['401 about signing in', [401, JSON_TYPE, '{"message":"Session expired, please sign in"}'], 'SWB_UPSTREAM_AUTH'],
  ['401 without a word', [401, 'text/plain', ''], 'SWB_UPSTREAM_AUTH'],
  ['403 about the session', [403, 'text/plain', 'Session not found'], 'SWB_UPSTREAM_AUTH'],
  ['400 about the arguments', [400, 'text/plain', 'Missing argument: path'], 'SWB_UPSTREAM_HTTP'],
  ['400 with a page', [400, 'text/html', '<p>Session not found</p>'], 'SWB_UPSTREAM_HTTP'],
  ['500 about the session', [500, 'text/plain', 'Session not found'], 'SWB_UPSTREAM_HTTP'],
];

/** Refuses calls in the first session, if `lost` says so, and answers them in every other. */
async function start([status, type, body, headers]: Refusal) {
  let opened = 0;
  const ran: string[] = [];
  const server = closing(
    await startScripted({
      era: 'legacy',
      first({ message, request, response }: Incoming) {
        const session = request.headers['mcp-session-id'];
        if (message.method === 'initialize') {
          opened++;
          response.writeHead(200, { 'content-type': JSON_TYPE, 'mcp-session-id': `session-${opened}` });
          const result = {
            protocolVersion: '2025-06-18',
            capabilities: { tools: {} },
            serverInfo: { name: 'x', version: '1' },
          };
          response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
          return true;
        }
        if (message.method !== 'tools/call') return false;
        if (session === lost.id) {
          response.writeHead(status, { 'content-type': type, ...headers }).end(body);
        } else {
          ran.push(String(session));
          const result = { content: [{ type: 'text', text: 'fine' }] };
          response.writeHead(200, { 'content-type': JSON_TYPE });
          response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
        }
        return true;
      },
    }),
  );
  const lost: { id: string | undefined } = { id: undefined };
  return { server, ran, lost, opened: () => opened };
}

describe('a session the server has lost', () => {
  it.each(GONE)('is opened once more, and the call sent once more, as %s says it', async (_name, refusal) => {
    for (const isolation of ['shared', 'caller'] as const) {
      const { server, ran, lost, opened } = await start(refusal);
      const { upstream, context } = await connect(server.url, { isolation });
      const caller = fakeCaller();
      const call = () => upstream.request(...toolCall('x'), fakeCall({ caller }));
      await call();
      const before = opened();
      lost.id = `session-${before}`;
      expect(textOf(await call()), isolation).toBe('fine');
      expect(opened(), isolation).toBe(before + 1);
      expect(ran, isolation).toEqual([lost.id, `session-${before + 1}`]);
      expect(context.downs).toEqual([]);
    }
  });

  it.each(KNOWN)('is not taken for lost: %s', async (_name, refusal, code) => {
    const { server, lost, opened } = await start(refusal);
    const { upstream } = await connect(server.url);
    lost.id = 'session-1';
    const failed = await upstream.request(...toolCall('x'), fakeCall()).catch((error: Error) => error);
    expect(codeOf(failed as Error)).toBe(code);
    expect(opened()).toBe(1);
    expect(server.posted.filter(({ message }) => message.method === 'tools/call')).toHaveLength(1);
  });
});
