/**
 * Ten principals, one of them greedy in every way there is: the others are refused nothing for its use and lose nothing to
 * it, and the turns they wait for are counted.
 */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { legacy, type Session } from '../attacks/talk.ts';
import { openStream, type Stream } from '../extensions/stream.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { type HttpServer, startV1Sessions } from '../fixtures/tasks/http-v1.ts';
import { createV1TaskServer } from '../fixtures/tasks/v1.ts';
import { grant } from '../policy/grants.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { modernRequest, type RawReply, send } from './raw.ts';
import { until } from './until.ts';

const everything = { policy: { version: '1', default: 'allow' } };
const greedy = grant(everything);
const others = Array.from({ length: 9 }, () => grant(everything));

const MAX_QUEUE = 40;
const MAX_SESSIONS = 40;
const MAX_STREAMS = 40;
const MAX_CALLER_SESSIONS = 12;
const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} } };

let slow: RecordingUpstream;
let stateful: RecordingUpstream;
let asking: HttpFixture;
let tasks: HttpServer;
let gateway: OwnGateway;
const streams: Stream[] = [];
/** Who was served by the slow server, in order, and what ends the call that runs. */
const served: string[] = [];
const running: (() => void)[] = [];

beforeAll(async () => {
  slow = await startRecording({
    handlers: {
      'tools/call': async ({ arguments: args }) => {
        served.push(String((args as { who: string }).who));
        await new Promise<void>((resolve) => running.push(resolve));
        return { content: [] };
      },
    },
  });
  stateful = await startRecording({ sessions: true });
  [asking, tasks] = await Promise.all([startV1Http(), startV1Sessions(createV1TaskServer)]);
  gateway = await startReadyGateway({
    servers: {
      slow: { url: slow.url, isolation: 'shared', concurrency: 1, maxQueue: MAX_QUEUE },
      stateful: { url: stateful.url, concurrency: 50, maxQueue: 1_000 },
      asking: { url: asking.url, isolation: 'shared', concurrency: 50 },
      tasks: { url: tasks.url, maxQueue: MAX_QUEUE },
    },
    gateway: {
      grants: Object.fromEntries([greedy, ...others].map(({ entry }, i) => [`grant${i}`, entry])),
      limits: { maxSessions: MAX_SESSIONS, maxStreams: MAX_STREAMS, maxCallerSessions: MAX_CALLER_SESSIONS },
    },
  });
});
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([slow, stateful, asking, tasks].map((server) => server?.close()));
});

type Key = typeof greedy;
type Json = Record<string, unknown>;

/** A modern request, in the upstream session of this name if there is one. */
async function ask(
  key: Key,
  method: string,
  params: Json,
  { session = '', capabilities = {} } = {},
): Promise<RawReply> {
  const request = modernRequest(method, params, { capabilities });
  const body = JSON.parse(String(request.body));
  if (session) body.params._meta['switchboard/session'] = session;
  return send(gateway.url, { headers: { ...request.headers, ...key.headers }, body: JSON.stringify(body) });
}

const call = (key: Key, name: string, args: Json = {}, more: Parameters<typeof ask>[3] = {}): Promise<RawReply> =>
  ask(key, 'tools/call', { name, arguments: args }, more);

const callOf = (name: string, who: string): Json => ({ name, arguments: { who } });

const codeOf = ({ message }: RawReply): unknown => message.error?.data?.code;

it('others wait for one turn of each principal, whatever of the queue a greedy one takes in hundreds of sessions', async () => {
  const refused: unknown[] = [];
  const noted = async (reply: Promise<RawReply>): Promise<void> => {
    const settled = await reply;
    if (settled.message.error) refused.push(codeOf(settled));
  };
  const sessions = await Promise.all(Array.from({ length: 10 }, () => legacy(gateway.url, greedy)));
  const flood = [
    ...Array.from({ length: 250 }, (_, i) =>
      noted(call(greedy, 'slow__echo', { who: 'greedy' }, { session: `s${i}` })),
    ),
    ...Array.from({ length: 50 }, (_, i) =>
      noted((sessions[i % 10] as Session).request('tools/call', callOf('slow__echo', 'greedy'), i + 1)),
    ),
  ];
  // One runs and the queue is full: a principal alone has all of it.
  await until(() => refused.length === flood.length - MAX_QUEUE - 1, 'the queue to be full');

  const own = await Promise.all(others.map((key) => legacy(gateway.url, key)));
  const modest = others.flatMap((key, i) => [
    call(key, 'slow__echo', { who: `other ${i}` }),
    (own[i] as Session).request('tools/call', callOf('slow__echo', `other ${i}`)),
  ]);
  // Each of theirs has taken a place of the greedy one.
  await until(() => refused.length === flood.length - MAX_QUEUE - 1 + modest.length, 'the others to wait');
  expect(new Set(refused)).toEqual(new Set(['SWB_QUEUE_FULL']));

  let ended = 0;
  const end = async (): Promise<void> => {
    for (; ended < MAX_QUEUE + 1; ended++) (await until(() => running.shift(), 'a call to run'))();
  };
  await Promise.all([end(), ...modest, ...flood]);
  for (const reply of await Promise.all(modest)) expect(reply.message.result).toBeDefined();
  const turns = served.slice(1);
  expect(turns).toHaveLength(MAX_QUEUE);
  for (let i = 0; i < others.length; i++) {
    const first = turns.indexOf(`other ${i}`);
    expect(first).toBeLessThan(10);
    expect(turns.indexOf(`other ${i}`, first + 1)).toBeLessThan(20);
  }
});

it('others keep their sessions, streams and upstream sessions, and get new ones', async () => {
  const opened = await Promise.all(others.map((key) => legacy(gateway.url, key)));
  const upstreamSession = async (session: Session, i: number): Promise<string | undefined> => {
    const who = `session of ${i}`;
    const { message } = await session.request('tools/call', callOf('stateful__echo', who));
    expect(message.error).toBeUndefined();
    return stateful.heard.findLast(({ params }) => (params.arguments as Json | undefined)?.who === who)?.session;
  };
  const listening = (key: Key, session: string): Promise<Stream> =>
    openStream(gateway.url, { method: 'GET', headers: { 'mcp-session-id': session, ...key.headers } });
  const before = await Promise.all(opened.map(upstreamSession));
  expect(new Set(before).size).toBe(others.length);
  const ended: number[] = [];
  for (const [i, key] of others.entries()) {
    const stream = await listening(key, (opened[i] as Session).id);
    streams.push(stream);
    void stream.ended.then(() => ended.push(i));
  }

  // Six hundred named sessions at one server, then more client sessions and streams than there may be.
  const named = await Promise.all(
    Array.from({ length: 600 }, (_, i) => call(greedy, 'stateful__echo', { who: 'greedy' }, { session: `n${i}` })),
  );
  for (const reply of named.filter(({ message }) => message.error)) expect(codeOf(reply)).toBe('SWB_TOO_MANY_SESSIONS');
  for (let i = 0; i < 3 * MAX_SESSIONS; i++) await legacy(gateway.url, greedy);
  const refused: string[] = [];
  for (let i = 0; i < MAX_STREAMS; i++) {
    try {
      streams.push(await listening(greedy, (await legacy(gateway.url, greedy)).id));
    } catch (error) {
      refused.push(String(error));
    }
  }
  expect(refused.length).toBeGreaterThanOrEqual(MAX_STREAMS / 2);

  expect(await Promise.all(opened.map(upstreamSession))).toEqual(before);
  expect(ended).toEqual([]);
  for (const key of others) streams.push(await listening(key, (await legacy(gateway.url, key)).id));
});

it('others are asked and have tasks, however many calls and tasks of a greedy one wait for answers', async () => {
  const FORM = { capabilities: { elicitation: {} } };
  const flood = await Promise.all(Array.from({ length: 150 }, () => call(greedy, 'asking__ask', {}, FORM)));
  const suspended = flood.filter(({ message }) => message.result?.resultType === 'input_required');
  expect(suspended.length).toBeGreaterThan(0);
  expect(suspended.length).toBeLessThan(flood.length);
  await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      call(greedy, 'tasks__report', { steps: 1, ms: 60_000 }, { session: `t${i}`, capabilities: TASKS }),
    ),
  );
  await Promise.all(
    others.map(async (key, i) => {
      const asked = await call(key, 'asking__ask', {}, FORM);
      const { requestState, inputRequests } = asked.message.result as { requestState: string; inputRequests: Json };
      const [question = ''] = Object.keys(inputRequests);
      const inputResponses = { [question]: { action: 'accept', content: { name: `other ${i}` } } };
      const retry = { name: 'asking__ask', arguments: {}, requestState, inputResponses };
      const done = await ask(key, 'tools/call', retry, FORM);
      expect(done.text).toContain(`other ${i}`);

      const created = await call(key, 'tasks__report', { steps: 1, ms: 1 }, { capabilities: TASKS });
      const { taskId } = created.message.result as { taskId: string };
      await until(async () => {
        const { message } = await ask(key, 'tasks/get', { taskId }, { capabilities: TASKS });
        expect(message.error).toBeUndefined();
        return message.result?.status === 'completed';
      }, 'the task to end');
    }),
  );
});
