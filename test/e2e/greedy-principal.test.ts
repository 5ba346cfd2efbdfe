/**
 * A greedy principal beside nine others at a gateway under policy: approvals, audit, log, servers connected at run time, and
 * its turns at the door. What others ask for is neither refused nor lost, and what is left out of the greedy one is counted.
 */
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { denialOf, modern } from '../attacks/talk.ts';
import { auditLines } from '../policy/gateway.ts';
import { grant } from '../policy/grants.ts';
import { startHooked } from '../policy/hook-modules.ts';
import type { OwnGateway } from './gateway.ts';
import { modernRequest, type RawReply, send } from './raw.ts';
import { until } from './until.ts';

const ADMIN = 'an-admin-token-of-tests';
const MAX_SERVERS = 6;

const everything = { policy: { version: '1', default: 'allow' } };
const greedy = grant(everything);
const others = Array.from({ length: 9 }, () => grant(everything));
type Key = typeof greedy;

let upstream: RecordingUpstream;
let gateway: OwnGateway;

beforeAll(async () => {
  upstream = await startRecording({ tools: ['echo', 'forbidden', 'pay', 'broken'], prompts: ['greet'] });
  const policy = {
    version: '1',
    default: 'allow',
    tools: { v__forbidden: { action: 'deny' }, v__pay: { approve: true, approver: 'operator' } },
  };
  // A hook that fails: a line of the log for each call, which the caller brings about.
  const failing = `export default {
    phases: ['call.before'],
    decide({ name }) { if (name === 'broken') throw new Error('broken'); },
  };`;
  gateway = await startHooked(
    { v: { url: upstream.url, concurrency: 64, maxQueue: 10_000 } },
    { failing },
    {
      gateway: {
        grants: Object.fromEntries([greedy, ...others].map(({ entry }, i) => [`grant${i}`, entry])),
        ...{ adminToken: ADMIN, audit: true, policy, defaultPolicy: 'allow' },
        connect: { allowPrivate: ['127.0.0.1'], maxServers: MAX_SERVERS },
      },
    },
  );
});
afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const call = (key: Key, name: string, args: Record<string, unknown> = {}): Promise<RawReply> =>
  modern(gateway.url, key, 'tools/call', { name, arguments: args });

/** Runs so many, 50 at a time. */
async function many(count: number, run: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) await run(i);
  };
  await Promise.all(Array.from({ length: 50 }, worker));
}

it('others have calls approved while a greedy one has as many waiting as may be, which is refused more', async () => {
  const refused: RawReply[] = [];
  let waiting = 0;
  await many(200, async (i) => {
    const reply = await call(greedy, 'v__pay', { amount: i });
    if (denialOf(reply)?.code === 'SWB_APPROVAL_PENDING') waiting++;
    else refused.push(reply);
  });
  expect([waiting, refused.length]).toEqual([32, 168]);
  for (const { message } of refused) {
    expect(message.error).toMatchObject({
      message: expect.stringMatching(/^32 calls of this caller wait for approval: the most there may be\./),
      data: {
        code: 'SWB_RATE_LIMITED',
        approvals: 32,
        expiresAt: expect.any(Number),
        retryAfterMs: expect.any(Number),
      },
    });
  }
  for (const [i, key] of others.entries()) {
    const id = denialOf(await call(key, 'v__pay', { amount: i }))?.approvalId;
    const headers = { authorization: `Bearer ${ADMIN}` };
    expect((await send(gateway.at(`/admin/approvals/${id}/approve`), { headers })).status).toBe(200);
    expect((await call(key, 'v__pay', { amount: i })).message.result?.isError).toBeUndefined();
  }
});

it('others connect servers at run time although a greedy one has connected all that one of several may', async () => {
  const place = (name: string): string => `http://127.0.0.1:${upstream.port}/${name}`;
  const connectServer = async (key: Key, name: string): Promise<string> => {
    const { message } = await call(key, 'connectServer', { url: place(name), name, kind: 'mcp' });
    return JSON.stringify(message.result);
  };
  const replies: string[] = [];
  for (let i = 0; i < 10; i++) replies.push(await connectServer(greedy, `greedy${i}`));
  expect(replies.filter((reply) => reply.includes('"status":"connected"'))).toHaveLength(MAX_SERVERS / 2);
  expect(replies.at(-1)).toContain(
    '3 servers are connected at run time by this caller, the most that one of several may have',
  );
  for (const [i, key] of others.slice(0, MAX_SERVERS / 2).entries()) {
    expect(await connectServer(key, `other${i}`)).toContain('"status":"connected"');
  }
});

it('others are served within a few of the requests that a greedy one has sent before them, all at once', async () => {
  const flood = 300;
  const order: string[] = [];
  const sockets: Socket[] = [];
  const list = (key: Key): string => {
    const { headers, body } = modernRequest('tools/list');
    const all = {
      ...headers,
      ...key.headers,
      host: 'localhost',
      'content-type': 'application/json',
      accept: 'application/json',
    };
    const lines = Object.entries({ ...all, 'content-length': String(body).length }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    return `POST /mcp HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
  };
  const open = async (key: Key, name: string): Promise<() => void> => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    sockets.push(socket);
    // One request first: the connection stands.
    socket.write(list(key));
    await new Promise((resolve) => socket.once('data', resolve));
    return () => {
      socket.once('data', () => order.push(name));
      socket.write(list(key));
    };
  };
  const greedySends = [];
  for (let i = 0; i < flood; i++) greedySends.push(await open(greedy, 'greedy'));
  // A principal competes for a tenth of a second after a request, which a busy machine may let pass: one of each is read before the flood.
  const competingSends = await Promise.all(others.map((key) => open(key, 'competing')));
  const otherSends = await Promise.all(others.map((key, i) => open(key, `other ${i}`)));
  for (const sendOne of [...competingSends, ...greedySends, ...otherSends]) sendOne();
  await until(() => order.length === flood + 2 * others.length, 'all to be served');
  for (const socket of sockets) socket.destroy();
  const served = order.filter((name) => name !== 'competing');
  const last = Math.max(...others.map((_, i) => served.indexOf(`other ${i}`)));
  expect(last).toBeLessThan(flood / 2);
});

// The last: it ends the gateway, so that everything is written.
it('others keep every line of theirs in audit and log, and what a greedy one has too many of is counted', async () => {
  const before = auditLines(gateway).length;
  const denied = 500;
  await many(denied, () => call(greedy, 'v__forbidden'));
  await many(denied, () => call(greedy, 'v__broken'));
  for (const key of others) {
    await call(key, 'v__forbidden');
    await call(key, 'v__broken');
    await call(key, 'v__echo');
  }
  await gateway.stop();

  const lines = auditLines(gateway).slice(before);
  for (let i = 1; i <= others.length; i++) {
    const own = lines.filter(({ principal }) => principal === `grant${i}`);
    expect(own.map(({ name, outcome, repeated }) => [name, outcome, repeated])).toEqual([
      ['forbidden', 'denied', undefined],
      ['broken', 'denied', undefined],
      ['echo', 'ok', undefined],
    ]);
  }
  const mine = lines.filter(({ principal }) => principal === 'grant0');
  // How many fewer depends on how long they took: so many in each ten seconds.
  expect(mine.length).toBeLessThan(denied);
  for (const name of ['forbidden', 'broken']) {
    const counted = mine.filter((line) => line.name === name).map(({ repeated = 1 }) => repeated);
    expect(counted.reduce((sum, each) => sum + each, 0)).toBe(denied);
  }
  expect(mine.find(({ name, repeated }) => name === 'forbidden' && repeated !== undefined)).toMatchObject({
    ...{ kind: 'tools', verdict: 'deny', outcome: 'denied', since: expect.any(String) },
  });

  const failures = gateway
    .log()
    .split('\n')
    .filter((line) => line.includes('A policy hook failed'))
    .map((line) => JSON.parse(line));
  const written = (principal: string) =>
    failures.filter((line) => line.principal === principal && line.msg === 'A policy hook failed');
  for (let i = 1; i <= others.length; i++) expect(written(`grant${i}`)).toHaveLength(1);
  const left = failures
    .filter(({ principal, of }) => principal === 'grant0' && of !== undefined)
    .map((line) => line.lines);
  expect(written('grant0').length).toBeLessThan(denied / 2);
  expect(written('grant0').length + left.reduce((sum, each) => sum + each, 0)).toBe(denied);
});
