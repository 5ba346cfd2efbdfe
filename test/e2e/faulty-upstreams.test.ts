/** Servers that answer nonsense, too much, half or nothing: a precise error for that caller, and no effect on others. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { type ClientKind, Clients, type TestClient, textOf } from './clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { expectNoLeak } from './leaks.ts';
import { until } from './until.ts';
import { type FaultyServer, startFaulty } from './upstreams/faulty.ts';

/** Calls may take this long on the servers below whose names begin with `hasty`: those of faults that only this time ends. */
const HASTY = { timeoutMs: 400, maxTimeoutMs: 400 };

let faulty: FaultyServer;
let v1: HttpFixture;
let gateway: OwnGateway;
let bystander: TestClient;
const clients = new Clients();

beforeAll(async () => {
  [faulty, v1] = await Promise.all([startFaulty(), startV1Http()]);
  const child = { command: process.execPath, args: [join(import.meta.dirname, 'upstreams/faulty-child.ts')] };
  gateway = await startReadyGateway({
    servers: {
      faulty: { url: faulty.url },
      hasty: { url: faulty.url, ...HASTY },
      child,
      hastychild: { ...child, ...HASTY },
      v1: { url: v1.url },
    },
  });
  bystander = await clients.connect('v1', { http: gateway.url });
});
afterEach(async () => {
  expect(textOf(await bystander.call('v1__echo', { text: 'undisturbed' }))).toBe('undisturbed');
});
afterAll(async () => {
  await clients.close();
  await gateway?.close();
  await Promise.all([faulty?.close(), v1?.close()]);
});

/** The precise error a call fails with; fails the test when it is no such thing. */
async function faultOf(client: TestClient, tool: string): Promise<{ code: string; message: string }> {
  const error = (await client.call(tool).then(
    (result) => {
      throw new Error(`${tool} succeeded: ${JSON.stringify(result).slice(0, 200)}`);
    },
    (thrown: unknown) => thrown,
  )) as { message: string; data?: { code?: string; server?: string } };
  const [server = ''] = tool.split('__');
  expect(error.data, `${tool}: ${error.message}`).toMatchObject({ code: expect.stringMatching(/^SWB_/), server });
  expectNoLeak(JSON.stringify([error.message, error.data]));
  expect(JSON.stringify([error.message, error.data])).not.toMatch(
    /hunter2|10\.9\.8\.7|\/srv\/|secret-realm|169\.254|boom/,
  );
  return { code: error.data?.code ?? '', message: error.message };
}

/** What each fault is called. */
const CODES: Record<string, RegExp> = {
  html: /UPSTREAM_(PROTOCOL|HTTP)/,
  error_page: /UPSTREAM_HTTP/,
  error_text: /UPSTREAM_HTTP/,
  empty: /UPSTREAM_PROTOCOL/,
  accepted: /UPSTREAM_(PROTOCOL|HTTP)/,
  half_json: /UPSTREAM_PROTOCOL/,
  half_frame: /UPSTREAM_/,
  stream_without_answer: /UPSTREAM_/,
  other_id: /UPSTREAM_PROTOCOL/,
  big_line: /REPLY_TOO_LARGE/,
  big_body: /REPLY_TOO_LARGE/,
  redirect: /UPSTREAM_HTTP/,
  unauthorized: /UPSTREAM_AUTH/,
  reset: /UPSTREAM_UNAVAILABLE/,
  closed_mid_body: /UPSTREAM_UNAVAILABLE/,
  closed_mid_stream: /UPSTREAM_/,
  no_http: /UPSTREAM_/,
  silence: /CALL_TIMEOUT/,
};

const toolOf = (fault: string): string => `${fault === 'silence' ? 'hasty' : 'faulty'}__${fault}`;

describe.each<ClientKind>(['v1', 'v2-modern'])('a %s client, of a server over HTTP', (kind) => {
  it.each(Object.keys(CODES))('whose reply is: %s', async (fault) => {
    const client = await clients.connect(kind, { http: gateway.url });
    for (const server of ['faulty', 'hasty']) await gateway.reaches(server, 'ready');
    const before = faulty.calls.get(fault) ?? 0;
    const { code } = await faultOf(client, toolOf(fault));
    expect(code).toMatch(CODES[fault] as RegExp);
    // The call may have run there, so it is not sent again.
    expect(faulty.calls.get(fault)).toBe(before + 1);
    await gateway.reaches('faulty', 'ready');
    expect(textOf(await client.call('faulty__fine'))).toBe('fine');
  });

  it('whose error is text in a success: it is passed on without its stack', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    const error = await client.call('faulty__error_body').catch((thrown: Error) => thrown);
    expect(String(error)).toMatch(/Error: boom$/);
    expectNoLeak(String(error));
  });
});

describe('a stdio server', () => {
  const back = (client: TestClient, server = 'child'): Promise<unknown> =>
    until(
      async () => textOf(await client.call(`${server}__fine`).catch(() => ({ content: [] }))).startsWith('fine'),
      'the child to be back',
    );

  it.each<[ClientKind, string, string]>([
    ['v1', 'noise', 'after the noise'],
    ['v2-modern', 'stderr', 'after much on stderr'],
  ])('answers a %s client among other output: %s', async (kind, fault, says) => {
    const client = await clients.connect(kind, { http: gateway.url });
    await back(client);
    expect(textOf(await client.call(`child__${fault}`))).toBe(says);
  });

  // Each end of a child makes the pause before its next start longer: every fault is seen by one client.
  it.each<[ClientKind, string, RegExp, string?]>([
    ['v1', 'other_id', /CALL_TIMEOUT/, 'hastychild'],
    ['v2-modern', 'silence', /CALL_TIMEOUT/, 'hastychild'],
    ['v1', 'big_line', /REPLY_TOO_LARGE|UPSTREAM_/],
    ['v2-modern', 'half_line', /UPSTREAM_/],
    ['v1', 'exit', /UPSTREAM_/],
    ['v2-modern', 'crash', /UPSTREAM_/],
  ])('gives a %s client an error that names the fault: %s', async (kind, fault, expected, server = 'child') => {
    const client = await clients.connect(kind, { http: gateway.url });
    await back(client, server);
    expect((await faultOf(client, `${server}__${fault}`)).code).toMatch(expected);
    await back(client, server);
  });
});

it('many faulty servers at once disturb no call of a healthy one', async () => {
  const client = await clients.connect('v2-modern', { http: gateway.url });
  for (const server of ['faulty', 'hasty']) await gateway.reaches(server, 'ready');
  const kinds = ['html', 'half_json', 'big_body', 'silence', 'error_text', 'other_id'];
  const bad = kinds.map((fault) =>
    client.call(toolOf(fault)).then(
      () => 'succeeded',
      () => 'failed',
    ),
  );
  const good = Array.from({ length: 10 }, () => client.call('faulty__fine').then(textOf));
  expect(await Promise.all(good)).toEqual(good.map(() => 'fine'));
  expect(await Promise.all(bad)).toEqual(bad.map(() => 'failed'));
});
