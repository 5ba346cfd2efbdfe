/**
 * Three replicas in processes of their own, on one Redis, behind a balancer that sends every request to the next one. At the end one
 * of them hangs, and one is killed.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { routeOf } from '../../src/state/replica.ts';
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { type ModernTasksHttp, startModernTasks } from '../fixtures/tasks/http-modern.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import { Clients, textOf } from './clients.ts';
import { FIXTURES_ALLOWED, type ServedGateway, serveGateway } from './gateway.ts';
import { inSession, modernRequest, openSession, type RawReply, type RawRequest, send } from './raw.ts';
import { until } from './until.ts';

type Params = Record<string, unknown>;

const MAX = 40;
const policy = {
  version: '1',
  default: 'allow',
  tools: {
    echo: { limits: [{ counter: 'calls', window: 'day', max: MAX }] },
    add: { approve: true, approver: 'operator' },
  },
};

let redis: RedisServer;
let legacy: HttpFixture;
let modern: HttpFixture;
let late: HttpFixture;
let narrow: HttpFixture;
let tasks: ModernTasksHttp;
let replicas: ServedGateway[] = [];
let balancer: Balancer;
const clients = new Clients();
const ADMIN = { authorization: 'Bearer admin-token-of-three-replicas' };

beforeAll(async () => {
  [redis, legacy, modern, late, narrow, tasks] = await Promise.all([
    startRedis(),
    startV1Http(),
    startV2Http('modern'),
    startV1Http(),
    startV1Http(),
    startModernTasks(),
  ]);
  const setup = {
    servers: {
      legacy: { url: legacy.url, kind: 'mcp' },
      governed: { url: legacy.url, kind: 'mcp', policy },
      modern: { url: modern.url, kind: 'mcp' },
      narrow: { url: narrow.url, kind: 'mcp', concurrency: 6 },
      tasks: { url: tasks.url, kind: 'mcp' },
    },
    gateway: { ...FIXTURES_ALLOWED, state: redis.url, adminToken: 'admin-token-of-three-replicas' },
  };
  replicas = await Promise.all([1, 2, 3].map(() => serveGateway(setup)));
  balancer = await startBalancer(replicas.map(({ url }) => url));
  for (const replica of replicas) {
    await until(
      async () => (await fetch(replica.at('/readyz'))).status === 200,
      () => `the servers to be connected: ${replica.stderr()}`,
    );
  }
}, 180_000);
afterEach(() => clients.close());
afterAll(async () => {
  await balancer?.close();
  await Promise.all(replicas.map((each) => each.close()));
  await Promise.all([redis, legacy, modern, late, narrow, tasks].map((each) => each?.close()));
});

const call = (name: string, params: Params = {}, capabilities: object = {}): Promise<RawReply> =>
  send(balancer.url, modernRequest('tools/call', { name, arguments: {}, ...params }, { capabilities }));

const PERSON = { elicit: () => ({ action: 'accept', content: { name: 'Ada' } }) };
const FORM = { elicitation: { form: {} } };

/** A call that asks, and its client's answer as the next round. */
async function suspended(url: string): Promise<() => Promise<RawReply>> {
  const round = (params: Params): RawRequest =>
    modernRequest('tools/call', { name: 'legacy__ask', arguments: {}, ...params }, { capabilities: FORM });
  const asked = await send(url, round({}));
  const { requestState, inputRequests } = asked.message.result as { requestState: string; inputRequests: Params };
  const [question = ''] = Object.keys(inputRequests);
  const inputResponses = { [question]: { action: 'accept', content: { name: 'Grace' } } };
  return () => send(balancer.url, round({ requestState, inputResponses }));
}

describe('three replicas behind a balancer without affinity', () => {
  it.each(['v1', 'v2-legacy', 'v2-modern'] as const)('serve the official client %s as one gateway', async (kind) => {
    const client = await clients.connect(kind, { http: balancer.url }, PERSON);
    expect(await client.tools()).toContain('legacy__echo');
    for (const server of ['legacy', 'modern']) {
      for (let i = 0; i < 4; i++) {
        expect(textOf(await client.call(`${server}__echo`, { text: `${i}` }))).toBe(`${i}`);
        expect(textOf(await client.call(`${server}__ask`))).toBe('accept: {"name":"Ada"}');
      }
      const progress: number[] = [];
      await client.call(
        `${server}__slow`,
        { ms: 60, steps: 3 },
        { onProgress: (each) => progress.push(each.progress) },
      );
      expect(progress).toEqual([1, 2, 3]);
    }
    await client.listen();
    await client.call('legacy__change');
    await until(
      () => client.heard('notifications/tools/list_changed').length > 0,
      () => 'the client to hear that the tools changed',
    );
  });

  it('serve the old HTTP+SSE transport', async () => {
    const client = await clients.connect('v1', { sse: balancer.at('/sse') }, PERSON);
    for (let i = 0; i < 4; i++) expect(textOf(await client.call('legacy__ask'))).toBe('accept: {"name":"Ada"}');
  });

  it.each(['v1', 'v2-legacy', 'v2-modern'] as const)(
    'cancel a call of the client %s wherever it runs',
    async (kind) => {
      const client = await clients.connect(kind, { http: balancer.url });
      for (let i = 0; i < 3; i++) {
        const cancelled = legacy.ledger.count('slow:cancelled');
        const started = legacy.ledger.count('slow:started');
        const abort = new AbortController();
        const calling = client.call('legacy__slow', {}, { signal: abort.signal }).catch(() => 'cancelled');
        await until(() => legacy.ledger.count('slow:started') > started, 'the call to start');
        abort.abort();
        expect(await calling).toBe('cancelled');
        await until(() => legacy.ledger.count('slow:cancelled') > cancelled, 'the server to hear of it');
      }
    },
  );

  it.each(['v1', 'v2-legacy', 'v2-modern'] as const)('tell the client %s when a resource changes', async (kind) => {
    const client = await clients.connect(kind, { http: balancer.at('/servers/legacy/mcp') });
    await client.listen(['fixture://counter']);
    await until(
      async () => {
        await call('legacy__touch');
        return client.heard('notifications/resources/updated').length > 0;
      },
      () => 'the client to hear of the change',
    );
  });

  it('resume the stream of a session at any replica, and end the session at any', async () => {
    const session = await openSession(balancer.url);
    const slow = inSession(session, 'tools/call', {
      name: 'legacy__slow',
      arguments: { ms: 600, steps: 6 },
      _meta: { progressToken: 1 },
    });
    const broken = new AbortController();
    const stream = await fetch(balancer.url, {
      method: 'POST',
      headers: { ...slow.headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: slow.body as string,
      signal: broken.signal,
    });
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    let seen = '';
    while (!seen.includes('"progress":1')) seen += Buffer.from((await reader.read()).value ?? []).toString();
    broken.abort();
    // Others may have come in the same read.
    const [, last = ''] = /^id: (.+)\n(?:.+\n)*?data: .*"progress":1\b/m.exec(seen) ?? [];
    expect(last).not.toBe('');
    const resumed = await send(balancer.url, {
      method: 'GET',
      headers: { ...slow.headers, accept: 'text/event-stream', 'last-event-id': last },
    });
    expect(resumed.text).toContain('"progress":6');
    expect(resumed.text).not.toContain('"progress":1,');
    expect(resumed.message).toMatchObject({ id: 1, result: { content: [{ text: 'done' }] } });
    expect((await send(balancer.url, { method: 'DELETE', headers: slow.headers })).status).toBe(204);
    for (let i = 0; i < 3; i++) expect((await send(balancer.url, inSession(session, 'ping'))).status).toBe(404);
  });

  it('answer what is no message, and begin a session whatever id comes along, wherever the session of a request lives', async () => {
    const session = await openSession(balancer.url);
    for (const { url } of replicas) {
      const { headers } = inSession(session, 'ping');
      const broken = await send(url, { headers, body: '{"jsonrpc":"2.0","id":1,' });
      expect(broken).toMatchObject({ status: 400, message: { error: { code: -32700 } } });
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
      const opened = await send(url, inSession(session, 'initialize', params));
      expect(opened.status).toBe(200);
      expect(opened.headers.get('mcp-session-id')).not.toBe(session);
    }
    expect((await send(balancer.url, inSession(session, 'ping'))).status).toBe(200);
  });

  it('resume a suspended call once, in the replica that holds it', async () => {
    for (let i = 0; i < 3; i++) {
      const answer = await suspended(balancer.url);
      expect((await answer()).message.result).toMatchObject({ content: [{ text: 'accept: {"name":"Grace"}' }] });
      expect((await answer()).message.error?.code).toBe(-32602);
    }
  });

  it('find the task of a modern client from every replica, report its changes, and take its input once', async () => {
    const capabilities = { ...FORM, extensions: { 'io.modelcontextprotocol/tasks': {} } };
    const ask = (method: string, params: Params): Promise<RawReply> =>
      send(balancer.url, modernRequest(method, params, { capabilities }));
    for (let i = 0; i < 3; i++) {
      const created = await call('tasks__confirm_delete', { arguments: { filename: `${i}` } }, capabilities);
      const { taskId } = created.message.result as { taskId: string };
      const heard = listenTo({ taskIds: [taskId] }, capabilities);
      await until(
        () => heard.text().includes('"acknowledged"') || heard.text().includes('subscriptions/acknowledged'),
        'the stream to be acknowledged',
      );
      expect(heard.text()).toContain(`"taskIds":["${taskId}"]`);
      const waiting = await until(
        async () => {
          const { result } = (await ask('tasks/get', { taskId })).message;
          return result?.status === 'input_required' && (result.inputRequests as Params);
        },
        () => 'the task to ask',
      );
      const [question = ''] = Object.keys(waiting);
      const inputResponses = { [question]: { action: 'accept', content: {} } };
      expect((await ask('tasks/update', { taskId, inputResponses })).message.error).toBeUndefined();
      for (let n = 0; n < 3; n++) {
        await until(
          async () => (await ask('tasks/get', { taskId })).message.result?.status === 'completed',
          () => 'the task to end',
        );
      }
      await until(
        () => heard.text().includes('"completed"'),
        () => `the end to be reported: ${heard.text()}`,
      );
      heard.close();
    }
  });

  it('count one limit exactly', async () => {
    const replies = await Promise.all(
      Array.from({ length: 3 * MAX }, () => call('governed__echo', { arguments: { text: 'x' } })),
    );
    expect(replies.filter(({ message }) => message.result && !message.result.isError)).toHaveLength(MAX);
    for (const { message } of replies) expect(message.result).toBeDefined();
  });

  it('spend an approval once', async () => {
    const add = () => call('governed__add', { arguments: { a: 1, b: 2 } });
    expect((await add()).message.result?.isError).toBe(true);
    const waiting = await until(
      async () => {
        const listed = await Promise.all(
          replicas.map(async (each) => (await fetch(each.at('/admin/approvals'), { headers: ADMIN })).json()),
        );
        const all = listed as { approvals: { id: string; state: string }[] }[];
        return all.every(({ approvals }) => approvals.some(({ state }) => state === 'pending')) && all[0]?.approvals;
      },
      () => 'every replica to know of the approval',
    );
    const id = waiting.find(({ state }) => state === 'pending')?.id;
    const decided = await fetch(balancer.at(`/admin/approvals/${id}/approve`), {
      method: 'POST',
      headers: { ...ADMIN, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(decided.status).toBe(200);
    const passed = await until(
      async () => {
        const replies = await Promise.all(Array.from({ length: 9 }, add));
        const some = replies.filter(({ message }) => message.result && !message.result.isError);
        return some.length > 0 && some;
      },
      () => 'the approved call to pass',
    );
    expect(passed).toHaveLength(1);
  });

  it('follow each other in servers connected at run time', async () => {
    const connected = await call('connectServer', { arguments: { url: late.url, kind: 'mcp', name: 'late' } });
    expect(connected.message.result?.isError).toBeFalsy();
    const everywhere = (there: boolean): Promise<unknown> =>
      until(
        async () => (await Promise.all(replicas.map(toolsOf))).every((text) => text.includes('late__echo') === there),
        () => `the server to be ${there ? 'in every replica' : 'in none'}`,
      );
    await everywhere(true);
    await call('disconnectServer', { arguments: { name: 'late' } });
    await everywhere(false);
  });
});

const toolsOf = async ({ url }: ServedGateway): Promise<string> => (await send(url, modernRequest('tools/list'))).text;

/** A stream of `subscriptions/listen` through the balancer. */
function listenTo(notifications: Params, capabilities: object): { text(): string; close(): void } {
  const { headers, body } = modernRequest('subscriptions/listen', { notifications }, { capabilities });
  const abort = new AbortController();
  let text = '';
  const reading = async (): Promise<void> => {
    const all = { ...headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const reply = await fetch(balancer.url, {
      method: 'POST',
      headers: all,
      body: body as string,
      signal: abort.signal,
    });
    const decoder = new TextDecoder();
    for await (const chunk of reply.body ?? []) text += decoder.decode(chunk, { stream: true });
  };
  reading().catch(() => {});
  return { text: () => text, close: () => abort.abort() };
}

/** Calls of `narrow__slow` that last until they are ended. */
function manyCalls(count: number): { end(): Promise<unknown> } {
  const aborts = Array.from({ length: count }, () => new AbortController());
  const slow = modernRequest('tools/call', { name: 'narrow__slow', arguments: {} });
  const headers = { ...slow.headers, 'content-type': 'application/json', accept: 'application/json' };
  const calls = aborts.map(({ signal }) =>
    fetch(balancer.url, { method: 'POST', headers, body: slow.body as string, signal }).catch(() => undefined),
  );
  return {
    end() {
      for (const abort of aborts) abort.abort();
      return Promise.all(calls);
    },
  };
}

/** A call that takes 20 seconds and says so as it goes on. */
const SLOW = { name: 'legacy__slow', arguments: { ms: 20_000, steps: 400 }, _meta: { progressToken: 1 } };

/** Begins calls in a session: one is answered as a stream, one as JSON. */
function liveCalls(session: string): Promise<RawReply>[] {
  const plain = inSession(session, 'tools/call', SLOW, 8);
  return [
    send(balancer.url, inSession(session, 'tools/call', SLOW, 7)),
    send(balancer.url, { ...plain, headers: { ...plain.headers, accept: 'application/json' } }),
  ];
}

async function expectLost(calls: Promise<RawReply>[]): Promise<void> {
  for (const [at, reply] of (await Promise.all(calls)).entries()) {
    expect(reply.message).toMatchObject({ id: 7 + at, error: { code: -31030, data: { code: 'SWB_REPLICA_LOST' } } });
  }
}

describe('a replica that hangs', () => {
  it('is answered for by the others in a bounded time, loses its places to them, and begins nothing late', async () => {
    const [hung, ...others] = replicas as [ServedGateway, ServedGateway, ServedGateway];
    const [session, answer] = await Promise.all([openSession(hung.url), suspended(hung.url)]);
    const started = (): number => legacy.ledger.count('slow:started');
    const before = started();
    const many = manyCalls(12);
    // Four calls wait at each of three replicas with two places each.
    await until(
      () => narrow.ledger.count('slow:started') === 6,
      () => `six calls to run; ${narrow.ledger.count('slow:started')} do`,
    );
    balancer.use(others.map(({ url }) => url));
    const live = liveCalls(session);
    await until(() => started() === before + 2, 'the calls to run');
    process.kill(hung.pid, 'SIGSTOP');
    try {
      const ran = started();
      const tooLate = { name: 'legacy__slow', arguments: { ms: 0 } };
      const unanswered = await Promise.all([
        ...Array.from({ length: 4 }, () => send(balancer.url, inSession(session, 'tools/call', tooLate))),
        answer(),
      ]);
      for (const { status, message } of unanswered) {
        expect([502, 503]).toContain(status);
        expect(message.error?.data?.code).toMatch(/^SWB_REPLICA_(?:LOST|AWAY)$/);
      }
      await expectLost(live);
      expect((await call('legacy__echo', { arguments: { text: 'on' } })).message.result).toBeDefined();
      // The two that are left have three places each.
      await until(
        () => narrow.ledger.count('slow:started') === 8,
        () => `two more calls to run; ${narrow.ledger.count('slow:started') - 6} do`,
      );
      expect((await send(balancer.url, inSession(session, 'tools/list'))).status).toBe(404);
      expect(started()).toBe(ran);
    } finally {
      process.kill(hung.pid, 'SIGCONT');
    }
    // Each of the others learns for itself that the replica is back.
    for (const other of others) {
      await until(
        async () => (await send(other.url, inSession(session, 'tools/list'))).status === 200,
        () => 'the session to be found again',
      );
    }
    const answered = await until(
      async () => (await answer()).message.result,
      () => 'the suspended call to be found again',
    );
    expect(answered).toMatchObject({ content: [{ text: 'accept: {"name":"Grace"}' }] });
    // What was answered for while it hung has not run since.
    const after = started();
    expect(after).toBe(before + 2);
    await send(balancer.url, inSession(session, 'tools/call', { name: 'legacy__slow', arguments: { ms: 0 } }));
    expect(started()).toBe(after + 1);
    await many.end();
    balancer.use(replicas.map(({ url }) => url));
  });
});

describe('a replica that is killed', () => {
  it('loses its live calls alone, each with an answer, and its sessions open again elsewhere', async () => {
    const [killed, ...others] = replicas as [ServedGateway, ServedGateway, ServedGateway];
    const [session, answer] = await Promise.all([openSession(killed.url), suspended(killed.url)]);
    balancer.use(others.map(({ url }) => url));
    const started = (): number => legacy.ledger.count('slow:started');
    const before = started();
    const live = liveCalls(session);
    const kept = call('legacy__slow', { arguments: { ms: 1_500 } });
    await until(() => started() === before + 3, 'the calls to run');
    await killed.end('SIGKILL');
    await expectLost(live);
    expect((await kept).message.result).toMatchObject({ content: [{ text: 'done' }] });

    expect((await send(balancer.url, inSession(session, 'tools/list'))).status).toBe(404);
    expect((await answer()).message.error?.code).toBe(-32602);
    const again = await openSession(balancer.url);
    expect(routeOf(again)).not.toBe(routeOf(session));
    expect((await send(balancer.url, inSession(again, 'tools/list'))).status).toBe(200);
    expect(started()).toBe(before + 3);
  });
});
