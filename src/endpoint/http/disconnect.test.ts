import { expect, test } from 'vitest';
import {
  call,
  initialize,
  listenOn,
  modern,
  openSession,
  post,
  postModern,
  send,
  type TestEndpoint,
  until,
} from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

let endpoint: TestEndpoint;

const running = (count = 1): Promise<void> =>
  until(
    () => endpoint.relay.requests.filter(({ request }) => request.method === 'tools/call').length === count,
    'the call runs',
  );
const cancelled = (): Promise<void> => until(() => endpoint.relay.cancelled.length === 1, 'the call is cancelled');

/** Starts a POST whose reply has not begun, and leaves. */
async function leaveEarly(message: unknown, headers: Record<string, string>): Promise<void> {
  const controller = new AbortController();
  const posted = fetch(endpoint.url(), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify(message),
    signal: controller.signal,
  });
  posted.catch(() => {});
  await running();
  controller.abort();
}

test('a modern client that leaves before the reply has cancelled', async () => {
  endpoint = await testEndpoint();
  const message = modern(1, 'tools/call', { name: 'wait', arguments: {} });
  await leaveEarly(message, { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'wait' });
  await cancelled();
});

test('a modern client that closes its stream has cancelled', async () => {
  endpoint = await testEndpoint();
  const reply = await postModern(endpoint.url(), modern(1, 'tools/call', { name: 'linger', arguments: {} }));
  await until(() => reply.events.length === 1, 'the stream is open');
  reply.abort();
  await cancelled();
});

test('a closed subscription is cancelled', async () => {
  endpoint = await testEndpoint();
  const reply = await postModern(endpoint.url(), modern(1, 'subscriptions/listen', { notifications: {} }));
  reply.abort();
  await cancelled();
  expect(endpoint.relay.cancelled[0]?.method).toBe('subscriptions/listen');
});

test('an answered request is not cancelled when its connection closes later', async () => {
  endpoint = await testEndpoint();
  await (await postModern(endpoint.url(), modern(1, 'tools/list'))).text;
  const session = await openSession(endpoint.url());
  await (await post(endpoint.url(), call(1, 'echo'), session)).text;
  await endpoint.close();
  expect(endpoint.relay.cancelled).toEqual([]);
});

test('a legacy client that leaves before the reply can never fetch it: cancelled', async () => {
  endpoint = await testEndpoint();
  await leaveEarly(call(1, 'wait'), await openSession(endpoint.url()));
  await cancelled();
});

test('a legacy call whose stream can be resumed runs on, for the grace time', async () => {
  endpoint = await testEndpoint({ timing: { resumeGraceMs: 200 } });
  const session = await openSession(endpoint.url());
  const reply = await post(endpoint.url(), call(1, 'linger'), session);
  await until(() => reply.messages().length === 1, 'the stream is open');
  const left = Date.now();
  reply.abort();
  await cancelled();
  expect(Date.now() - left).toBeGreaterThanOrEqual(190);
});

test('a call that is answered while its client is away waits for it', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const reply = await post(endpoint.url(), call(1, 'linger'), session);
  await until(() => reply.messages().length === 1, 'the stream is open');
  const lastEventId = reply.events.at(-1)?.id;
  reply.abort();
  await endpoint.relay.close();
  const resumed = await listenOn(endpoint.url(), session, lastEventId);
  await resumed.text;
  expect(resumed.messages()).toMatchObject([{ id: 1, result: {} }]);
  expect(endpoint.relay.cancelled).toEqual([]);
});

test('ending the session answers what is in flight', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const pending = post(endpoint.url(), call(1, 'wait'), session);
  const streaming = await post(endpoint.url(), call(2, 'linger'), session);
  await running(2);
  expect((await send(endpoint.url(), { method: 'DELETE', headers: session })).status).toBe(204);
  expect(await (await pending).json()).toMatchObject({ id: 1, error: { data: { code: 'SWB_CANCELLED' } } });
  await streaming.text;
  expect(streaming.messages().at(-1)).toMatchObject({ id: 2, error: { data: { code: 'SWB_CANCELLED' } } });
});

test('closing the endpoint ends sessions and streams, and does not wait for ever', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const standalone = await listenOn(endpoint.url(), session);
  const subscription = await postModern(endpoint.url(), modern(1, 'subscriptions/listen', { notifications: {} }));
  await endpoint.close();
  await standalone.text;
  await expect(subscription.text).rejects.toThrow();
  expect(endpoint.relay.sessions.size).toBe(0);
  await until(() => endpoint.relay.cancelled.length === 1, 'the subscription is cancelled');
});

test('a client that leaves in the middle of initialize leaves an idle session at most', async () => {
  endpoint = await testEndpoint({ limits: { sessionIdleMs: 40 } });
  (await post(endpoint.url(), initialize())).abort();
  await until(() => endpoint.relay.closedSessions === 1, 'the session is swept');
});
