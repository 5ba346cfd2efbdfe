/** The key a client opens the gateway with goes no further: to no server, whatever its kind, and into no log. */
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  endAll,
  frame,
  json,
  STREAM,
  serve as serveLanggraph,
  streamed,
} from '../../adapters/langgraph/testing/scripted-server.ts';
import { AGENT, json as answer, closeAll, fakeMastra, saying } from '../../adapters/mastra/testing/fake-mastra.ts';
import { newKey } from '../../src/auth/key.ts';
import { openSession, post, postModern, rpc, until, modern as withEnvelope } from '../../src/endpoint/testing/http.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type HttpFixture, startV1Http, startV1Sse, startV2Http } from '../fixtures/mcp/http.ts';

const KEY = newKey();
const SECRET = KEY.key.slice(-43);
const headers = { authorization: `Bearer ${KEY.key}` };
const closing: (() => unknown)[] = [];
const taps: (() => void)[] = [];
/** Everything a server was sent, by its name: start line, headers, body. */
const sent: Record<string, string[]> = {};
let gateway: OwnGateway;

/** What stands between the gateway and a server, and keeps what passes. */
async function tapped(name: string, url: string): Promise<string> {
  const target = new URL(url);
  sent[name] = [];
  const tap = createServer((incoming, outgoing) => {
    const chunks = [`${incoming.method} ${incoming.url} ${JSON.stringify(incoming.rawHeaders)}`];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk.toString('utf8')));
    incoming.on('end', () => sent[name]?.push(chunks.join('\n')));
    const { host: _, ...rest } = incoming.headers;
    const forwarded = httpRequest(
      { host: target.hostname, port: target.port, path: incoming.url, method: incoming.method, headers: rest },
      (reply) => {
        outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(outgoing);
      },
    );
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => tap.listen(0, '127.0.0.1', resolve));
  taps.push(() => {
    tap.closeAllConnections();
    tap.close();
  });
  return `http://127.0.0.1:${(tap.address() as AddressInfo).port}${target.pathname}`;
}

beforeAll(async () => {
  const fixtures: HttpFixture[] = await Promise.all([startV2Http('modern'), startV1Http(), startV1Sse()]);
  closing.push(...fixtures.map((fixture) => () => fixture.close()));
  const [modern, legacy, sse] = fixtures as [HttpFixture, HttpFixture, HttpFixture];
  const mastra = await fakeMastra({
    'GET /api/agents?partial=true': answer({ a: AGENT }),
    'GET /api/tools': answer({ t: { id: 't', description: 'T', requireApproval: false } }),
    'GET /api/tools/t': answer({ id: 't', description: 'T', requireApproval: false }),
    'POST /api/tools/t/execute': answer({ done: true }),
    'POST /api/agents/a/stream': saying('hi'),
  });
  const langgraph = await serveLanggraph({
    'POST /threads': (response, request, body) => {
      const { thread_id, metadata } = JSON.parse(body);
      json({ thread_id, metadata })(response, request, body);
    },
    [STREAM]: streamed(frame('values', { messages: [{ type: 'ai', content: 'hi' }] })),
  });
  gateway = await startReadyGateway({
    servers: {
      modern: { kind: 'mcp', url: await tapped('modern', modern.url) },
      legacy: { kind: 'mcp', url: await tapped('legacy', legacy.url) },
      sse: { kind: 'mcp', transport: 'sse', url: await tapped('sse', sse.url) },
      mastra: { kind: 'mastra', url: await tapped('mastra', mastra.server.origin) },
      langgraph: { kind: 'langgraph', url: await tapped('langgraph', langgraph.url) },
    },
    gateway: { grants: { ci: { key: KEY.stored } }, defaultPolicy: 'allow' },
  });
});
afterAll(async () => {
  await gateway?.close();
  for (const close of taps.splice(0)) close();
  for (const close of closing.splice(0)) await close();
  await Promise.all([endAll(), closeAll()]);
});

const CALLS: [server: string, tool: string, args: JsonObject][] = [
  ['modern', 'modern__whoami', {}],
  ['legacy', 'legacy__whoami', {}],
  ['sse', 'sse__whoami', {}],
  ['mastra', 'mastra__t', {}],
  ['mastra', 'callAgent', { agent: 'mastra/a', message: 'hello' }],
  ['langgraph', 'callAgent', { agent: 'langgraph/graph-1', message: 'hello' }],
];

describe.each(['modern', 'legacy'])('a %s client', (era) => {
  it.each(CALLS)('calls a server of kind %s with %s and shows it nothing of its key', async (server, name, args) => {
    const url = gateway.at('/mcp');
    const before = sent[server]?.length ?? 0;
    const params = { name, arguments: args };
    const reply =
      era === 'modern'
        ? await postModern(url, withEnvelope(1, 'tools/call', params), headers)
        : await post(url, rpc(1, 'tools/call', params), await openSession(url, '2025-11-25', headers));
    const text = await reply.text;
    expect(reply.status).toBe(200);
    expect(text).toContain('"content"');
    expect(text).not.toContain('"isError":true');
    expect(sent[server]?.length ?? 0).toBeGreaterThan(before);
    for (const request of Object.values(sent).flat()) {
      expect(request).not.toContain(SECRET);
      expect(request).not.toContain(`swb_${KEY.id}`);
    }
  });
});

it('credentials of servers and clients are never in the log', async () => {
  const url = gateway.at('/mcp');
  for (const authorization of [headers.authorization, `Bearer ${newKey().key}`]) {
    await (await postModern(url, withEnvelope(1, 'tools/call', { name: 'none' }), { authorization })).text;
    await (await post(url, 'not a message', { authorization })).text;
  }
  // The log reports servers that go away in the middle of a call.
  for (const close of taps.splice(0)) close();
  const params = { name: 'callAgent', arguments: { agent: 'langgraph/graph-1', message: 'hello' } };
  await (await postModern(url, withEnvelope(1, 'tools/call', params), headers)).text;
  await until(() => gateway.log() !== '', 'something is logged');
  expect(gateway.log()).not.toContain('swb_');
  expect(gateway.log()).not.toContain(SECRET);
});
