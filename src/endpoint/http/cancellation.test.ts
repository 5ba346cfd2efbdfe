import { expect, test } from 'vitest';
import { call, type Exchanged, listenOn, openSession, post, type TestEndpoint, until } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

let endpoint: TestEndpoint;

const withdraw = (session: Record<string, string>, params: unknown): Promise<Exchanged> =>
  post(endpoint.url(), { jsonrpc: '2.0', method: 'notifications/cancelled', params }, session);

const running = (id: unknown): Promise<void> =>
  until(() => endpoint.relay.requests.some(({ request }) => request.id === id), 'the call runs');

test('a withdrawn call is cancelled with its reason; its POST ends as a stream without an answer', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const pending = post(endpoint.url(), call('a', 'wait'), session);
  await running('a');
  expect((await withdraw(session, { requestId: 'a', reason: 'changed my mind' })).status).toBe(202);
  const reply = await pending;
  await reply.text;
  expect([reply.status, reply.headers['content-type'], reply.messages()]).toEqual([200, 'text/event-stream', []]);
  expect(endpoint.relay.cancelled).toEqual([{ method: 'tools/call', reason: 'changed my mind' }]);
});

test('a stream under way ends without an answer, and coming back for more is answered 204', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const stream = await post(endpoint.url(), call(1, 'linger'), session);
  await until(() => stream.messages().length === 1, 'the stream is open');
  await withdraw(session, { requestId: 1 });
  await stream.text;
  expect(stream.messages()).toHaveLength(1);
  expect((await listenOn(endpoint.url(), session, stream.events.at(-1)?.id)).status).toBe(204);
});

test('a client that takes JSON only gets an error: HTTP has no other end', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const pending = post(endpoint.url(), call(1, 'wait'), { ...session, accept: 'application/json' });
  await running(1);
  await withdraw(session, { requestId: 1 });
  expect(await (await pending).json()).toMatchObject({ id: 1, error: { data: { code: 'SWB_CANCELLED' } } });
});

test('unknown, late, malformed and foreign withdrawals change nothing', async () => {
  endpoint = await testEndpoint();
  const [mine, other] = [await openSession(endpoint.url()), await openSession(endpoint.url())];
  const pending = post(endpoint.url(), call(1, 'wait'), mine);
  await running(1);
  for (const params of [{ requestId: 2 }, { requestId: '1' }, { requestId: null }, {}, undefined]) {
    expect((await withdraw(mine, params)).status).toBe(202);
  }
  await withdraw(other, { requestId: 1 });
  await endpoint.relay.close();
  expect(await (await pending).json()).toMatchObject({ id: 1, result: {} });
  expect((await withdraw(mine, { requestId: 1 })).status).toBe(202);
  expect(endpoint.relay.cancelled).toEqual([]);
});

test('the id of a withdrawn request is free again at once', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const pending = post(endpoint.url(), call(1, 'wait'), session);
  await running(1);
  await withdraw(session, { requestId: 1 });
  await (await pending).text;
  expect(await (await post(endpoint.url(), call(1, 'echo'), session)).json()).toMatchObject({ id: 1, result: {} });
});
