/**
 * Two replicas on one Redis behind a balancer that sends every request to the next one: what is begun at one and goes on at the other.
 * Runs of agents, logins to servers, what belongs to a grant, and the pages for operators.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newKey } from '../../src/auth/key.ts';
import type { CallJson } from '../../src/endpoint/admin/shared-calls.ts';
import { routeOf } from '../../src/state/replica.ts';
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { legacy, modern } from '../attacks/talk.ts';
import { PersonAtBrowser } from '../auth/person.ts';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { type OauthMcp, startOauthMcp } from '../fixtures/mcp/oauth.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { borrowLanggraph } from '../fixtures/shared.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import { type OwnGateway, startGateway } from './gateway.ts';
import type { RawReply } from './raw.ts';
import { until } from './until.ts';

type Json = Record<string, unknown>;

const TOKEN = 'admin-token-of-two-replicas';
const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} }, elicitation: { form: {} } };
const keyed = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
const [ada, bob] = [newKey(), newKey()];
const [adaKey, bobKey] = [keyed(ada.key), keyed(bob.key)];

let redis: RedisServer;
let oidc: Oidc;
let mail: OauthMcp;
let graph: LanggraphFixture;
let plain: HttpFixture;
let one: OwnGateway;
let other: OwnGateway;
let balancer: Balancer;
/** The id of the first replica, as sessions name it. */
let here: string | undefined;

beforeAll(async () => {
  [redis, oidc, graph, plain, balancer] = await Promise.all([
    startRedis(),
    startOidc(),
    borrowLanggraph('2.0'),
    startV1Http(),
    startBalancer([]),
  ]);
  mail = await startOauthMcp(oidc.issuer);
  const limited = {
    version: '1',
    default: 'allow',
    tools: { echo: { limits: [{ counter: 'c', window: 'day', max: 5 }] } },
  };
  const setup = {
    servers: {
      mail: { url: mail.url, kind: 'mcp' },
      graph: { url: graph.url, kind: 'langgraph' },
      plain: { url: plain.url, kind: 'mcp', policy: limited },
    },
    gateway: {
      publicUrl: new URL(balancer.url).origin,
      state: redis.url,
      adminToken: TOKEN,
      agents: { taskAfterMs: 500 },
      defaultPolicy: { version: '1', default: 'allow' },
      grants: { ada: { key: ada.stored }, bob: { key: bob.stored } },
    },
  };
  [one, other] = await Promise.all([startGateway(setup), startGateway(setup)]);
  await Promise.all([one.gateway.settled(), other.gateway.settled()]);
  balancer.use([one.url, other.url]);
  here = routeOf((await legacy(one.url, adaKey)).id);
});
afterAll(async () => {
  await balancer?.close();
  await Promise.all([one?.close(), other?.close()]);
  await Promise.all([redis?.close(), mail?.close(), oidc?.close(), graph?.stop(), plain?.close()]);
});

const resultOf = ({ message, text }: RawReply): Json => {
  if (!message.result) throw new Error(text);
  return message.result;
};

/** What a tool gave, at one replica or through the balancer. */
async function tool(at: { url: string }, name: string, args: Json, key = adaKey, capabilities = {}): Promise<Json> {
  return resultOf(await modern(at.url, key, 'tools/call', { name, arguments: args }, { capabilities }));
}
const structured = async (at: { url: string }, name: string, args: Json): Promise<Json> =>
  (await tool(at, name, args)).structuredContent as Json;

const textIn = (result: Json): string => (result.content as { text: string }[])[0]?.text ?? '';

describe('a run of an agent in the background', () => {
  it('is followed at another replica, by its principal alone', async () => {
    const { run } = await structured(one, 'callAgent', { agent: 'graph/slow', message: '8', background: true });
    const foreign = await tool(other, 'getRun', { run }, bobKey);
    expect([foreign.isError, textIn(foreign)]).toEqual([true, expect.stringContaining('There is no run')]);
    const ended = await until(
      async () => {
        const { runs } = (await structured(other, 'getRun', { run, waitMs: 5_000 })) as { runs: Json[] };
        return runs[0]?.status === 'completed' && runs[0];
      },
      () => 'the run to end',
    );
    expect(ended).toMatchObject({ agent: 'graph/slow', result: { text: '8 ticks' } });
  });

  it('is cancelled at another replica', async () => {
    const count = (what: string): number => graph.events.filter(({ event }) => event === what).length;
    const [started, aborted] = [count('slow started'), count('slow aborted')];
    const { run } = await structured(one, 'callAgent', { agent: 'graph/slow', message: '300', background: true });
    await until(
      () => count('slow started') > started,
      () => 'the begin at the server',
    );
    await structured(other, 'cancelRun', { run });
    await until(
      () => count('slow aborted') > aborted,
      () => 'the abort at the server',
    );
    await until(
      async () => {
        const { runs } = (await structured(other, 'getRun', { run })) as { runs: Json[] };
        return runs[0]?.status === 'cancelled';
      },
      () => 'the run to be cancelled for every replica',
    );
  });

  it('that is a task is followed, and its question answered, at another replica', async () => {
    const ask = (method: string, params: Json): Promise<RawReply> =>
      modern(other.url, adaKey, method, params, { capabilities: TASKS });
    const { taskId } = await tool(one, 'graph__approval', { message: 'ship it' }, adaKey, TASKS);
    const asked = await until(
      async () => {
        const now = resultOf(await ask('tasks/get', { taskId }));
        return now.status === 'input_required' && (now.inputRequests as Json);
      },
      () => 'the question',
    );
    const [question = ''] = Object.keys(asked);
    const inputResponses = { [question]: { action: 'accept', content: { answer: 'yes' } } };
    expect((await ask('tasks/update', { taskId, inputResponses })).message.error).toBeUndefined();
    const ended = await until(
      async () => {
        const now = resultOf(await ask('tasks/get', { taskId }));
        return now.status === 'completed' && now;
      },
      () => 'the task to end',
    );
    expect(ended).toMatchObject({ result: { structuredContent: { text: 'answer: yes' } } });
  });
});

describe('a login to a server', () => {
  it('that each page of is served by another replica is known to all of them, and ends in all of them', async () => {
    const refused = await tool(one, 'mail__whoami', {});
    const message = textIn(refused);
    const url = /http:\S+\/connect\/[\w-]{22}/.exec(message)?.[0] as string;
    expect(url).toContain(new URL(balancer.url).origin);
    await new PersonAtBrowser(oidc).logIn({ url, message }, 'ada@mail');
    for (const replica of [other, one]) {
      await replica.reaches('mail', 'ready');
      expect(textIn(await tool(replica, 'mail__whoami', {}))).toBe('You are ada@mail.');
    }
    expect((await tool(other, 'mail__whoami', {}, bobKey)).isError).toBe(true);
    await other.gateway.logins?.revoke('ada', 'mail');
    await until(
      async () => (await tool(one, 'mail__whoami', {})).isError === true,
      () => 'the login to have ended in every replica',
    );
  });
});

describe('what belongs to a grant', () => {
  it('is open to its key in every replica, and to no other', async () => {
    const session = await legacy(one.url, adaKey);
    const asked = { 'mcp-session-id': session.id, 'mcp-protocol-version': '2025-11-25' };
    const list = (key: { headers: Record<string, string> }): Promise<number> =>
      fetch(other.url, {
        method: 'POST',
        headers: {
          ...asked,
          ...key.headers,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
        },
        body: '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}',
      }).then(({ status }) => status);
    expect(await list(adaKey)).toBe(200);
    expect(await list(bobKey)).toBeGreaterThanOrEqual(400);
    expect(await list(keyed(newKey().key))).toBe(401);
  });

  it('is counted in all replicas together', async () => {
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, i) => tool(i % 2 === 0 ? one : other, 'plain__echo', { text: 'x' })),
    );
    expect(replies.filter(({ isError }) => !isError)).toHaveLength(5);
  });
});

describe('the pages for operators', () => {
  const streams: AbortController[] = [];
  afterEach(() => {
    for (const stream of streams.splice(0)) stream.abort();
  });

  async function logIn(): Promise<Record<string, string>> {
    const reply = await fetch(balancer.at('/admin/api/login'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: TOKEN }),
    });
    const { key } = (await reply.json()) as { key: string };
    // The balancer keeps the host of the replica: with it goes the name of the cookie.
    const value = (reply.headers.get('set-cookie') ?? '').split(';')[0]?.split('=')[1] ?? '';
    const cookie = [one, other].map(({ url }) => `swb-admin${new URL(url).port}=${value}`).join('; ');
    return { cookie, 'x-switchboard-key': key };
  }
  const api = async (path: string, headers: Record<string, string>, body?: Json): Promise<[number, Json]> => {
    const reply = await fetch(balancer.at(`/admin/${path}`), {
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
    return [reply.status, (await reply.json()) as Json];
  };

  /** Events of one replica, as a page reads them. */
  function events(at: OwnGateway, headers: Record<string, string>, path: string, body?: Json): () => string {
    const abort = new AbortController();
    streams.push(abort);
    let text = '';
    const read = async (): Promise<void> => {
      const reply = await fetch(at.at(path), {
        headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
        signal: abort.signal,
        ...(body && { method: 'POST', body: JSON.stringify(body) }),
      });
      const decoder = new TextDecoder();
      for await (const chunk of reply.body ?? []) text += decoder.decode(chunk, { stream: true });
    };
    read().catch(() => {});
    return () => text;
  }

  it('are open to a session in every replica, until it is closed in one', async () => {
    const session = await logIn();
    for (let i = 0; i < 4; i++) expect((await api('api/session', session))[0]).toBe(200);
    expect((await api('api/logout', session, {}))[0]).toBe(200);
    for (let i = 0; i < 4; i++) expect((await api('api/session', session))[0]).toBe(401);
  });

  it('show the calls of all replicas, and each with its timeline, arguments and repetition', async () => {
    const session = await logIn();
    const seen = events(one, session, '/admin/api/events?only=calls');
    const shown = (): CallJson[] =>
      [...seen().matchAll(/^data: (.*)$/gm)].flatMap(
        ([, data]) => (JSON.parse(data ?? '') as { calls: CallJson[] }).calls,
      );
    await until(
      async () => {
        await api('api/recording', session, { minutes: 5 });
        await tool(other, 'plain__add', { a: 40, b: 2 });
        return shown().some(({ replica }) => replica !== here);
      },
      () => 'a call of the other replica to be shown',
    );
    await tool(one, 'plain__add', { a: 1, b: 2 });
    await until(
      () => shown().some(({ replica, outcome }) => replica === here && outcome === 'ok'),
      () => 'a call of this replica to be shown',
    );
    const far = shown().findLast(({ replica, outcome }) => replica !== here && outcome === 'ok') as CallJson;
    expect(far).toMatchObject({ name: 'add', server: 'plain', principal: 'ada' });
    expect(far.shownArguments).toBeUndefined();
    for (let i = 0; i < 4; i++) {
      const [status, { call, canRepeat }] = await api(`api/calls/${far.id}`, session);
      expect([status, canRepeat]).toEqual([200, true]);
      expect(call).toMatchObject({ id: far.id, shownArguments: '{"a":40,"b":2}' });
      expect((call as { steps: Json[] }).steps.length).toBeGreaterThan(2);
      const [explained] = await api(`api/calls/${far.id}/explain`, session, {});
      expect(explained).toBe(200);
    }
    expect((await api(`api/calls/${far.id}/repeat`, session, {}))[1]).toMatchObject({
      result: { structuredContent: { sum: 42 } },
    });
    expect((await api('api/calls/AAAAAAAA.1', session))[0]).toBe(400);
    expect((await api(`api/calls/${far.id}`, {}))[0]).toBe(401);
  });

  it('answer at any replica what a request that is tried asks', async () => {
    const session = await logIn();
    const call = { name: 'plain__ask', arguments: {} };
    const tried = events(one, session, '/admin/api/try', { method: 'tools/call', params: call });
    const asked = await until(
      () => /event: question\ndata: (.*)\n/.exec(tried())?.[1],
      () => `the question: ${tried()}`,
    );
    const { run } = JSON.parse(/event: begun\ndata: (.*)\n/.exec(tried())?.[1] ?? '{}') as { run: string };
    expect(routeOf(run)).toBe(here);
    const answer = { action: 'accept', content: { name: 'Ada' } };
    const { question } = JSON.parse(asked) as { question: string };
    const reply = await fetch(other.at(`/admin/api/try/${run}/answer`), {
      method: 'POST',
      headers: { ...session, 'content-type': 'application/json' },
      body: JSON.stringify({ question, answer }),
    });
    expect(reply.status).toBe(200);
    await until(
      () => tried().includes('accept: {'),
      () => `the result: ${tried()}`,
    );
  });
});
