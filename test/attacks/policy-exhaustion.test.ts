/** A client that names ten thousand things, and one that sends what is dear to look at: memory and time stay bounded. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/core/caller.ts';
import { identityOf } from '../../src/core/identity.ts';
import { cpuClock } from '../../src/core/testing/cpu.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { envelope, send } from '../e2e/raw.ts';
import { grant } from '../policy/grants.ts';
import { type Params, type RecordingUpstream, startRecording } from './recording-upstream.ts';
import { denialOf, isRefused, modern } from './talk.ts';

const ADMIN = 'an-admin-token-of-tests';
const MANY = 10_000;

const always = (path: string, op: string, value: unknown) => [{ conditions: [{ path, op, value }] }];
const key = grant({
  policy: {
    version: '1',
    default: 'deny',
    hide: ['v__hidden*', 'v+file:///hidden/*'],
    tools: {
      v__pay: { approve: true, approval_timeout: '1h' },
      v__counted: { limits: [{ counter: 'c', window: 'minute', max: 1, scope: 'session' }] },
      v__looked: {
        deny_if: [
          ...always('args.a', 'regex', '^(a+)+$'),
          ...always('args.b', 'contains', 'needle'),
          ...always(
            'args.c',
            'in',
            Array.from({ length: 1_000 }, (_, i) => `v${i}`),
          ),
          ...always('args.d', 'eq', 'x'.repeat(4_000)),
        ],
        approve: always('args.e', 'exists', true),
        redact: ['args.*.secret', 'args.*.*.secret', 'args.list.*'],
        schema: {
          type: 'object',
          properties: { list: { type: 'array', uniqueItems: true }, tree: { $ref: '#/$defs/tree' } },
          $defs: {
            tree: { anyOf: [{ type: 'array', items: { $ref: '#/$defs/tree' } }, { type: 'number' }] },
          },
        },
      },
    },
    resources: { 'v+file:///open/*': {} },
  },
});
const other = grant({ policy: { version: '1', default: 'deny', tools: { v__pay: { approve: true }, v__free: {} } } });

let v: RecordingUpstream;
let gateway: OwnGateway;

beforeAll(async () => {
  v = await startRecording({ tools: ['pay', 'counted', 'looked', 'free'], templates: ['file:///{+path}'] });
  gateway = await startReadyGateway({
    servers: { v: { url: v.url, kind: 'mcp' } },
    gateway: { grants: { key: key.entry, other: other.entry }, adminToken: ADMIN },
  });
});
afterAll(async () => {
  await gateway?.close();
  await v?.close();
});

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;
const heap = (): number => {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
};

const caller = (session: string): Caller => ({
  key: `key\n${session}`,
  principal: 'key',
  identity: identityOf('key'),
  era: 'modern',
  protocolVersion: '2026-07-28',
  capabilities: {},
  clientInfo: undefined,
  logLevel: undefined,
  sessionId: undefined,
});

/** As an endpoint hands it over: ten thousand HTTP requests would measure the test's own client. */
async function handle(method: string, params: Params, session = 's'): Promise<void> {
  const { relay, federation } = gateway.gateway;
  await relay
    .handle({
      caller: caller(session),
      view: federation.all,
      request: { jsonrpc: '2.0', id: 1, method, params },
      channel: { notify() {} },
    })
    .result.catch(() => {});
  // As between requests that arrive over a wire.
  if (++handled % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
}
let handled = 0;

const text = 'x'.repeat(400);
it.each<[string, (i: number) => [method: string, params: Params, session?: string]]>([
  ['resources', (i) => ['resources/read', { uri: `v+file:///shut/${i}${text}` }]],
  ['hidden resources', (i) => ['resources/read', { uri: `v+file:///hidden/${i}${text}` }]],
  ['spellings of one resource', (i) => ['resources/read', { uri: `v+FILE:///${'./'.repeat(i % 200)}hidden/${i}` }]],
  ['tools', (i) => ['tools/call', { name: `v__hidden${i}${text}`, arguments: {} }]],
  ['prompts', (i) => ['prompts/get', { name: `v__p${i}${text}` }]],
  ['things to complete', (i) => ['completion/complete', { ref: { type: 'ref/resource', uri: `v+x://${i}${text}` } }]],
  ['calls to approve', (i) => ['tools/call', { name: 'v__pay', arguments: { i, text } }]],
  ['made-up states', (i) => ['tools/call', { name: 'v__pay', arguments: {}, requestState: `s${i}${text}` }]],
  ['sessions', (i) => ['tools/call', { name: 'v__pay', arguments: {} }, `s${i}${text}`]],
])('ten thousand %s leave a bounded amount of memory behind', async (_, request) => {
  for (let i = 0; i < 3_000; i++) await handle(...request(i));
  const before = heap();
  for (let i = 3_000; i < 3_000 + MANY; i++) await handle(...request(i));
  expect(heap() - before).toBeLessThan(4 * 1024 * 1024);
});

it('a flood of approvals takes none from another grant', async () => {
  const mine = denialOf(await modern(gateway.url, other, 'tools/call', { name: 'v__pay', arguments: {} }));
  for (let i = 0; i < 500; i++) await handle('tools/call', { name: 'v__pay', arguments: { flood: i } });
  const { message } = await send(gateway.at('/admin/approvals'), {
    method: 'GET',
    headers: { authorization: `Bearer ${ADMIN}` },
  });
  const listed = message.approvals as { id: string; principal: string }[];
  expect(listed.filter(({ principal }) => principal === 'key').length).toBeLessThanOrEqual(32);
  expect(listed.map(({ id }) => id)).toContain(mine?.approvalId);
});

describe('arguments that are expensive to check', () => {
  const nested = (depth: number): string => `${'['.repeat(depth)}1${']'.repeat(depth)}`;
  const wide = (n: number, item: (i: number) => string): string => `[${Array.from({ length: n }, (_, i) => item(i))}]`;
  it.each<[string, string]>([
    ['half a megabyte against a pattern that others run for ever', `{"a":"${'a'.repeat(500_000)}!"}`],
    ['a long list to look through', `{"b":${wide(100_000, (i) => `"${i}"`)}}`],
    ['a long list of objects', `{"b":${wide(50_000, (i) => `{"${i}":${i}}`)}}`],
    ['a list that must have no item twice', `{"list":${wide(30_000, (i) => `{"a":${i}}`)}}`],
    ['a tree as deep as may be', `{"tree":${nested(500)},"d":${nested(500)},"e":1}`],
    ['a tree that is too deep', `{"tree":${nested(50_000)}}`],
    [
      'many members to redact',
      `{${Array.from({ length: 50_000 }, (_, i) => `"m${i}":{"secret":1,"n":{"secret":2}}`)}}`,
    ],
    ['members called after prototypes', '{"__proto__":{"a":"aa"},"constructor":{"prototype":{"a":1}},"e":1}'],
    ['numbers without end', `{"c":${'9'.repeat(100_000)},"e":1}`],
  ])('%s', async (_, args) => {
    const cpu = cpuClock();
    const params = `{"name":"v__looked","arguments":${args},"_meta":${JSON.stringify(envelope())}}`;
    const dear = send(gateway.url, {
      headers: {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'v__looked',
        ...key.headers,
      },
      body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`,
    });
    const reply = await dear;
    expect(reply.status, reply.text.slice(0, 200)).toBeLessThan(500);
    expect(reply.text).not.toContain('SWB_INTERNAL');
    expect(isRefused(await modern(gateway.url, other, 'tools/call', { name: 'v__free', arguments: {} }))).toBe(false);
    expect(cpu()).toBeLessThan(3_000);
    expect(({} as Params).a).toBeUndefined();
  });
});
