import { expect, test } from 'vitest';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { call, type Exchanged, listenOn, openSession, post, send, type TestEndpoint, until } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

let endpoint: TestEndpoint;

const questions = (stream: Exchanged): JsonObject[] =>
  stream.messages().filter(({ method }) => method === 'elicitation/create');

/** Calls the asking tool and waits until its question has arrived. */
async function ask(session: Record<string, string>, id: number, question = 'Name?'): Promise<[Exchanged, JsonObject]> {
  const stream = await post(endpoint.url(), call(id, 'ask', { question }), session);
  await until(() => questions(stream).length === 1, 'the question arrives');
  return [stream, questions(stream)[0] as JsonObject];
}

const answer = (session: Record<string, string>, id: unknown, rest: JsonObject): Promise<Exchanged> =>
  post(endpoint.url(), { jsonrpc: '2.0', id, ...rest }, session);

function textOf(stream: Exchanged): string {
  const { result } = stream.messages().at(-1) as { result: { content: [{ text: string }] } };
  return result.content[0].text;
}

test('a question goes out on the stream of its own call, and its answer comes back by POST', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const standalone = await listenOn(endpoint.url(), session);
  const [stream, question] = await ask(session, 1, 'Who?');
  expect(question).toMatchObject({ params: { message: 'Who?' } });
  const accepted = await answer(session, question.id, { result: { action: 'accept', content: { name: 'Ada' } } });
  expect([accepted.status, await accepted.text]).toEqual([202, '']);
  await stream.text;
  expect(JSON.parse(textOf(stream))).toEqual({ action: 'accept', content: { name: 'Ada' } });
  expect(standalone.messages()).toEqual([]);
});

test('several calls ask at once without being mixed up', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const asked = await Promise.all([1, 2, 3, 4].map((id) => ask(session, id, `q${id}`)));
  expect(new Set(asked.map(([, question]) => question.id)).size).toBe(4);
  for (const [, question] of asked.toReversed()) {
    await answer(session, question.id, { result: { echo: (question.params as JsonObject).message } });
  }
  for (const [i, [stream]] of asked.entries()) {
    await stream.text;
    expect(stream.messages().at(-1)?.id).toBe(i + 1);
    expect(JSON.parse(textOf(stream))).toEqual({ echo: `q${i + 1}` });
  }
});

test("an error of the client arrives as the client's", async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const [stream, question] = await ask(session, 1);
  await answer(session, question.id, { error: { code: -1, message: 'User rejected' } });
  await stream.text;
  expect(textOf(stream)).toBe('client error -1: User rejected');
});

test('responses that no ask waits for are accepted and dropped; another session cannot respond', async () => {
  endpoint = await testEndpoint();
  const [mine, other] = [await openSession(endpoint.url()), await openSession(endpoint.url())];
  const [stream, question] = await ask(mine, 1);
  for (const id of [999, 'x', String(question.id)]) {
    expect((await answer(mine, id, { result: { wrong: true } })).status).toBe(202);
  }
  expect((await answer(other, question.id, { result: { wrong: true } })).status).toBe(202);
  await answer(mine, question.id, { result: { right: true } });
  expect((await answer(mine, question.id, { result: { again: true } })).status).toBe(202);
  await stream.text;
  expect(JSON.parse(textOf(stream))).toEqual({ right: true });
});

test('an ask without a response ends in time, and is withdrawn from the client', async () => {
  endpoint = await testEndpoint({ timing: { askTimeoutMs: 50 } });
  const session = await openSession(endpoint.url());
  const [stream, question] = await ask(session, 1);
  await stream.text;
  expect(textOf(stream)).toBe('refused: SWB_ASK_REFUSED');
  expect(stream.messages().find(({ method }) => method === 'notifications/cancelled')?.params).toMatchObject({
    requestId: question.id,
  });
});

test('a question is refused when the session ends', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const outcome = Promise.withResolvers<unknown>();
  endpoint.relay.on('tools/call', async ({ inbound }) => {
    await inbound.channel.ask?.({ method: 'roots/list' }).catch((error) => outcome.resolve(error));
    return { value: {} };
  });
  const stream = await post(endpoint.url(), call(1, 'x'), session);
  await until(() => stream.messages().length === 1, 'the question arrives');
  await send(endpoint.url(), { method: 'DELETE', headers: session });
  expect(await outcome.promise).toMatchObject({ code: 'SWB_ASK_REFUSED' });
});

test('a question that the server withdraws, or whose call is over, is withdrawn from the client', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const withdrawing = new AbortController();
  const outcomes: unknown[] = [];
  endpoint.relay.on('tools/call', async ({ inbound }) => {
    const keep = (error: { code: string }): void => void outcomes.push(error.code);
    const first = inbound.channel.ask?.({ method: 'roots/list', signal: withdrawing.signal }).catch(keep);
    inbound.channel.ask?.({ method: 'roots/list' }).catch(keep);
    withdrawing.abort();
    await first;
    await inbound.channel.ask?.({ method: 'roots/list', signal: AbortSignal.abort() }).catch(keep);
    return { value: {} };
  });
  const stream = await post(endpoint.url(), call(1, 'x'), session);
  await stream.text;
  expect(outcomes).toEqual(['SWB_CANCELLED', 'SWB_CANCELLED', 'SWB_CANCELLED']);
  expect(stream.messages().map(({ method, id }) => method ?? `answer ${id}`)).toEqual([
    'roots/list',
    'roots/list',
    'notifications/cancelled',
    'notifications/cancelled',
    'answer 1',
  ]);
});

test('a client that takes JSON only is asked on its standalone stream, or not at all', async () => {
  endpoint = await testEndpoint();
  const session = { ...(await openSession(endpoint.url())), accept: 'application/json' };
  const refused = await post(endpoint.url(), call(1, 'ask'), session);
  expect(JSON.stringify(await refused.json())).toContain('refused: SWB_ASK_REFUSED');
  const standalone = await listenOn(endpoint.url(), session);
  const pending = post(endpoint.url(), call(2, 'ask'), session);
  await until(() => questions(standalone).length === 1, 'the question arrives');
  await answer(session, questions(standalone)[0]?.id, { result: { action: 'decline' } });
  expect(JSON.stringify(await (await pending).json())).toContain('decline');
});

test('a question asked while the connection is broken is answered after the client came back', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const askNow = Promise.withResolvers<void>();
  endpoint.relay.on('tools/call', async ({ inbound }) => {
    inbound.channel.notify({ jsonrpc: '2.0', method: 'notifications/x' });
    await askNow.promise;
    return { value: (await inbound.channel.ask?.({ method: 'roots/list' })) ?? {} };
  });
  const stream = await post(endpoint.url(), call(1, 'x'), session);
  await until(() => stream.messages().length === 1, 'the stream is open');
  stream.abort();
  askNow.resolve();
  const resumed = await listenOn(endpoint.url(), session, stream.events.at(-1)?.id);
  await until(() => resumed.messages().length === 1, 'the question arrives');
  await answer(session, resumed.messages()[0]?.id, { result: { roots: [] } });
  await resumed.text;
  expect(resumed.messages().at(-1)).toMatchObject({ id: 1, result: { roots: [] } });
});
