/** Every official client, over every transport it has, lists and calls through the gateway. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LangchainClient, langchainClient } from '../fixtures/langgraph-2.0/client.ts';
import { type MastraClient, mastraClient } from '../fixtures/mastra/client.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { type ClientKind, connectClient, textOf } from './clients.ts';
import { gatewayFolder, type OwnGateway, startReadyGateway, stdioCommand } from './gateway.ts';
import { inSession, modernRequest, openSession, send } from './raw.ts';
import { EVERYTHING, type EverythingServer, startEverything } from './upstreams/everything.ts';

let everything: EverythingServer;
let v1: HttpFixture;
let v2: HttpFixture;
let gateway: OwnGateway;

beforeAll(async () => {
  [everything, v1, v2] = await Promise.all([startEverything(), startV1Http(), startV2Http('modern')]);
  gateway = await startReadyGateway({
    servers: { child: EVERYTHING, http: { url: everything.url }, v1: { url: v1.url }, v2: { url: v2.url } },
  });
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([everything?.kill(), v1?.close(), v2?.close()]);
});

/** One tool of each upstream, the gateway's own among them, and what each must say. */
const CALLS: [tool: string, args: Record<string, unknown>, says: string][] = [
  ['child__echo', { message: 'ping' }, 'Echo: ping'],
  ['http__get-sum', { a: 2, b: 40 }, 'The sum of 2 and 40 is 42.'],
  ['v1__echo', { text: 'to a legacy server' }, 'to a legacy server'],
  ['v2__add', { a: 20, b: 22 }, '42'],
  ['listServers', {}, 'modern'],
];

describe.each<[ClientKind, string]>([
  ['v1', '2025-11-25'],
  ['v2-auto', '2026-07-28'],
  ['v2-legacy', '2025-11-25'],
  ['v2-modern', '2026-07-28'],
])('the %s client over HTTP', (kind, version) => {
  it('negotiates, lists and calls upstreams of both eras', async () => {
    const client = await connectClient(kind, { http: gateway.url });
    try {
      expect(client.version).toBe(version);
      expect(await client.tools()).toEqual(expect.arrayContaining(CALLS.map(([tool]) => tool)));
      for (const [tool, args, says] of CALLS) {
        const result = await client.call(tool, args);
        expect(result.isError, tool).not.toBe(true);
        expect(textOf(result), tool).toContain(says);
      }
    } finally {
      await client.close();
    }
  });
});

describe.each<ClientKind>(['v1', 'v2-legacy'])('the %s client over the old HTTP+SSE transport', (kind) => {
  it('lists and calls', async () => {
    const client = await connectClient(kind, { sse: gateway.at('/sse') });
    try {
      expect(await client.tools()).toEqual(expect.arrayContaining(CALLS.map(([tool]) => tool)));
      expect(textOf(await client.call('v2__echo', { text: 'through SSE' }))).toBe('through SSE');
    } finally {
      await client.close();
    }
  });
});

describe.each<[ClientKind, string]>([
  ['v1', '2025-11-25'],
  ['v2-auto', '2026-07-28'],
  ['v2-legacy', '2025-11-25'],
  ['v2-modern', '2026-07-28'],
])('the %s client over stdio', (kind, version) => {
  it('starts the command, lists and calls', async () => {
    const folder = gatewayFolder({ servers: { v1: { url: v1.url }, v2: { url: v2.url } } });
    try {
      const client = await connectClient(kind, { stdio: stdioCommand(folder) });
      try {
        if (kind !== 'v1') expect(client.version).toBe(version);
        await expect
          .poll(() => client.tools(), { timeout: 10_000 })
          .toEqual(expect.arrayContaining(['v1__echo', 'v2__echo']));
        expect(textOf(await client.call('v1__echo', { text: 'over a pipe' }))).toBe('over a pipe');
        expect(textOf(await client.call('v2__echo', { text: 'over a pipe' }))).toBe('over a pipe');
      } finally {
        await client.close();
      }
    } finally {
      folder.remove();
    }
  });
});

describe.each<[string, (url: string) => MastraClient | LangchainClient, string]>([
  ['Mastra’s client, probing', (url) => mastraClient(url), 'gate_'],
  ['Mastra’s client, modern', (url) => mastraClient(url, '2026-07-28'), 'gate_'],
  ['Mastra’s client, legacy', (url) => mastraClient(url, 'legacy'), 'gate_'],
  ['LangChain’s client', (url) => langchainClient(url), ''],
])('%s', (_, connect, prefix) => {
  it('lists and calls upstreams of both eras', async () => {
    const client = connect(gateway.url);
    try {
      expect(await client.tools()).toEqual(expect.arrayContaining(CALLS.map(([tool]) => `${prefix}${tool}`)));
      for (const [tool, args, says] of CALLS) {
        expect(JSON.stringify(await client.call(`${prefix}${tool}`, args)), tool).toContain(says);
      }
    } finally {
      await client.close();
    }
  });
});

it('LangChain’s client lists and calls over the old HTTP+SSE transport', async () => {
  const client = langchainClient(String(gateway.at('/sse')), 'sse');
  try {
    expect(JSON.stringify(await client.call('child__echo', { message: 'old' }))).toContain('Echo: old');
  } finally {
    await client.close();
  }
});

it('forty callers who use the same ids get each their own answer', async () => {
  const sessions = await Promise.all(Array.from({ length: 40 }, () => openSession(gateway.url)));
  for (const server of ['child', 'v1', 'v2']) {
    const argument = server === 'child' ? 'message' : 'text';
    const call = (index: number) => ({ name: `${server}__echo`, arguments: { [argument]: `for caller ${index}.` } });
    const replies = await Promise.all([
      ...sessions.map((session, index) => send(gateway.url, inSession(session, 'tools/call', call(index), 1))),
      ...sessions.map((_, index) => send(gateway.url, modernRequest('tools/call', call(index), { id: 1 }))),
    ]);
    for (const [index, { message }] of replies.entries()) {
      expect(message).toMatchObject({ id: 1, result: { content: [{ type: 'text' }] } });
      expect(JSON.stringify(message.result)).toContain(`for caller ${index % sessions.length}.`);
    }
  }
});
