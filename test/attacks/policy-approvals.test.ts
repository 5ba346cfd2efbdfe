/** Round the approvals: what a person has not allowed does not happen, and what was allowed happens once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AGENT, json as answer, closeAll, fakeMastra, saying } from '../../adapters/mastra/testing/fake-mastra.ts';
import { type ClientKind, Clients, type ToolResult } from '../e2e/clients.ts';
import { type OwnGateway, type Servers, startReadyGateway } from '../e2e/gateway.ts';
import { send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { edit } from '../policy/gateway.ts';
import { grant } from '../policy/grants.ts';
import { type Params, type RecordingUpstream, RpcFailure, startRecording } from './recording-upstream.ts';
import { denialOf, isRefused, legacy, modern, nextAsk } from './talk.ts';

const ADMIN = 'an-admin-token-of-tests';
const TOKEN = 'a-gateway-token-of-tests';
const CONTENT = { content: [{ type: 'text', text: 'done' }] };
const FORM = { elicitation: { form: {} } };

const document = {
  version: '1',
  default: 'deny',
  tools: {
    v__pay: { approve: true, approval_timeout: '1h', redact: ['args.card'] },
    v__other: { approve: true },
    v__free: {},
    v__brief: { approve: true, approval_timeout: '1s' },
    v__slow: { approve: true, approver: 'operator' },
    m__ask: { approve: true },
    v__page: { approve: true },
    callAgent: {},
    gone__pay: { approve: true },
  },
  agents: { mastra__a: { approve: true } },
};
const [one, two] = [grant({ policy: document }), grant({ policy: document })];
const section = (policy: object = document): Record<string, unknown> => ({
  grants: { one: { ...one.entry, policy }, two: { ...two.entry, policy } },
  adminToken: ADMIN,
  token: TOKEN,
});

let v: RecordingUpstream;
let m: RecordingUpstream;
let gone: RecordingUpstream;
let agent: Awaited<ReturnType<typeof fakeMastra>>;
let servers: Servers;
let gateway: OwnGateway;
let pageOpened = false;
const clients = new Clients();

beforeAll(async () => {
  v = await startRecording({
    tools: ['pay', 'other', 'free', 'brief', 'slow', 'page'],
    handlers: {
      'tools/call': ({ name }: Params) => {
        if (name !== 'page' || pageOpened) return CONTENT;
        const elicitations = [{ mode: 'url', url: 'https://example.com/', message: 'Open it.', elicitationId: '1' }];
        throw new RpcFailure(-32042, 'Open a page first.', { elicitations });
      },
    },
  });
  m = await startRecording({
    era: 'modern',
    tools: ['ask'],
    handlers: {
      'tools/call': ({ requestState }: Params) => {
        if (requestState !== undefined) return CONTENT;
        const params = { message: '?', requestedSchema: { type: 'object', properties: {} } };
        return {
          resultType: 'input_required',
          requestState: 'upstream-state',
          inputRequests: { q: { method: 'elicitation/create', params } },
        };
      },
    },
  });
  agent = await fakeMastra({
    'GET /api/agents?partial=true': answer({ a: AGENT }),
    'GET /api/tools': answer({}),
    'POST /api/agents/a/stream': saying('hi'),
  });
});
beforeEach(async () => {
  gone = await startRecording({ tools: ['pay'] });
  servers = {
    v: { url: v.url, kind: 'mcp', concurrency: 1 },
    m: { url: m.url, kind: 'mcp' },
    gone: { url: gone.url, kind: 'mcp' },
    mastra: { url: agent.server.origin, kind: 'mastra' },
  };
  gateway = await startReadyGateway({ servers, gateway: section() });
  v.heard.length = 0;
  m.heard.length = 0;
  agent.sent.length = 0;
});
afterEach(async () => {
  await clients.close();
  await gateway?.close();
  await gone?.close();
});
afterAll(async () => {
  await Promise.all([v?.close(), m?.close()]);
  await closeAll();
});

type Key = typeof one;
const pay = (args: Params = { to: 'Ada' }, key: Key = one, name = 'v__pay', capabilities: object = {}) =>
  modern(gateway.url, key, 'tools/call', { name, arguments: args }, { capabilities });

const admin = (path: string, headers: Record<string, string> = {}, method = 'POST') =>
  send(gateway.at(path), { method, headers: { authorization: `Bearer ${ADMIN}`, ...headers } });
const decide = async (id: string, effect: 'approve' | 'deny'): Promise<void> => {
  expect((await admin(`/admin/approvals/${id}/${effect}`)).status).toBe(200);
};
const waiting = (): Promise<string> =>
  until(async () => {
    const { message } = await admin('/admin/approvals?state=pending', {}, 'GET');
    return (message.approvals as { id: string }[] | undefined)?.[0]?.id;
  }, 'a call to wait for approval');

const agentsRun = (): number => agent.sent.filter(({ line }) => line.includes('/stream')).length;

describe.each<ClientKind>(['v1', 'v2-legacy', 'v2-modern'])('the person at a %s client', (kind) => {
  const connect = (elicit: (params: Params) => Params | Promise<Params>) =>
    clients.connect(kind, { http: gateway.url, headers: one.headers }, { elicit });

  it('allows a call once, and is asked again for the next', async () => {
    const asked: string[] = [];
    const client = await connect(({ message }) => {
      asked.push(String(message));
      return { action: 'accept', content: { approve: true } };
    });
    const result = await client.call('v__pay', { to: 'Ada', card: '4111-1111' });
    expect(result.isError).toBeUndefined();
    await client.call('v__pay', { to: 'Ada', card: '4111-1111' });
    expect(v.calls('pay')).toHaveLength(2);
    expect(asked).toHaveLength(2);
    expect(asked[0]).toContain('"Ada"');
    expect(asked.join()).not.toContain('4111');
  });

  it.each<[string, Params]>([
    ['declines', { action: 'decline' }],
    ['puts it away', { action: 'cancel' }],
    ['accepts without approving', { action: 'accept', content: { approve: false } }],
    ['accepts with words', { action: 'accept', content: { approve: 'true' } }],
  ])('%s, and the call is not made', async (_, reply) => {
    const client = await connect(() => reply);
    const result = (await client.call('v__pay', { to: 'Ada' }).catch((error: Error) => ({
      // A client library may refuse to send an answer that does not fit the form.
      isError: true,
      content: [{ type: 'text', text: error.message }],
    }))) as ToolResult;
    expect(result.isError).toBe(true);
    expect(v.calls('pay')).toEqual([]);
  });

  it('does not answer in time, and the call is not made whatever is answered later', async () => {
    const late = Promise.withResolvers<Params>();
    const asked = Promise.withResolvers<void>();
    const client = await connect(() => {
      asked.resolve();
      return late.promise;
    });
    const calling = client.call('v__brief', {}).catch(() => undefined);
    if (kind !== 'v2-modern') {
      const result = await calling;
      expect(result?.isError).toBe(true);
    } else {
      // From then on at the latest its second runs.
      await asked.promise;
      await new Promise((resolve) => setTimeout(resolve, 1_300));
    }
    late.resolve({ action: 'accept', content: { approve: true } });
    const result = await calling;
    expect(result?.isError ?? true).toBe(true);
    expect(v.calls('brief')).toEqual([]);
  });

  it('is not asked what only the operator decides', async () => {
    let asked = 0;
    const client = await connect(() => {
      asked++;
      return { action: 'accept', content: { approve: true } };
    });
    const result = await client.call('v__slow', {});
    expect(result._meta?.['switchboard/denial']).toMatchObject({ code: 'SWB_APPROVAL_PENDING' });
    expect(asked).toBe(0);
    expect(v.calls('slow')).toEqual([]);
  });

  it('holds no place in the queue while thinking', async () => {
    const thinking = Promise.withResolvers<Params>();
    const asked = Promise.withResolvers<void>();
    const client = await connect(() => {
      asked.resolve();
      return thinking.promise;
    });
    const calling = client.call('v__pay', { to: 'Ada' });
    await asked.promise;
    // The server takes one call at a time.
    expect(isRefused(await pay({}, two, 'v__free'))).toBe(false);
    thinking.resolve({ action: 'accept', content: { approve: true } });
    expect((await calling).isError).toBeUndefined();
  });

  it('is asked before callAgent calls an agent', async () => {
    const answers: Params[] = [{ action: 'decline' }, { action: 'accept', content: { approve: true } }];
    const asked: string[] = [];
    const client = await connect(({ message }) => {
      asked.push(String(message));
      return answers.shift() ?? { action: 'cancel' };
    });
    const call = { agent: 'mastra/a', message: 'hello' };
    expect((await client.call('callAgent', call)).isError).toBe(true);
    expect(agentsRun()).toBe(0);
    expect((await client.call('callAgent', call)).isError).toBeUndefined();
    expect(agentsRun()).toBe(1);
    expect(asked).toHaveLength(2);
    expect(asked[0]).toContain('Agent:');
  });

  it('approves what a policy has denied meanwhile, and the call is not made', async () => {
    const thinking = Promise.withResolvers<Params>();
    const asked = Promise.withResolvers<void>();
    const client = await connect(() => {
      asked.resolve();
      return thinking.promise;
    });
    const calling = client.call('v__pay', { to: 'Ada' }).catch(() => ({ isError: true }));
    await asked.promise;
    const forbidding = { ...document, tools: { ...document.tools, v__pay: { action: 'deny' } } };
    await edit(gateway, servers, section(forbidding));
    thinking.resolve({ action: 'accept', content: { approve: true } });
    expect((await calling).isError).toBe(true);
    expect(v.calls('pay')).toEqual([]);
  });

  it('answers what a modern server asks after the approval, and is not asked for another one', async () => {
    const asked: string[] = [];
    const client = await connect(({ message }) => {
      asked.push(String(message));
      return { action: 'accept', content: message === '?' ? {} : { approve: true } };
    });
    expect((await client.call('m__ask', {})).isError).toBeUndefined();
    expect(asked).toHaveLength(2);
    expect(m.calls('ask')).toHaveLength(2);
  });
});

describe('forged answers of a client', () => {
  const asking = async (name = 'v__pay', args: Params = { to: 'Ada' }) => {
    const { message } = await pay(args, one, name, name === 'v__page' ? { elicitation: { form: {}, url: {} } } : FORM);
    const state = message.result?.requestState as string;
    if (!state) throw new Error(JSON.stringify(message) + gateway.log().slice(-3000));
    expect(state).toMatch(/^swb1\./);
    const [question] = Object.keys(message.result?.inputRequests as object);
    return { state, question: question as string };
  };
  const yes = { action: 'accept', content: { approve: true } };
  const retry = (requestState: string, inputResponses: Params, over: Params = {}, key: Key = one) =>
    modern(
      gateway.url,
      key,
      'tools/call',
      { name: 'v__pay', arguments: { to: 'Ada' }, requestState, inputResponses, ...over },
      { capabilities: FORM },
    );

  it('that are for another call, changed, of another principal or invented let no call through', async () => {
    const { state, question } = await asking();
    const { state: foreign } = await asking('v__other', {});
    const all = { [question]: yes };
    for (const reply of [
      await retry(state, all, { arguments: { to: 'Eve' } }),
      await retry(state, all, { name: 'v__other' }),
      await retry(foreign, all),
      await retry(state, all, {}, two),
      await retry(`${state}x`, all),
      await retry(state.replace('swb1.', 'swbu1.'), all),
      await modern(
        gateway.at('/servers/v/mcp'),
        one,
        'tools/call',
        { name: 'pay', arguments: { to: 'Ada' }, requestState: state, inputResponses: all },
        { capabilities: FORM },
      ),
    ]) {
      expect(isRefused(reply) || reply.message.result?.resultType === 'input_required', reply.text).toBe(true);
    }
    expect(v.of('tools/call')).toEqual([]);
    // An answer to another question is none.
    const again = await retry(state, { other: yes, __proto__: yes });
    expect(again.message.result).toMatchObject({ resultType: 'input_required' });
    expect(v.of('tools/call')).toEqual([]);
  });

  it('at the same time let one call through', async () => {
    const { state, question } = await asking();
    const replies = await Promise.all(Array.from({ length: 20 }, () => retry(state, { [question]: yes })));
    expect(replies.filter((reply) => !isRefused(reply))).toHaveLength(1);
    expect(v.calls('pay')).toHaveLength(1);
    expect(isRefused(await retry(state, { [question]: yes }))).toBe(true);
    expect(v.calls('pay')).toHaveLength(1);
  });

  it('of a session: another id, twice, before the question, and from another session', async () => {
    const [mine, other] = [
      await legacy(gateway.url, one, { capabilities: FORM }),
      await legacy(gateway.url, one, { capabilities: FORM }),
    ];
    const say = (session: typeof mine, id: number | string) => session.post({ jsonrpc: '2.0', id, result: yes });
    for (const id of [1, 2, 3]) await say(mine, id);
    const asked = nextAsk(gateway);
    const calling = mine.request('tools/call', { name: 'v__brief', arguments: {} }, 7);
    await asked;
    for (const id of [0, 2, 7, -1, '1']) await say(mine, id);
    await say(other, 1);
    // The elicitation, whose id is 1, gets no answer and times out.
    expect(denialOf(await calling)).toMatchObject({ code: 'SWB_APPROVAL_DENIED' });
    expect(v.calls('brief')).toEqual([]);
    for (let i = 0; i < 2; i++) await say(mine, 1);
    expect(v.calls('brief')).toEqual([]);
  });

  it('that a page was opened, after the approval, go through once', async () => {
    const { state, question } = await asking('v__page', {});
    const call = (params: Params) =>
      modern(
        gateway.url,
        one,
        'tools/call',
        { name: 'v__page', arguments: {}, ...params },
        { capabilities: { elicitation: { form: {}, url: {} } } },
      );
    const asked = await call({ requestState: state, inputResponses: { [question]: yes } });
    const requestState = asked.message.result?.requestState as string;
    expect(requestState).toMatch(/^swbu1\./);
    const opened = { requestState, inputResponses: { 'elicitation-create-1': { action: 'accept' } } };
    pageOpened = true;
    const replies = await Promise.all(Array.from({ length: 10 }, () => call(opened)));
    expect(v.calls('page')).toHaveLength(2);
    expect(replies.filter(({ message }) => message.result?.resultType === 'complete')).toHaveLength(1);
  });

  it('to a modern server after the approval count once', async () => {
    const { state, question } = await asking('m__ask', {});
    const call = (params: Params) =>
      modern(gateway.url, one, 'tools/call', { name: 'm__ask', arguments: {}, ...params }, { capabilities: FORM });
    const asked = await call({ requestState: state, inputResponses: { [question]: yes } });
    expect(asked.message.result).toMatchObject({ resultType: 'input_required' });
    const answers = { requestState: asked.message.result?.requestState, inputResponses: { q: yes } };
    const replies = await Promise.all(Array.from({ length: 10 }, () => call(answers)));
    expect(replies.filter(({ message }) => message.result?.resultType === 'complete')).toHaveLength(1);
    expect(m.calls('ask')).toHaveLength(2);
    expect(m.calls('ask')[1]).toMatchObject({ requestState: 'upstream-state' });
    // A replay is another call: it has to be approved.
    expect((await call(answers)).message.result?.requestState).toMatch(/^swb1\./);
    expect(m.calls('ask')).toHaveLength(2);
  });
});

it('a client that declares elicitation and refuses it is treated like one without it', async () => {
  const session = await legacy(gateway.url, one, { capabilities: FORM, accept: 'application/json' });
  const call = () => session.request('tools/call', { name: 'v__pay', arguments: { to: 'Ada' } });
  const pending = denialOf(await call());
  expect(pending).toMatchObject({ code: 'SWB_APPROVAL_PENDING' });
  await decide(pending?.approvalId as string, 'approve');
  expect(isRefused(await call())).toBe(false);
  expect(isRefused(await call())).toBe(true);
  expect(v.calls('pay')).toHaveLength(1);
});

describe('an approval of an operator', () => {
  it.each(['the HTTP API', 'the command'])('lets one call through, by %s, also when twenty come', async (by) => {
    const id = denialOf(await pay())?.approvalId as string;
    expect(id).toMatch(/^apr_/);
    if (by === 'the command') await runApprovals('approve', id);
    else await decide(id, 'approve');
    const replies = await Promise.all(Array.from({ length: 20 }, () => pay()));
    expect(replies.filter((reply) => !isRefused(reply))).toHaveLength(1);
    expect(v.calls('pay')).toHaveLength(1);
    expect(denialOf(await pay())).toMatchObject({ code: 'SWB_APPROVAL_PENDING' });
    expect(v.calls('pay')).toHaveLength(1);
  });

  it('lets no other call through', async () => {
    const id = denialOf(await pay({ to: 'Ada', n: 1 }))?.approvalId as string;
    await decide(id, 'approve');
    for (const reply of [
      await pay({ to: 'Eve', n: 1 }),
      await pay({ to: 'Ada', n: '1' }),
      await pay({ to: 'Ada', n: 1, more: null }),
      await pay({ to: 'Ada', n: 1 }, one, 'v__other'),
      await pay({ to: 'Ada', n: 1 }, two),
    ]) {
      expect(denialOf(reply)).toMatchObject({ code: 'SWB_APPROVAL_PENDING' });
    }
    expect(v.of('tools/call')).toEqual([]);
    // The order of its arguments is nothing.
    expect(isRefused(await pay({ n: 1, to: 'Ada' }))).toBe(false);
  });

  it('does not outlive the policy it was asked for under', async () => {
    const id = denialOf(await pay())?.approvalId as string;
    await decide(id, 'approve');
    await edit(gateway, servers, section({ ...document, description: 'Another one.' }));
    expect(denialOf(await pay())).toMatchObject({ code: 'SWB_APPROVAL_PENDING' });
    expect(v.calls('pay')).toEqual([]);
  });

  it('that is a denial refuses the call until it expires', async () => {
    const id = denialOf(await pay())?.approvalId as string;
    await decide(id, 'deny');
    for (let i = 0; i < 3; i++) expect(denialOf(await pay())).toMatchObject({ code: 'SWB_APPROVAL_DENIED' });
    expect((await admin(`/admin/approvals/${id}/approve`)).status).toBeGreaterThanOrEqual(400);
    expect(v.calls('pay')).toEqual([]);
  });

  it('is given back when the server was not reachable', async () => {
    const call = () => pay({}, one, 'gone__pay');
    const id = denialOf(await call())?.approvalId as string;
    await decide(id, 'approve');
    await gone.close();
    const failed = await call();
    expect(failed.message.error).toBeDefined();
    const { message } = await admin(`/admin/approvals/${id}`, {}, 'GET');
    expect(message.approval).toMatchObject({ state: 'approved' });
  });

  it('is needed for agents that callAgent calls', async () => {
    const call = () => pay({ agent: 'mastra/a', message: 'hello' }, one, 'callAgent');
    const refused = await call();
    expect(refused.message.result?.isError).toBe(true);
    expect(agentsRun()).toBe(0);
    await decide(await waiting(), 'approve');
    expect(isRefused(await call())).toBe(false);
    expect(isRefused(await call())).toBe(true);
    expect(agentsRun()).toBe(1);
  });

  it('can be decided with the admin token alone', async () => {
    const id = denialOf(await pay({ to: 'Ada', card: '4111-1111' }))?.approvalId as string;
    const path = `/admin/approvals/${id}/approve`;
    const wrong: Record<string, string>[] = [
      { authorization: '' },
      { authorization: `Bearer ${one.key}` },
      { authorization: `Bearer ${TOKEN}` },
      { origin: 'http://localhost:3000' },
      // A page of the gateway's own has no credential but the token it sends.
      { origin: new URL(gateway.url).origin, authorization: '' },
      { origin: new URL(gateway.url).origin, authorization: `Bearer ${one.key}` },
      { origin: `${new URL(gateway.url).origin}0` },
    ];
    for (const headers of wrong) {
      expect([401, 403]).toContain((await admin(path, headers)).status);
    }
    expect((await admin(`${path}?token=${ADMIN}`, { authorization: '' })).status).toBe(401);
    const { text } = await admin(`/admin/approvals/${id}`, {}, 'GET');
    expect(text).toContain('Ada');
    expect(text).not.toContain('4111');
    expect(denialOf(await pay({ to: 'Ada', card: '4111-1111' }))).toMatchObject({ code: 'SWB_APPROVAL_PENDING' });
    // Nor is it a key of the gateway.
    expect((await modern(gateway.url, { headers: { authorization: `Bearer ${ADMIN}` } }, 'tools/list')).status).toBe(
      401,
    );
  });
});

async function runApprovals(...args: string[]): Promise<void> {
  const main = join(import.meta.dirname, '../../bin/switchboard.js');
  const { port } = new URL(gateway.url);
  const child = spawn(
    process.execPath,
    [main, 'approvals', ...args, '--config', gateway.file, '--url', `http://127.0.0.1:${port}`],
    { stdio: ['ignore', 'pipe', 'pipe'], cwd: gateway.folder },
  );
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const [code] = await once(child, 'exit');
  expect(code, said).toBe(0);
}
