/** What is refused without any call leaves a line in the audit as denied calls do. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { legacy, modern, modernText } from '../attacks/talk.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { audited, auditLines } from './gateway.ts';

const OPEN = 'file:///open';
const SHUT = 'file:///shut';
const HIDDEN = 'file:///hidden';

let v: RecordingUpstream;
let gateway: OwnGateway;

beforeAll(async () => {
  v = await startRecording({ resources: [OPEN, SHUT, HIDDEN] });
  const policy = {
    version: '1',
    default: 'allow',
    hide: [HIDDEN],
    resources: { [SHUT]: { action: 'deny' } },
    methods: {
      'notifications/shut': { action: 'deny' },
      'notifications/asks': { approve: true },
      'notifications/rare': { limits: [{ counter: 'rare', window: 'day', max: 1 }] },
    },
  };
  gateway = await startReadyGateway({ servers: { v: { url: v.url, kind: 'mcp', policy } }, gateway: { audit: true } });
});
afterAll(async () => {
  await gateway?.close();
  await v?.close();
});

it.each([
  ['denied', SHUT, '/resources/file:~1~1~1shut/action'],
  ['hidden', HIDDEN, '(hidden)'],
])('the audit records a subscription to a resource that is %s', async (_, uri, rule) => {
  const before = auditLines(gateway).length;
  const session = await legacy(gateway.url, undefined);
  expect((await session.request('resources/subscribe', { uri: `v+${uri}` })).message.error).toBeDefined();
  expect((await session.request('resources/subscribe', { uri: `v+${OPEN}` })).message.error).toBeUndefined();
  const line = await audited(gateway, ({ method, name }) => method === 'resources/subscribe' && name === uri);
  expect(line).toMatchObject({
    server: 'v',
    kind: 'resources',
    principal: 'local',
    era: 'legacy',
    verdict: 'deny',
    outcome: 'denied',
    policy: 'server:v',
    rule,
    argKeys: ['uri'],
  });
  expect(line.requestId).toBeDefined();
  expect(line.session).toBeDefined();
  expect(auditLines(gateway).slice(before)).toHaveLength(1);
});

it.each([
  ['notifications/shut', 1, '/methods/notifications~1shut/action', 'SWB_DENIED'],
  ['notifications/asks', 1, '/methods/notifications~1asks/approve/0', 'SWB_DENIED'],
  ['notifications/rare', 2, '/methods/notifications~1rare/limits/rare', 'SWB_RATE_LIMITED'],
])('the audit records a client’s own notification %s that is dropped', async (method, times, rule, errorCode) => {
  const session = await legacy(gateway.at('/servers/v/mcp'), undefined);
  await session.request('tools/call', { name: 'echo', arguments: {} });
  for (let i = 0; i < times; i++) await session.post({ jsonrpc: '2.0', method, params: { secret: 'value' } });
  const line = await audited(gateway, (record) => record.method === method);
  expect(line).toMatchObject({
    server: 'v',
    kind: 'methods',
    name: method,
    verdict: 'deny',
    outcome: 'denied',
    rule,
    errorCode,
  });
  expect(line).not.toHaveProperty('requestId');
  expect(JSON.stringify(line)).not.toContain('value');
});

it('the audit records a call whose arguments name a member twice', async () => {
  const called = v.of('tools/call').length;
  const params = '"name":"v__echo","arguments":{"a":1,"a":2}';
  const reply = await modernText(gateway.url, undefined, 'tools/call', 'v__echo', params);
  expect(reply.message.error?.data).toMatchObject({ code: 'SWB_DUPLICATE_KEY', key: 'a' });
  const line = await audited(gateway, ({ errorCode }) => errorCode === 'SWB_DUPLICATE_KEY');
  expect(line).toMatchObject({ server: 'v', name: 'echo', method: 'tools/call', outcome: 'error' });
  expect(v.of('tools/call').length).toBe(called);
});

it('the audit records a stream that listens to a denied resource', async () => {
  const request = modern(gateway.url, undefined, 'subscriptions/listen', {
    notifications: { resourceSubscriptions: [`v+${SHUT}`] },
  }).catch(() => undefined);
  await audited(gateway, ({ method, name }) => method === 'subscriptions/listen' && name === SHUT);
  await gateway.gateway.close();
  await request;
});
