/** Whatever a call goes through, and whatever its client can do, it has its person log in to the server and then runs, once. */
import { randomUUID } from 'node:crypto';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CallToolResultSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { headerAuthenticator } from '../../src/auth/testing/header-authenticator.ts';
import { legacy, modern } from '../attacks/talk.ts';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';
import type { RawReply } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';
import { type OauthMcp, startOauthMcp } from '../fixtures/mcp/oauth.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { type ProtectedServer, startProtected } from '../fixtures/protected-server.ts';
import { PersonAtBrowser } from './person.ts';

type Json = Record<string, unknown>;

const URL_MODE = { elicitation: { form: {}, url: {} } };
const TASKS = { ...URL_MODE, extensions: { 'io.modelcontextprotocol/tasks': {} } };

let oidc: Oidc;
let mail: OauthMcp;
let agent: A2aFixture;
let desk: ProtectedServer;
let own: OwnGateway;
/** A principal that has never logged in. */
let user: string;
let count = 0;

beforeAll(async () => {
  oidc = await startOidc({ scopes: ['read', 'mcp:read'] });
  // Everybody reads its card; only who has logged in is answered.
  desk = await startProtected({ oidc, upstream: () => agent.url, path: '', open: new Set(['GET']) });
  [agent, mail] = await Promise.all([startA2a('1.0 JSONRPC', { cardOrigin: desk.url }), startOauthMcp(oidc.issuer)]);
  own = await startGateway({
    servers: {
      mail: { url: mail.url, kind: 'mcp' },
      desk: { url: desk.url, kind: 'a2a' },
      // The gateway does not know yet that it needs logins.
      fresh: { url: desk.url, kind: 'a2a' },
    },
    gateway: { agents: { taskAfterMs: 50 } },
    embedded: { auth: headerAuthenticator() },
  });
  await own.reaches('desk', 'ready');
  await own.reaches('fresh', 'ready');
});
afterAll(async () => {
  await own?.close();
  await Promise.all([mail?.close(), desk?.close(), agent?.stop()]);
  await oidc?.close();
});
beforeEach(() => {
  user = `user-${++count}`;
});

const key = () => ({ headers: { 'x-user': user } });

interface Door {
  what: string;
  method: string;
  params: Json;
  server: string;
}

const tool = (what: string, server: string, name: string, args: Json = {}): Door => ({
  ...{ what, server, method: 'tools/call', params: { name, arguments: args } },
});

const DOORS: readonly Door[] = [
  tool('a tool', 'mail', 'mail__whoami'),
  { what: 'a prompt', server: 'mail', method: 'prompts/get', params: { name: 'mail__greeting' } },
  { what: 'a resource', server: 'mail', method: 'resources/read', params: { uri: 'mail+mail://inbox' } },
  tool('callAgent', 'desk', 'callAgent', { agent: 'desk/Test-Agent', message: 'hello' }),
  tool('the tool of an agent', 'desk', 'desk__Test-Agent', { message: 'hello' }),
];

/** What ran for this user. */
const ran = (): string[] => [
  ...mail.ran.filter((each) => each.endsWith(` as ${user}@idp`)),
  ...desk.heard.filter((each) => each.startsWith(`${user}@idp Send`)),
];

const logIn = (asked: { url: string; message: string }): Promise<void> =>
  new PersonAtBrowser(oidc).logIn(asked, `${user}@idp`);

/** The page and its code, in what a client without URL elicitation reads. */
const linkIn = ({ text }: Pick<RawReply, 'text'>): { url: string; message: string } => ({
  url: /http:[^\s"\\]+\/connect\/[\w-]{22}/.exec(text)?.[0] ?? '',
  message: text,
});

const succeeded = ({ message }: RawReply): boolean => message.result !== undefined && message.result.isError !== true;

describe.each(DOORS)('$what of a server that needs a login', ({ method, params, server }) => {
  const ask = (more: Json = {}, capabilities: object = URL_MODE) =>
    modern(own.url, key(), method, { ...params, ...more }, { capabilities });

  it('is a round of input for a client of 2026-07-28 that opens pages, and goes on with its retry', async () => {
    const { message, text } = await ask();
    const { resultType, requestState, inputRequests } = message.result ?? {};
    expect(resultType, text).toBe('input_required');
    const { params: page } = (inputRequests as { login: { params: { mode: string; url: string; message: string } } })
      .login;
    expect(page).toMatchObject({ mode: 'url', message: expect.stringContaining(`'${server}'`) });
    await logIn(page);
    const done = await ask({ requestState, inputResponses: { login: { action: 'accept' } } });
    expect(succeeded(done), done.text).toBe(true);
    expect(ran()).toHaveLength(1);
  });

  it('ends with one error for a client whose person declines, and begins anew with the next call', async () => {
    const first = await ask();
    const answer = {
      requestState: first.message.result?.requestState,
      inputResponses: { login: { action: 'decline' } },
    };
    const declined = await ask(answer);
    expect(declined.text).toContain('SWB_ASK_REFUSED');
    expect(declined.text).toContain(`The login to server '${server}' was declined`);
    expect(declined.message.result?.resultType).not.toBe('input_required');
    expect((await ask()).message.result?.resultType).toBe('input_required');
    expect(ran()).toEqual([]);
  });

  it('says where to log in to a client of 2026-07-28 that declares nothing', async () => {
    const told = await ask({}, {});
    expect(succeeded(told)).toBe(false);
    expect(told.text).toContain('SWB_LOGIN_NEEDED');
    expect(told.text).toContain(`switchboard connections connect ${server}`);
    if (method === 'tools/call') expect(told.message.result?.isError).toBe(true);
    await logIn(linkIn(told));
    const done = await ask({}, {});
    expect(succeeded(done), done.text).toBe(true);
    expect(ran()).toHaveLength(1);
  });

  it('is error -32042 for a client of 2025-11-25 that opens pages', async () => {
    const session = await legacy(own.url, key(), { capabilities: URL_MODE });
    const { message, text } = await session.request(method, params);
    expect(message.error?.code, text).toBe(-32042);
    const [page] = (message.error?.data?.elicitations ?? []) as [{ url: string; message: string; mode: string }];
    expect(page).toMatchObject({ mode: 'url', elicitationId: expect.stringMatching(/^[\w-]{22}$/) });
    await logIn(page);
    const done = await session.request(method, params);
    expect(succeeded(done), done.text).toBe(true);
    expect(ran()).toHaveLength(1);
  });

  it.each(['2025-11-25', '2025-03-26'])(
    'says where to log in to a client of %s that declares nothing',
    async (version) => {
      const session = await legacy(own.url, key(), { version });
      const told = await session.request(method, params);
      expect(succeeded(told)).toBe(false);
      if (method === 'tools/call') expect(told.message.result?.isError).toBe(true);
      await logIn(linkIn(told));
      const done = await session.request(method, params);
      expect(succeeded(done), done.text).toBe(true);
      expect(ran()).toHaveLength(1);
    },
  );
});

describe('a run of an agent that needs a login', () => {
  const RUN = { agent: 'desk/Test-Agent', message: 'hello', background: true };
  const structured = ({ message }: RawReply): Json => (message.result?.structuredContent ?? {}) as Json;
  const callTool = (name: string, args: Json, capabilities: object = {}, more: Json = {}) =>
    modern(own.url, key(), 'tools/call', { name, arguments: args, ...more }, { capabilities });

  /** How the run has ended. */
  const ended = (run: unknown) =>
    until(
      async () => {
        const reply = await callTool('getRun', { run });
        const [found] = structured(reply).runs as { status: string }[];
        return found?.status === 'working' ? undefined : { ...found, text: reply.text };
      },
      () => 'the end of the run',
    );

  it('in the background has its client log in before it begins', async () => {
    // From now on the gateway knows that this server needs logins.
    await callTool('desk__Test-Agent', { message: 'hello' });
    const first = await callTool('callAgent', RUN, URL_MODE);
    expect(first.message.result?.resultType, first.text).toBe('input_required');
    const { requestState, inputRequests } = first.message.result as Json;
    await logIn((inputRequests as { login: { params: { url: string; message: string } } }).login.params);
    const answer = { requestState, inputResponses: { login: { action: 'accept' } } };
    const begun = await callTool('callAgent', RUN, URL_MODE, answer);
    expect(structured(begun)).toMatchObject({ status: 'working', run: expect.stringMatching(/^run_/) });
    expect(await ended(structured(begun).run)).toMatchObject({ status: 'completed' });
    expect(ran()).toHaveLength(1);
  });

  it('in the background that finds out at its server ends with where to log in', async () => {
    const args = { ...RUN, agent: 'fresh/Test-Agent' };
    const { run } = structured(await callTool('callAgent', args, URL_MODE));
    const told = await ended(run);
    expect(told).toMatchObject({ status: 'failed', text: expect.stringContaining('connections connect fresh') });
    await logIn(linkIn(told));
    const again = structured(await callTool('callAgent', args, URL_MODE));
    expect(await ended(again.run)).toMatchObject({ status: 'completed' });
    expect(ran()).toHaveLength(1);
  });

  it('in the background says where to log in to a client that declares nothing, and does not begin', async () => {
    await callTool('desk__Test-Agent', { message: 'hello' });
    const told = await callTool('callAgent', RUN);
    expect(told.message.result?.isError).toBe(true);
    await logIn(linkIn(told));
    expect(structured(await callTool('callAgent', RUN))).toMatchObject({ status: 'working' });
    await until(
      () => ran().length > 0,
      () => 'the run to reach the agent',
    );
  });

  it.each(['callAgent', 'desk__Test-Agent'])('as a task of %s asks whoever follows it, and goes on', async (name) => {
    const args = name === 'callAgent' ? { agent: 'desk/Test-Agent', message: 'hello' } : { message: 'hello' };
    const call = { name, arguments: args };
    const first = await modern(own.url, key(), 'tools/call', call, { capabilities: TASKS });
    const taskId = first.message.result?.taskId;
    expect(taskId, first.text).toMatch(/^run_/);
    const get = () => modern(own.url, key(), 'tasks/get', { taskId }, { capabilities: TASKS });
    const asked = await until(
      async () => {
        const { message } = await get();
        return message.result?.status === 'input_required' ? message.result : undefined;
      },
      () => 'the question',
    );
    const [[id, { params }] = ['', { params: { url: '', message: '' } }]] = Object.entries(
      asked.inputRequests as Record<string, { params: { url: string; message: string } }>,
    );
    await logIn(params);
    const answer = { taskId, inputResponses: { [id]: { action: 'accept' } } };
    await modern(own.url, key(), 'tasks/update', answer, { capabilities: TASKS });
    const done = await until(
      async () => {
        const { message } = await get();
        return ['completed', 'failed', 'cancelled'].includes(String(message.result?.status))
          ? message.result
          : undefined;
      },
      () => 'the end of the task',
    );
    expect(done.status, JSON.stringify(done)).toBe('completed');
    expect(ran()).toHaveLength(1);
  });

  it('as a task ends with one error where its person declines', async () => {
    const call = { name: 'desk__Test-Agent', arguments: { message: 'hello' } };
    const first = await modern(own.url, key(), 'tools/call', call, { capabilities: TASKS });
    const taskId = first.message.result?.taskId;
    const get = async () =>
      (await modern(own.url, key(), 'tasks/get', { taskId }, { capabilities: TASKS })).message.result;
    const asked = await until(
      async () => ((await get())?.status === 'input_required' ? get() : undefined),
      () => 'the question',
    );
    const [id = ''] = Object.keys(asked?.inputRequests as Json);
    const answer = { taskId, inputResponses: { [id]: { action: 'decline' } } };
    await modern(own.url, key(), 'tasks/update', answer, { capabilities: TASKS });
    const done = await until(
      async () => {
        const result = await get();
        return result?.status === 'working' || result?.status === 'input_required' ? undefined : result;
      },
      () => 'the end of the task',
    );
    expect(JSON.stringify(done)).toContain('was declined');
    expect(ran()).toEqual([]);
  });

  it('as a task of a client of 2025-11-25 asks while its result is waited for, and goes on', async () => {
    const client = new ClientV1({ name: 'v1', version: '1' }, { capabilities: { ...URL_MODE } });
    const asked: string[] = [];
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
      asked.push(String(params.mode));
      await logIn(params as { url: string; message: string });
      return { action: 'accept' };
    });
    const requestInit = { headers: { 'x-user': user } };
    await client.connect(new HttpV1(new URL(own.url), { requestInit }) as Transport);
    const call = { name: 'desk__Test-Agent', arguments: { message: 'hello' } };
    const options = { task: { ttl: 60_000 }, timeout: 60_000 };
    const seen: string[] = [];
    for await (const message of client.experimental.tasks.callToolStream(call, CallToolResultSchema, options)) {
      if (message.type === 'error') throw message.error;
      seen.push(message.type);
    }
    expect(seen.at(-1)).toBe('result');
    expect(asked).toEqual(['url']);
    expect(ran()).toHaveLength(1);
    await client.close();
  });
});

describe('an agent that needs a login, for clients that speak no MCP', () => {
  const post = async (path: string, body: Json): Promise<Json> => {
    const headers = { 'content-type': 'application/json', 'a2a-version': '1.0', ...key().headers };
    const reply = await fetch(own.at(path), { method: 'POST', headers, body: JSON.stringify(body) });
    return (await reply.json()) as Json;
  };

  it('asks a client of A2A to authenticate, and goes on with its task', async () => {
    const send = (message: Json) =>
      post('/a2a/desk/Test-Agent/', {
        ...{ jsonrpc: '2.0', id: 1, method: 'SendMessage' },
        params: { message: { messageId: randomUUID(), role: 'ROLE_USER', ...message } },
      });
    const { task } = (await send({ parts: [{ text: 'hello' }] })).result as { task: Json & { status: Json } };
    expect(task.status.state).toBe('TASK_STATE_AUTH_REQUIRED');
    await logIn(linkIn({ text: JSON.stringify(task) }));
    const done = await send({ taskId: task.id, contextId: task.contextId, parts: [{ text: 'done' }] });
    expect((done.result as { task: { status: Json } }).task.status.state, JSON.stringify(done)).toBe(
      'TASK_STATE_COMPLETED',
    );
    expect(ran()).toHaveLength(1);
  });

  it('asks a client of the Responses API, and goes on with what it answers', async () => {
    const first = await post('/v1/responses', { model: 'desk/Test-Agent', input: 'hello' });
    await logIn(linkIn({ text: JSON.stringify(first) }));
    const done = await post('/v1/responses', {
      model: 'desk/Test-Agent',
      input: 'done',
      previous_response_id: first.id,
    });
    expect(done, JSON.stringify(first)).toMatchObject({ status: 'completed', error: null });
    expect(ran()).toHaveLength(1);
  });
});
