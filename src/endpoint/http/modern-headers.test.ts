import { afterAll, beforeAll, expect, test } from 'vitest';
import { META } from '../../wire/envelope.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import {
  ENVELOPE,
  modern,
  modernHeaders,
  post,
  postModern,
  rpc,
  startEndpoint,
  type TestEndpoint,
} from '../testing/http.ts';

let endpoint: TestEndpoint;
beforeAll(async () => {
  endpoint = await startEndpoint();
});
afterAll(() => endpoint.close());

const LIST = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' };

async function refusal(message: JsonObject, headers: Record<string, string>): Promise<[number, number, unknown]> {
  const reply = await post(endpoint.url(), message, headers);
  const { id, error } = (await reply.json()) as { id: unknown; error: { code: number } };
  return [reply.status, error.code, id];
}

const without = (key: string): JsonObject =>
  rpc(7, 'tools/list', { _meta: Object.fromEntries(Object.entries(ENVELOPE).filter(([name]) => name !== key)) });

test.each([
  ['no params', rpc(7, 'tools/list')],
  ['no _meta', rpc(7, 'tools/list', {})],
  ['no protocol version', without(META.protocolVersion)],
  ['no capabilities', without(META.clientCapabilities)],
])('a request with %s is malformed: -32602, 400', async (_, message) => {
  expect(await refusal(message, LIST)).toEqual([400, -32602, 7]);
});

test('clientInfo may be missing', async () => {
  expect((await post(endpoint.url(), without(META.clientInfo), LIST)).status).toBe(200);
});

test('the error for an unknown version names it and the supported ones: -32022, 400', async () => {
  for (const version of ['v999.0.0', '2025-11-25']) {
    const message = modern(7, 'tools/list', {}, { [META.protocolVersion]: version });
    for (const headers of [{ ...LIST, 'mcp-protocol-version': version }, {}]) {
      const reply = await post(endpoint.url(), message, headers as Record<string, string>);
      expect(reply.status).toBe(400);
      expect(await reply.json()).toMatchObject({
        id: 7,
        error: { code: -32022, data: { requested: version, supported: expect.arrayContaining(['2026-07-28']) } },
      });
    }
  }
});

test('the error for an unknown version in the header alone names it too', async () => {
  const reply = await post(endpoint.url(), rpc(7, 'tools/list'), { 'mcp-protocol-version': '2031-01-01' });
  expect(await reply.json()).toMatchObject({ id: 7, error: { code: -32022, data: { requested: '2031-01-01' } } });
});

const CALL = modern(7, 'tools/call', { name: 'echo', arguments: {} });
const GOOD = modernHeaders(CALL);

test.each([
  ['no version header', { 'mcp-protocol-version': undefined }],
  ['another version in the header', { 'mcp-protocol-version': '2025-11-25' }],
  ['no Mcp-Method', { 'mcp-method': undefined }],
  ['another Mcp-Method', { 'mcp-method': 'tools/list' }],
  ['Mcp-Method in another case', { 'mcp-method': 'TOOLS/CALL' }],
  ['no Mcp-Name', { 'mcp-name': undefined }],
  ['another Mcp-Name', { 'mcp-name': 'raw' }],
  ['a broken Base64 Mcp-Name', { 'mcp-name': '=?base64?%%%?=' }],
])('%s is a mismatch: -32020, 400', async (_, changes: Record<string, string | undefined>) => {
  const headers = Object.entries({ ...GOOD, ...changes }).filter(([, value]) => value !== undefined);
  expect(await refusal(CALL, Object.fromEntries(headers) as Record<string, string>)).toEqual([400, -32020, 7]);
});

test('a body version that differs from a supported header version is a mismatch, not an unknown version', async () => {
  const message = modern(7, 'tools/list', {}, { [META.protocolVersion]: 'v999.0.0' });
  expect(await refusal(message, LIST)).toEqual([400, -32020, 7]);
});

test('an encoded Mcp-Name and white space around it are understood', async () => {
  const encoded = `=?base64?${Buffer.from('echo').toString('base64')}?=`;
  for (const name of [encoded, '  echo  ']) {
    expect((await post(endpoint.url(), CALL, { ...GOOD, 'mcp-name': name })).status).toBe(200);
  }
});

test('Mcp-Param headers reach the relay', async () => {
  await post(endpoint.url(), CALL, { ...GOOD, 'Mcp-Param-Region': 'us-west1' });
  expect(endpoint.relay.requests.at(-1)?.paramHeaders).toEqual({ 'mcp-param-region': 'us-west1' });
  await post(endpoint.url(), CALL, GOOD);
  expect(endpoint.relay.requests.at(-1)?.paramHeaders).toEqual({});
});

test.each(['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe', 'unknown/method'])(
  '%s is not a method of this era: -32601, 404',
  async (method) => {
    const message = modern(7, method);
    expect(await refusal(message, modernHeaders(message))).toEqual([404, -32601, 7]);
  },
);

test('codes of earlier revisions are not emitted', async () => {
  const read = modern(7, 'resources/read', { uri: 'x://y' });
  const unknown = await postModern(endpoint.url(), read);
  expect([unknown.status, await unknown.json()]).toMatchObject([
    200,
    { error: { code: -32602, data: { uri: 'x://y' } } },
  ]);
  for (const [code, expected] of [
    [-32002, -32602],
    [-32042, -32603],
  ]) {
    const failed = await postModern(endpoint.url(), modern(7, 'tools/call', { name: 'fail', arguments: { code } }));
    expect(await failed.json()).toMatchObject({
      error: { code: expected, message: 'from the upstream', data: { detail: 1 } },
    });
  }
});

test.each([
  [-32601, 404],
  [-32020, 400],
  [-32021, 400],
  [-32602, 200],
  [-32603, 200],
  [12, 200],
])('an upstream error %i is answered with HTTP %i', async (code, status) => {
  const failed = await postModern(endpoint.url(), modern(7, 'tools/call', { name: 'fail', arguments: { code } }));
  expect([failed.status, await failed.json()]).toMatchObject([status, { error: { code } }]);
});

test('an unforeseen error reaches the client without its message', async () => {
  const failed = await postModern(endpoint.url(), modern(7, 'tools/call', { name: 'fail', arguments: {} }));
  const text = await failed.text;
  expect(failed.status).toBe(500);
  expect(text).toContain('SWB_INTERNAL');
  expect(text).not.toMatch(/secret|10\.0\.0\.1|at /);
});
