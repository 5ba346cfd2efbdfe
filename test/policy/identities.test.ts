/** Several persons under one grant: the grant's document binds them all, and nothing of one is another's. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HeaderAuthenticator, headerAuthenticator } from '../../src/auth/testing/header-authenticator.ts';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { denialOf, isRefused, legacy, modern } from '../attacks/talk.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { type ModernTasksHttp, startModernTasks } from '../fixtures/tasks/http-modern.ts';
import { audited } from './gateway.ts';
import { grant } from './grants.ts';

const FORM = { elicitation: { form: {} } };
const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
const ADMIN = 'an-admin-token-of-tests';

const person = (user: string, team?: string) => ({
  headers: { 'x-user': user, ...(team === undefined ? {} : { 'x-grant': team }) },
});
const ada = person('ada', 'team');
const bob = person('bob', 'team');
/** The same person under another grant. */
const adaAsGuest = person('ada', 'guests');
const eve = person('eve');
const nobody = person('mallory', 'no-such-grant');

const team = grant({
  policy: {
    version: '1',
    default: 'deny',
    tools: {
      v__echo: {},
      v__hang: {},
      v__pay: { approve: true },
      v__wire: { approve: true, approver: 'operator' },
      v__rare: { limits: [{ counter: 'rare', window: 'day', max: 1, scope: 'grant' }] },
      tasks__slow_compute: {},
    },
    methods: { 'tasks/get': {}, 'tasks/cancel': {} },
  },
});
const guests = grant({ policy: { version: '1', default: 'deny', tools: { v__echo: {} } } });

let auth: HeaderAuthenticator;
let v: RecordingUpstream;
let tasks: ModernTasksHttp;
let gateway: OwnGateway;
const hanging: (() => void)[] = [];

beforeAll(async () => {
  v = await startRecording({
    tools: ['echo', 'hang', 'pay', 'wire', 'rare', 'secret'],
    handlers: {
      'tools/call': async ({ name }) => {
        if (name === 'hang') await new Promise<void>((resolve) => hanging.push(resolve));
        return { content: [{ type: 'text', text: `${name} done` }] };
      },
    },
  });
  tasks = await startModernTasks();
  auth = headerAuthenticator();
  gateway = await startReadyGateway({
    servers: { v: { url: v.url, kind: 'mcp' }, tasks: { url: tasks.url, kind: 'mcp' } },
    gateway: {
      grants: { team: team.entry, guests: guests.entry },
      adminToken: ADMIN,
      audit: { file: 'state/audit.jsonl' },
    },
    embedded: { auth },
  });
});
afterEach(() => {
  for (const end of hanging.splice(0)) end();
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v?.close(), tasks?.close()]);
});

type Who = ReturnType<typeof person>;
const call = (who: Who, name: string, args: object = {}, more: Record<string, unknown> = {}, capabilities = {}) =>
  modern(gateway.url, who, 'tools/call', { name, arguments: args, ...more }, { capabilities });

describe('the document of a grant', () => {
  it('binds every principal who comes under it', async () => {
    for (const who of [ada, bob]) {
      expect(isRefused(await call(who, 'v__echo'))).toBe(false);
      expect(isRefused(await call(who, 'v__secret'))).toBe(true);
      const { text } = await modern(gateway.url, who, 'tools/list');
      expect([text.includes('v__echo'), text.includes('v__secret')]).toEqual([true, false]);
    }
  });

  it('is that of the grant the request came under, whoever the principal is', async () => {
    expect(isRefused(await call(ada, 'v__hang2'))).toBe(true);
    expect(isRefused(await call(adaAsGuest, 'v__rare'))).toBe(true);
    const { text } = await modern(gateway.url, adaAsGuest, 'tools/list');
    expect([text.includes('v__echo'), text.includes('v__pay')]).toEqual([true, false]);
  });

  it('does not bind a principal without a grant', async () => {
    expect(isRefused(await call(eve, 'v__secret'))).toBe(false);
  });

  it('allows nothing under a grant that is not configured', async () => {
    expect(isRefused(await call(nobody, 'v__echo'))).toBe(true);
    expect((await modern(gateway.url, nobody, 'tools/list')).text).not.toContain('v__');
  });

  it('counts all its principals together where a limit has the scope grant', async () => {
    expect(isRefused(await call(ada, 'v__rare'))).toBe(false);
    expect(denialOf(await call(bob, 'v__rare'))).toMatchObject({ code: 'SWB_RATE_LIMITED' });
  });

  it('stands in the audit beside the principal', async () => {
    await call(bob, 'v__echo', { marked: true });
    const record = await audited(gateway, ({ principal, name }) => principal === 'bob' && name === 'echo');
    expect(record).toMatchObject({ principal: 'bob', grant: 'team' });
  });
});

it('a session of one principal is unknown to the other, and to the same principal under another grant', async () => {
  const session = await legacy(gateway.url, ada);
  for (const who of [bob, adaAsGuest, eve]) {
    const reply = await send(gateway.url, {
      headers: { ...who.headers, 'mcp-session-id': session.id, 'mcp-protocol-version': '2025-11-25' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    expect([reply.status, reply.message.error?.data?.code]).toEqual([404, 'SWB_SESSION_NOT_FOUND']);
  }
  expect(isRefused(await session.request('tools/list'))).toBe(false);
});

it('a suspended call goes on for its own principal alone', async () => {
  const suspended = await call(ada, 'v__pay', { to: 'x' }, {}, FORM);
  const { resultType, requestState, inputRequests } = suspended.message.result as Record<string, object>;
  expect(resultType).toBe('input_required');
  const [key] = Object.keys(inputRequests as object) as [string];
  const answered = {
    requestState,
    inputResponses: { [key]: { action: 'accept', content: { approve: true } } },
  };
  for (const who of [bob, adaAsGuest]) {
    const reply = await call(who, 'v__pay', { to: 'x' }, answered, FORM);
    expect(isRefused(reply)).toBe(true);
  }
  expect(v.calls('pay')).toEqual([]);
  expect(isRefused(await call(ada, 'v__pay', { to: 'x' }, answered, FORM))).toBe(false);
  expect(v.calls('pay')).toHaveLength(1);
});

it("an approval lets its own principal's call through, and no other", async () => {
  const pending = denialOf(await call(ada, 'v__wire', { amount: 1 }));
  expect(pending).toMatchObject({ code: 'SWB_APPROVAL_PENDING' });
  const others = denialOf(await call(bob, 'v__wire', { amount: 1 }));
  expect(others?.approvalId).not.toBe(pending?.approvalId);
  const admin = { authorization: `Bearer ${ADMIN}` };
  const approved = await send(gateway.at(`/admin/approvals/${pending?.approvalId}/approve`), { headers: admin });
  expect(approved.message).toMatchObject({ approval: { principal: 'ada', state: 'approved' } });
  expect(denialOf(await call(bob, 'v__wire', { amount: 1 }))).toMatchObject({ code: 'SWB_APPROVAL_PENDING' });
  expect(isRefused(await call(ada, 'v__wire', { amount: 1 }))).toBe(false);
  expect(v.calls('wire')).toHaveLength(1);
});

it('a task exists for the principal who created it alone', async () => {
  const created = await modern(
    gateway.url,
    ada,
    'tools/call',
    { name: 'tasks__slow_compute', arguments: { seconds: 30 } },
    { capabilities: TASKS },
  );
  const taskId = String(created.message.result?.taskId);
  expect(taskId, JSON.stringify(created.message)).toMatch(/^tasks/);
  const get = (who: Who) =>
    modern(gateway.url, who, 'tasks/get', { taskId }, { capabilities: TASKS, headers: { 'mcp-name': taskId } });
  expect((await get(bob)).message.error?.data?.code).toBe('SWB_UNKNOWN_TASK');
  expect((await get(ada)).message.result).toMatchObject({ status: 'working' });
  await modern(gateway.url, ada, 'tasks/cancel', { taskId }, { capabilities: TASKS, headers: { 'mcp-name': taskId } });
});

it('a request without credentials gets the challenge of the authenticator', async () => {
  const refused = await modern(gateway.url, undefined, 'tools/list');
  expect(refused.status).toBe(401);
  expect(refused.headers.get('www-authenticate')).toContain('resource_metadata=');
  expect(refused.message.error).toMatchObject({ message: 'Log in at the portal.' });
});

it('a principal who is blocked is refused with 403, and loses what is open without another request', async () => {
  const cy = person('cy', 'team');
  const session = await legacy(gateway.url, cy);
  const stays = await legacy(gateway.url, bob);
  const calling = session.request('tools/call', { name: 'v__hang', arguments: {} });
  const identity = { principal: 'cy', grant: 'team', claims: {} };
  const inProcess = gateway.gateway.call('tools/call', { name: 'v__hang', arguments: {} }, { as: identity });
  await until(() => hanging.length === 2, 'the calls to be with the server');
  auth.blocked.add('cy');
  expect((await calling).message.error?.data?.code).toBe('SWB_UNAUTHENTICATED');
  const refused = await session.post({ jsonrpc: '2.0', id: 9, method: 'tools/list' });
  expect([refused.status, refused.message.error?.data?.code]).toEqual([403, 'SWB_FORBIDDEN']);
  auth.blocked.delete('cy');
  expect((await session.post({ jsonrpc: '2.0', id: 9, method: 'tools/list' })).status).toBe(404);
  expect(isRefused(await stays.request('tools/list'))).toBe(false);
  // What the embedding program calls on behalf of an identity showed no credential.
  for (const end of hanging.splice(0)) end();
  expect(await inProcess).toMatchObject({ content: [{ text: 'hang done' }] });
});
