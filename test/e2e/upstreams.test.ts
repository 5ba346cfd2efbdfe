/** Every sort of MCP server is found to be what it is, and carries lists, calls, progress and log messages. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, startV1Http, startV1Sse, startV2Http } from '../fixtures/mcp/http.ts';
import { type StdioFixture, stdioFixture } from '../fixtures/mcp/stdio.ts';
import { type ClientKind, Clients, textOf } from './clients.ts';
import { type OwnGateway, type Servers, startReadyGateway } from './gateway.ts';
import { EVERYTHING, type EverythingServer, startEverything } from './upstreams/everything.ts';

const LEGACY = '2025-11-25';
const MODERN = '2026-07-28';

/** What each server is, and how it is spoken to when it is left to the gateway to find out. */
const EXPECTED: Record<string, { era: 'legacy' | 'modern'; protocolVersion: string; transport: string }> = {
  v1: { era: 'legacy', protocolVersion: LEGACY, transport: 'streamable-http' },
  v1json: { era: 'legacy', protocolVersion: LEGACY, transport: 'streamable-http' },
  v1sse: { era: 'legacy', protocolVersion: LEGACY, transport: 'sse' },
  v2: { era: 'modern', protocolVersion: MODERN, transport: 'streamable-http' },
  v2legacy: { era: 'legacy', protocolVersion: LEGACY, transport: 'streamable-http' },
  v2modern: { era: 'modern', protocolVersion: MODERN, transport: 'streamable-http' },
  child1: { era: 'legacy', protocolVersion: LEGACY, transport: 'stdio' },
  child2: { era: 'modern', protocolVersion: MODERN, transport: 'stdio' },
  child2modern: { era: 'modern', protocolVersion: MODERN, transport: 'stdio' },
};
const REFERENCE: typeof EXPECTED = {
  everything: { era: 'legacy', protocolVersion: LEGACY, transport: 'stdio' },
  everythingHttp: { era: 'legacy', protocolVersion: LEGACY, transport: 'streamable-http' },
  everythingSse: { era: 'legacy', protocolVersion: LEGACY, transport: 'sse' },
};

/** Servers that can say something before their reply: one that answers in plain JSON has no way to. */
const TALKING = Object.keys(EXPECTED).filter((name) => name !== 'v1json');

let servers: HttpFixture[];
let references: EverythingServer[];
const children = { child1: stdioFixture('v1'), child2: stdioFixture('v2'), child2modern: stdioFixture('v2-modern') };
let gateway: OwnGateway;
const clients = new Clients();

const entry = ({ target: { command, args, env } }: StdioFixture): Servers[string] => ({ command, args, env });

beforeAll(async () => {
  [servers, references] = await Promise.all([
    Promise.all([
      startV1Http(),
      startV1Http('json'),
      startV1Sse(),
      startV2Http(),
      startV2Http('legacy'),
      startV2Http('modern'),
    ]),
    Promise.all([startEverything(), startEverything('sse')]),
  ]);
  const [v1, v1json, v1sse, v2, v2legacy, v2modern] = servers.map(({ url }) => ({ url }));
  const [everythingHttp, everythingSse] = references.map(({ url }) => ({ url }));
  const all = { v1, v1json, v1sse, v2, v2legacy, v2modern, everythingHttp, everythingSse } as Servers;
  gateway = await startReadyGateway({
    servers: {
      ...all,
      everything: EVERYTHING,
      child1: entry(children.child1),
      child2: entry(children.child2),
      child2modern: entry(children.child2modern),
    },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  for (const child of Object.values(children)) {
    expect(child.children()).toEqual([]);
    child.close();
  }
  await Promise.all([...(servers ?? []).map((each) => each.close()), ...(references ?? []).map((each) => each.kill())]);
});

it.each(Object.entries({ ...EXPECTED, ...REFERENCE }))('the kind of %s is detected', (name, what) => {
  expect(gateway.status(name)).toMatchObject({ kind: 'mcp', state: 'ready', ...what });
});

describe.each<ClientKind>(['v1', 'v2-modern'])('a %s client', (kind) => {
  it.each(Object.keys(EXPECTED))('calls %s', async (server) => {
    const client = await clients.connect(kind, { http: gateway.url });
    const added = await client.call(`${server}__add`, { a: 2, b: 3 });
    expect(added).toMatchObject({ structuredContent: { sum: 5 }, content: [{ type: 'text', text: '5' }] });
    expect(textOf(await client.call(`${server}__slow`, { ms: 10, steps: 3 }, { onProgress: () => {} }))).toBe('done');
  });

  it.each(TALKING)('receives progress of %s', async (server) => {
    const client = await clients.connect(kind, { http: gateway.url });
    const heard: object[] = [];
    const slow = await client.call(
      `${server}__slow`,
      { ms: 60, steps: 3 },
      { onProgress: ({ progress, total, message }) => heard.push({ progress, total, message }) },
    );
    expect(textOf(slow)).toBe('done');
    expect(heard).toEqual([1, 2, 3].map((step) => ({ progress: step, total: 3, message: `step ${step}` })));
  });

  it.each(Object.keys(REFERENCE))('calls, and receives progress of the reference server: %s', async (server) => {
    const client = await clients.connect(kind, { http: gateway.url });
    expect(textOf(await client.call(`${server}__echo`, { message: 'hi' }))).toBe('Echo: hi');
    const image = await client.call(`${server}__get-tiny-image`);
    expect(image.content.find(({ type }) => type === 'image')).toMatchObject({ mimeType: 'image/png' });
    const structured = await client.call(`${server}__get-structured-content`, { location: 'New York' });
    expect(structured.structuredContent).toMatchObject({ temperature: expect.any(Number) });
    const heard: number[] = [];
    await client.call(
      `${server}__trigger-long-running-operation`,
      { duration: 0.3, steps: 3 },
      { onProgress: ({ progress }) => heard.push(progress) },
    );
    expect(heard).toEqual([1, 2, 3]);
  });
});

it.each(TALKING)('a legacy client receives log messages of %s from its level on', async (server) => {
  const client = await clients.connect('v1', { http: gateway.url });
  await client.request('logging/setLevel', { level: 'warning' });
  expect(textOf(await client.call(`${server}__log`))).toBe('logged');
  await expect
    .poll(() => client.heard('notifications/message'))
    .toEqual([{ level: 'warning', logger: 'fixture', data: 'a warning message' }]);
});
