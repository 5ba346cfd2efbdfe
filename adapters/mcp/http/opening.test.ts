import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it, vi } from 'vitest';
import type { ServerHabits } from '../../../src/core/adapter.ts';
import { EraChanged } from '../../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../../src/wire/jsonrpc.ts';
import { fakeCall } from '../../testing/call.ts';
import { fakeDetectContext } from '../../testing/context.ts';
import { mcpAdapter } from '../index.ts';
import { connections, textOf, toolCall } from '../testing/connected.ts';
import { type Incoming, startScripted } from '../testing/scripted.ts';

const { connect, closing } = connections();

const fine = ({ message, result }: Incoming): boolean => {
  if (message.method !== 'tools/call') return false;
  result({ content: [{ type: 'text', text: 'fine' }] });
  return true;
};

/** The first member a strict server does not know, in the words of the Java SDK. */
function unrecognized(capabilities: unknown, elicitation: readonly string[]): string | undefined {
  if (!isObject(capabilities)) return undefined;
  const members = (name: string): string[] => (isObject(capabilities[name]) ? Object.keys(capabilities[name]) : []);
  const unknown = [...members('sampling'), ...members('elicitation').filter((name) => !elicitation.includes(name))];
  return (
    unknown[0] && `Unrecognized field "${unknown[0]}" (class McpSchema$ClientCapabilities), not marked as ignorable`
  );
}

const refuses400 = ({ response }: Incoming, words: string): void => {
  response.writeHead(400, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonRpcError: { code: -32600, message: `Invalid message format: ${words}` } }));
};
const refusesRpc = ({ error }: Incoming, words: string): void => error(-32603, words);

const EVERYTHING = {
  sampling: { tools: {}, context: {} },
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
  tasks: {},
};
const envelope = { protocolVersion: '2026-07-28', clientCapabilities: EVERYTHING };

describe('a server that reads client capabilities strictly', () => {
  const strict = async (elicitation: readonly string[], refuse: (incoming: Incoming, words: string) => void) =>
    closing(
      await startScripted({
        era: 'legacy',
        sessionId: 'session-1',
        first(incoming) {
          const { method, params } = incoming.message;
          const words = method === 'initialize' ? unrecognized(params?.capabilities, elicitation) : undefined;
          if (words !== undefined) refuse(incoming, words);
          return words !== undefined;
        },
        on: fine,
      }),
    );
  const declared = (server: { posted: { message: Incoming['message'] }[] }): unknown[] =>
    server.posted
      .filter(({ message }) => message.method === 'initialize')
      .map(({ message }) => message.params?.capabilities);

  it.each([
    ['Java SDK 1, HTTP 400', ['form', 'url'], refuses400, 'modes'],
    ['Java SDK 0.17, HTTP 400', [], refuses400, 'features'],
    ['Java SDK 0.17, a JSON-RPC error', [], refusesRpc, 'features'],
  ] as const)('is asked again with less, which is remembered: %s', async (_name, elicitation, refuse, declares) => {
    const server = await strict(elicitation, refuse);
    const learned: ServerHabits[] = [];
    const { upstream } = await connect(server.url, { envelope, learned: (habits) => learned.push(habits) });
    expect(textOf(await upstream.request(...toolCall('x'), fakeCall()))).toBe('fine');
    expect(learned).toEqual([{ declares }]);
    expect(declared(server)[0]).toEqual(EVERYTHING);
    const last = {
      roots: { listChanged: true },
      sampling: {},
      elicitation: declares === 'modes' ? EVERYTHING.elicitation : {},
    };
    expect(declared(server).at(-1)).toEqual(last);

    server.posted.length = 0;
    await connect(server.url, { envelope, habits: { declares } });
    expect(declared(server)).toEqual([last]);
  });

  it('gets what a caller declares in the session of its own, with less where it refuses that', async () => {
    const server = await strict([], refuses400);
    const { upstream } = await connect(server.url, { isolation: 'caller' });
    server.posted.length = 0;
    for (const capabilities of [{}, { roots: {} }, { sampling: { tools: {} } }] satisfies JsonObject[]) {
      const caller = { key: JSON.stringify(capabilities), capabilities };
      expect(textOf(await upstream.request(...toolCall('x'), fakeCall({ caller })))).toBe('fine');
    }
    expect(declared(server)).toEqual([{}, { roots: {} }, { sampling: {} }]);
  });

  it('that takes nothing at all is opened with nothing, and one that refuses that too fails with its first words', async () => {
    let takes = true;
    const server = closing(
      await startScripted({
        era: 'legacy',
        first({ message, error }) {
          if (message.method !== 'initialize') return false;
          const empty = Object.keys(message.params?.capabilities as JsonObject).length === 0;
          if (empty && takes) return false;
          error(-32602, empty ? 'It is not that' : 'Bad capabilities', 422);
          return true;
        },
        on: fine,
      }),
    );
    const learned: ServerHabits[] = [];
    await connect(server.url, { envelope, learned: (habits) => learned.push(habits) });
    expect(learned).toEqual([{ declares: 'nothing' }]);
    takes = false;
    await expect(connect(server.url, { envelope })).rejects.toThrow(/Bad capabilities/);
  });

  it('is not asked again where the refusal is about something else', async () => {
    const server = closing(
      await startScripted({
        era: 'legacy',
        first({ message, error }) {
          if (message.method !== 'initialize') return false;
          error(-32601, 'Method not found');
          return true;
        },
      }),
    );
    await expect(connect(server.url, { envelope })).rejects.toThrow(/Method not found/);
    expect(declared(server)).toHaveLength(1);
  });
});

/** One transport of the TypeScript SDK for every client. */
async function startOneTransport() {
  const sdk = new Server({ name: 'one', version: '1' }, { capabilities: { tools: {} } });
  sdk.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [{ name: 'x', inputSchema: { type: 'object' } }] }));
  sdk.setRequestHandler(CallToolRequestSchema, () => ({ content: [{ type: 'text', text: 'fine' }] }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => 'the-one' });
  await sdk.connect(transport as Parameters<Server['connect']>[0]);
  const http = createServer((request, response) => void transport.handleRequest(request, response));
  await new Promise<void>((listening) => http.listen(0, '127.0.0.1', listening));
  return closing({
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    close: () => {
      http.closeAllConnections();
      http.close();
    },
  });
}

/** Answers the first `initialize` alone. */
async function startOnce(refuse: (incoming: Incoming) => void) {
  let opened = false;
  return closing(
    await startScripted({
      era: 'legacy',
      sessionId: 'the-one',
      first(incoming) {
        if (incoming.message.method !== 'initialize') return false;
        if (opened) refuse(incoming);
        else opened = true;
        return incoming.response.writableEnded;
      },
      on: fine,
    }),
  );
}

describe('a server that can be opened once', () => {
  it.each([
    ['one transport of the TypeScript SDK', startOneTransport],
    ['the Swift SDK', () => startOnce(({ error }) => error(-32600, 'Server is already initialized'))],
    [
      'a singleton',
      () =>
        startOnce(({ response }) => {
          response.writeHead(500, { 'content-type': 'application/json' });
          response.end('{"error":"Internal server error","message":"Already connected to a transport"}');
        }),
    ],
  ] as const)('has its session shared by all callers, which is remembered: %s', async (_name, start) => {
    const server = await start();
    expect(await mcpAdapter.detect(new URL(server.url), fakeDetectContext())).toBe(true);
    const learned: ServerHabits[] = [];
    const { upstream, context } = await connect(server.url, {
      isolation: 'caller',
      learned: (habits) => learned.push(habits),
    });
    for (const key of ['a', 'b', 'a']) {
      const call = fakeCall({ caller: { key } });
      expect(textOf(await upstream.request(...toolCall('x'), call))).toBe('fine');
    }
    expect(learned).toEqual([{ oneSession: true }]);
    expect(context.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('is not asked for a second session where it is remembered', async () => {
    const server = await startOnce(({ error }) => error(-32600, 'Server is already initialized'));
    const { upstream } = await connect(server.url, { isolation: 'caller', habits: { oneSession: true } });
    expect(textOf(await upstream.request(...toolCall('x'), fakeCall()))).toBe('fine');
    expect(server.posted.filter(({ message }) => message.method === 'initialize')).toHaveLength(1);
  });

  it.each([
    ['found out', undefined],
    ['remembered', { oneSession: true }],
  ])('is not shared with a caller whose credentials are not the gateway’s: %s', async (_name, habits) => {
    const server = await startOnce(({ error }) => error(-32600, 'Server is already initialized'));
    const credentials = { headersFor: ({ principal }: { principal: string }) => ({ 'x-user': principal }) };
    const { upstream } = await connect(server.url, { isolation: 'caller', credentials, habits });
    await expect(upstream.request(...toolCall('x'), fakeCall())).rejects.toThrow(/already initialized/);
  });

  it('says what to do when its only session is taken', async () => {
    const server = await startOnce(({ error }) => error(-32600, 'Server is already initialized'));
    await connect(server.url);
    await expect(connect(server.url)).rejects.toThrow(/can be opened only once, and another client has its session/);
  });
});

describe('a gate that answers server/discover with 401 or 403', () => {
  it.each([401, 403])('is opened with initialize: %i', async (status) => {
    const server = closing(
      await startScripted({
        era: 'legacy',
        first({ message, response }) {
          if (message.method !== 'server/discover') return false;
          response.writeHead(status).end('unknown method');
          return true;
        },
        on: fine,
      }),
    );
    expect(await mcpAdapter.detect(new URL(server.url), fakeDetectContext())).toBe(true);
    const { upstream } = await connect(server.url);
    expect(textOf(await upstream.request(...toolCall('x'), fakeCall()))).toBe('fine');
  });

  it('has the credentials blamed when it refuses initialize as well', async () => {
    const server = closing(
      await startScripted({
        era: 'legacy',
        first({ response }) {
          response.writeHead(401).end();
          return true;
        },
      }),
    );
    await expect(connect(server.url)).rejects.toMatchObject({ code: 'SWB_UPSTREAM_AUTH' });
    await vi.waitFor(() => expect(server.posted.map(({ message }) => message.method)).toContain('initialize'));
  });
});

describe('a server that was remembered as legacy and answers initialize still', () => {
  it.each([-32020, -32022])('is connected again in its own era after the first call fails with %i', async (code) => {
    let modern = false;
    const discovered = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} } };
    const server = closing(
      await startScripted({
        era: 'legacy',
        first({ message, error, result }) {
          if (message.method === 'server/discover' && modern) result(discovered);
          else if (message.method === 'tools/call') error(code, 'Not like this', 400, { supported: ['2026-07-28'] });
          else return false;
          return true;
        },
      }),
    );
    const known = { era: 'legacy', protocolVersion: '2025-11-25' } as const;
    const { upstream, context } = await connect(server.url, { known });
    modern = true;
    await expect(upstream.request(...toolCall('x'), fakeCall())).rejects.toThrow('Not like this');
    await vi.waitFor(() => expect(context.downs).toHaveLength(1));
    expect(context.downs[0]).toBeInstanceOf(EraChanged);
  });
});

describe('a server that refuses everything with 401 or 403', () => {
  const refusing = async (status: number, type: string, body: string) =>
    closing(
      await startScripted({
        era: 'legacy',
        first({ response }) {
          response.writeHead(status, { 'content-type': type }).end(body);
          return true;
        },
      }),
    );

  it.each([
    [
      403,
      'text/plain',
      'Access is only allowed at localhost:9105',
      /forbids this \(HTTP 403\): "Access is only allowed at localhost:9105"\.$/,
    ],
    [403, 'text/html', '<p>Forbidden</p>', /forbids this \(HTTP 403\): it may not allow the credentials, the address/],
    [
      401,
      'application/json',
      '{"error":"Unknown key hunter22"}',
      /credentials it is sent, or needs some \(HTTP 401\): "Unknown key \[redacted\]"\.$/,
    ],
    [401, 'text/plain', '', /credentials it is sent, or needs some \(HTTP 401\)\.$/],
  ])('has its status, what that means and its own words in the error: %i %s %j', async (status, type, body, says) => {
    const { url } = await refusing(status, type, body);
    const target = { transport: 'http' as const, url, headers: { 'x-api-key': 'hunter22' } };
    await expect(connect(target)).rejects.toMatchObject({
      code: 'SWB_UPSTREAM_AUTH',
      message: expect.stringMatching(says),
    });
    const refusals: Error[] = [];
    const context = fakeDetectContext({ headers: target.headers, refused: (reason) => refusals.push(reason) });
    expect(await mcpAdapter.detect(new URL(url), context)).toBe(false);
    expect(refusals.map(({ message }) => message)).toEqual([expect.stringMatching(says)]);
    expect(refusals[0]?.message).toMatch(/^The server at this URL /);
  });
});
