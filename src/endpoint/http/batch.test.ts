import { expect, test } from 'vitest';
import { call, initialize, openSession, post, rpc, type TestEndpoint, until } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

let endpoint: TestEndpoint;

const REVISION = '2025-03-26';

test('a batch of a 2025-03-26 session is answered by one array', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url(), REVISION);
  const batch = [
    rpc(1, 'ping'),
    { jsonrpc: '2.0', method: 'notifications/x' },
    call('two', 'echo', { n: 2 }),
    rpc(3, 'no/such'),
    { nonsense: true },
    initialize(),
  ];
  const reply = await post(endpoint.url(), batch, session);
  expect(reply.headers['content-type']).toBe('application/json');
  const answers = (await reply.json()) as unknown as { id: unknown; error?: { code: number } }[];
  expect(new Map(answers.map(({ id, error }) => [id, error?.code]))).toEqual(
    new Map<unknown, number | undefined>([
      [1, undefined],
      ['two', undefined],
      [3, -32601],
      [null, -32600],
      [0, -32600],
    ]),
  );
  expect(endpoint.relay.notifications).toHaveLength(1);
});

test('a batch without requests is accepted', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url(), REVISION);
  const reply = await post(
    endpoint.url(),
    [
      { jsonrpc: '2.0', method: 'notifications/x' },
      { id: 1, result: {} },
    ],
    session,
  );
  expect([reply.status, await reply.text]).toEqual([202, '']);
});

test('a batch whose calls send notifications is a stream that ends with the array', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url(), REVISION);
  const reply = await post(endpoint.url(), [rpc(1, 'ping'), call(2, 'progress', { steps: 2 })], session);
  await reply.text;
  const messages = reply.messages() as unknown[];
  expect(messages.slice(0, -1)).toMatchObject([{ params: { progress: 1 } }, { params: { progress: 2 } }]);
  expect(messages.at(-1)).toMatchObject([{ id: 1 }, { id: 2 }]);
});

test('the reply to a batch has none for withdrawn requests; a client that leaves cancels all of them', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url(), REVISION);
  const pending = post(endpoint.url(), [call(1, 'wait'), call(2, 'echo')], session);
  await until(() => endpoint.relay.requests.some(({ request }) => request.id === 2), 'the batch runs');
  await post(endpoint.url(), { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }, session);
  expect(await (await pending).json()).toMatchObject([{ id: 2 }]);

  const controller = new AbortController();
  fetch(endpoint.url(), {
    method: 'POST',
    headers: { ...session, 'content-type': 'application/json' },
    body: JSON.stringify([call(3, 'wait'), call(4, 'wait')]),
    signal: controller.signal,
  }).catch(() => {});
  await until(() => endpoint.relay.requests.some(({ request }) => request.id === 4), 'the batch runs');
  controller.abort();
  await until(() => endpoint.relay.cancelled.length === 3, 'both are cancelled');
});

test.each(['2024-11-05', '2025-06-18', '2025-11-25'])('a session of %s has no batches', async (revision) => {
  endpoint = await testEndpoint();
  const refused = await post(endpoint.url(), [rpc(1, 'ping')], await openSession(endpoint.url(), revision));
  expect([refused.status, await refused.json()]).toMatchObject([
    400,
    { id: null, error: { code: -32600, data: { code: 'SWB_BATCH_REFUSED' } } },
  ]);
});

test('a batch without a session is refused, and one of a session has 1 to 100 messages', async () => {
  endpoint = await testEndpoint();
  expect(await (await post(endpoint.url(), [initialize(REVISION)])).json()).toMatchObject({
    error: { data: { code: 'SWB_BATCH_REFUSED' } },
  });
  const session = await openSession(endpoint.url(), REVISION);
  for (const batch of [[], Array.from({ length: 101 }, (_, i) => rpc(i, 'ping'))]) {
    const refused = await post(endpoint.url(), batch, session);
    expect([refused.status, await refused.json()]).toMatchObject([400, { error: { code: -32600 } }]);
  }
});
