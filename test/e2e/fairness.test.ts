/** One fair, bounded queue per server: who asks a little does not wait for who asks a lot. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { type ClientKind, Clients } from './clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { inSession, modernRequest, openSession, send } from './raw.ts';
import { until } from './until.ts';

let v1: HttpFixture;
let v2: HttpFixture;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  gateway = await startReadyGateway({
    servers: {
      one: { url: v1.url, concurrency: 1 },
      modernOne: { url: v2.url, concurrency: 1 },
      tiny: { url: v1.url, concurrency: 1, maxQueue: 1, queueTimeoutMs: 200 },
      free: { url: v1.url },
    },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v1?.close(), v2?.close()]);
});

it.each<[ClientKind, string]>([
  ['v1', 'one'],
  ['v1', 'modernOne'],
])('two %s sessions take turns on %s', async (kind, server) => {
  const greedy = await clients.connect(kind, { http: gateway.url });
  const modest = await clients.connect(kind, { http: gateway.url });
  const order: string[] = [];
  const run = (who: typeof greedy, label: string): Promise<unknown> =>
    who.call(`${server}__slow`, { ms: 30 }).then(() => order.push(label));
  const many = Array.from({ length: 10 }, (_, index) => run(greedy, `greedy ${index}`));
  // The greedy one's calls are all there before the modest one asks.
  await until(() => order.length >= 1, 'the first call');
  const few = [run(modest, 'modest 0'), run(modest, 'modest 1')];
  await Promise.all([...many, ...few]);
  expect(order).toHaveLength(12);
  // Behind at most the one that runs and one turn of the other each time.
  expect(order.indexOf('modest 0')).toBeLessThan(5);
  expect(order.indexOf('modest 1')).toBeLessThan(8);
});

it('the queue of one server delays no other server', async () => {
  const client = await clients.connect('v2-modern', { http: gateway.url });
  const stop = new AbortController();
  const started = v1.ledger.count('slow:started');
  let isBusy = true;
  const busy = client
    .call('one__slow', {}, { signal: stop.signal })
    .catch(() => {})
    .finally(() => {
      isBusy = false;
    });
  await until(() => v1.ledger.count('slow:started') > started, 'the call to run');
  await client.call('free__echo', { text: 'free' });
  expect(isBusy).toBe(true);
  stop.abort();
  await busy;
});

it('a full queue refuses at once, and a call that waits too long is refused in time, both with a retry time', async () => {
  const stop = new AbortController();
  const client = await clients.connect('v1', { http: gateway.url });
  const started = v1.ledger.count('slow:started');
  const running = client.call('tiny__slow', {}, { signal: stop.signal }).catch(() => {});
  await until(() => v1.ledger.count('slow:started') > started, 'the call to run');
  const echo = { name: 'tiny__echo', arguments: { text: 'hi' } };
  const waiting = send(gateway.url, modernRequest('tools/call', echo));
  const session = await openSession(gateway.url);
  const settled = await Promise.all([
    waiting,
    ...[2, 3, 4].map((id) => send(gateway.url, inSession(session, 'tools/call', echo, id))),
  ]);
  const codes = settled.map(({ message }) => message.error?.data?.code).sort();
  expect(codes).toEqual(['SWB_QUEUE_FULL', 'SWB_QUEUE_FULL', 'SWB_QUEUE_FULL', 'SWB_QUEUE_TIMEOUT']);
  for (const { message } of settled) {
    expect(message.error?.data).toMatchObject({ server: 'tiny', retryAfterMs: expect.any(Number) });
  }
  stop.abort();
  await running;
  expect(v1.ledger.count('slow:started')).toBe(started + 1);
});
