import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { call, type Exchanged, listenOn, openSession, post, type TestEndpoint, until } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

let endpoint: TestEndpoint;

const note = (n: number, data = ''): JsonObject & { jsonrpc: '2.0'; method: string } => ({
  jsonrpc: '2.0',
  method: 'notifications/x',
  params: { n, data },
});

const numbers = (stream: Exchanged): unknown[] => stream.messages().map(({ params }) => (params as { n: number }).n);

/** A call that sends numbered notifications when told to. */
async function startCall(session: Record<string, string>, id = 1) {
  let say: (n: number, data?: string) => void = () => {};
  let pause: ((retryMs: number) => void) | undefined;
  const answer = Promise.withResolvers<JsonObject>();
  endpoint.relay.on('tools/call', async ({ inbound, cancelled }) => {
    say = (n, data) => inbound.channel.notify(note(n, data));
    pause = (retryMs) => inbound.channel.pause?.(retryMs);
    say(1);
    return { value: await Promise.race([answer.promise, cancelled]) };
  });
  const stream = await post(endpoint.url(), call(id, 'x'), session);
  await until(() => stream.messages().length === 1, 'the stream is open');
  return {
    stream,
    say: (n: number, data?: string) => say(n, data),
    pause: (retryMs: number) => pause?.(retryMs),
    answer: (value: JsonObject) => answer.resolve(value),
  };
}

test('from 2025-11-25 on a stream opens with an event that has an id, no data and a time to come back', async () => {
  endpoint = await testEndpoint({ timing: { retryMs: 1_234 } });
  const session = await openSession(endpoint.url());
  const standalone = await listenOn(endpoint.url(), session);
  const { stream } = await startCall(session);
  for (const opened of [standalone, stream]) {
    await until(() => opened.events.length > 0, 'the primer arrives');
    expect(opened.events[0]?.id).toMatch(/-0$/);
    expect(opened.events[0]?.data).toHaveLength(0);
    expect(opened.retries).toEqual([1_234]);
  }
});

test.each(['2025-03-26', '2025-06-18'])(
  'before that (%s) events have ids, and there is no such event',
  async (revision) => {
    endpoint = await testEndpoint();
    const { stream } = await startCall(await openSession(endpoint.url(), revision));
    expect(stream.events).toHaveLength(1);
    expect(stream.events[0]?.id).toMatch(/-1$/);
  },
);

test('ids are unique over the streams of a session', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const ids: unknown[] = [];
  for (let i = 1; i <= 3; i++) {
    const { stream, answer } = await startCall(session, i);
    answer({});
    await stream.text;
    ids.push(...stream.events.map(({ id }) => id));
  }
  expect(ids).toHaveLength(9);
  expect(new Set(ids).size).toBe(9);
});

test('a client that comes back gets what it missed, then what comes, then the answer; and only of its stream', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const standalone = await listenOn(endpoint.url(), session);
  const { stream, say, answer } = await startCall(session);
  say(2);
  await until(() => stream.messages().length === 2, 'the second message arrives');
  const afterFirst = stream.events[1]?.id;
  stream.abort();
  say(3);
  for (const known of endpoint.relay.sessions) known.notify(note(100) as never);
  const resumed = await listenOn(endpoint.url(), session, afterFirst);
  say(4);
  answer({ done: true });
  await resumed.text;
  expect(numbers({ ...resumed, messages: () => resumed.messages().slice(0, -1) })).toEqual([2, 3, 4]);
  expect(resumed.messages().at(-1)).toEqual({ jsonrpc: '2.0', id: 1, result: { done: true } });
  expect(numbers(standalone)).toEqual([100]);
});

test('coming back before the gateway noticed takes the stream over', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const { stream, say } = await startCall(session);
  const resumed = await listenOn(endpoint.url(), session, stream.events.at(-1)?.id);
  await stream.text;
  say(2);
  await until(() => resumed.messages().length === 1, 'the message arrives on the new connection');
  expect(numbers(resumed)).toEqual([2]);
});

test('a stream ends with a time to come back when the server asks to be polled, and the client gets the rest then', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const { stream, say, pause, answer } = await startCall(session);
  pause(70);
  await stream.text;
  expect(stream.retries.at(-1)).toBe(70);
  say(2);
  const resumed = await listenOn(endpoint.url(), session, stream.events.at(-1)?.id);
  answer({ done: true });
  await resumed.text;
  expect(resumed.messages()).toMatchObject([{ params: { n: 2 } }, { id: 1, result: { done: true } }]);
  expect(endpoint.relay.cancelled).toEqual([]);
});

test('the stream of a client that could not come back does not end when the server asks to be polled', async () => {
  endpoint = await testEndpoint();
  const { stream, pause, answer } = await startCall(await openSession(endpoint.url(), '2025-06-18'));
  pause(70);
  answer({ done: true });
  await stream.text;
  expect([stream.retries, stream.messages().at(-1)]).toMatchObject([[], { id: 1, result: { done: true } }]);
});

test('a standalone stream is resumed as well, with the messages sent meanwhile', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const first = await listenOn(endpoint.url(), session);
  const [known] = endpoint.relay.sessions;
  known?.notify(note(1) as never);
  await until(() => first.messages().length === 1, 'the first message arrives');
  const lastEventId = first.events.at(-1)?.id;
  first.abort();
  known?.notify(note(2) as never);
  const second = await listenOn(endpoint.url(), session, lastEventId);
  known?.notify(note(3) as never);
  await until(() => second.messages().length === 2, 'both messages arrive');
  expect(numbers(second)).toEqual([2, 3]);
});

test('a stream that is over and was received in full is not worth coming back to: 204', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const { stream, answer } = await startCall(session);
  answer({});
  await stream.text;
  expect((await listenOn(endpoint.url(), session, stream.events.at(-1)?.id)).status).toBe(204);
  const replayed = await listenOn(endpoint.url(), session, stream.events.at(-2)?.id);
  await replayed.text;
  expect(replayed.messages()).toMatchObject([{ id: 1, result: {} }]);
});

describe('ids that lead nowhere', () => {
  test.each(['r99-1', 'nonsense', 'r1', 'r1-99999999999999999999'])('%s cannot be resumed', async (lastEventId) => {
    endpoint = await testEndpoint();
    const session = await openSession(endpoint.url());
    const refused = await listenOn(endpoint.url(), session, lastEventId);
    expect([refused.status, await refused.json()]).toMatchObject([400, { error: { code: -32600 } }]);
  });

  test("a forgotten standalone stream is replaced by a new one; another session's ids say nothing", async () => {
    endpoint = await testEndpoint();
    const [a, b] = [await openSession(endpoint.url()), await openSession(endpoint.url())];
    expect((await listenOn(endpoint.url(), a, 's77-3')).status).toBe(200);
    const { stream } = await startCall(a);
    expect((await listenOn(endpoint.url(), b, stream.events.at(-1)?.id)).status).toBe(400);
  });

  test('stored messages are forgotten after the grace time', async () => {
    endpoint = await testEndpoint({ timing: { resumeGraceMs: 40 } });
    const session = await openSession(endpoint.url());
    const { stream, answer } = await startCall(session);
    answer({});
    await stream.text;
    const lastEventId = stream.events.at(-1)?.id;
    const deadline = Date.now() + 20_000;
    let status = 0;
    while (status !== 400 && Date.now() < deadline)
      status = (await listenOn(endpoint.url(), session, lastEventId)).status;
    expect(status).toBe(400);
  });
});

test('stored messages are bounded: the oldest go first, and the answer is replayed all the same', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const { stream, say, answer } = await startCall(session);
  const lastEventId = stream.events.at(-1)?.id;
  stream.abort();
  for (let n = 2; n <= 41; n++) say(n, 'x'.repeat(100_000));
  answer({ done: true });
  const resumed = await listenOn(endpoint.url(), session, lastEventId);
  await resumed.text;
  const kept = numbers({ ...resumed, messages: () => resumed.messages().slice(0, -1) });
  expect(kept.length).toBeLessThan(11);
  expect(kept.at(-1)).toBe(41);
  expect(resumed.messages().at(-1)).toMatchObject({ id: 1, result: { done: true } });
});

test('an answer too large to be stored is replayed as an error that says so', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const { stream, answer } = await startCall(session);
  const lastEventId = stream.events.at(-1)?.id;
  stream.abort();
  answer({ big: 'x'.repeat(2 * 1024 * 1024) });
  const resumed = await listenOn(endpoint.url(), session, lastEventId);
  await resumed.text;
  expect(resumed.messages()).toMatchObject([{ id: 1, error: { data: { code: 'SWB_REPLY_TOO_LARGE' } } }]);
});

test('an answer too large to be stored still arrives over a connection that holds', async () => {
  endpoint = await testEndpoint();
  const { stream, answer } = await startCall(await openSession(endpoint.url()));
  answer({ big: 'x'.repeat(2 * 1024 * 1024) });
  await stream.text;
  expect(JSON.stringify(stream.messages().at(-1))).toHaveLength(
    2 * 1024 * 1024 + '{"jsonrpc":"2.0","id":1,"result":{"big":""}}'.length,
  );
});
