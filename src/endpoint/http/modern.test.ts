import { Agent } from 'node:http';
import { expect, test } from 'vitest';
import { identityOf } from '../../core/identity.ts';
import { META } from '../../wire/envelope.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { modern, modernHeaders, post, postModern, rpc, send, type TestEndpoint, until } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

let endpoint: TestEndpoint;

const tool = (name: string, args: JsonObject = {}, meta: JsonObject = {}): JsonObject =>
  modern('c1', 'tools/call', { name, arguments: args }, meta);

test('an answer is one JSON body with its length; bytes of a result pass unchanged', async () => {
  endpoint = await testEndpoint();
  for (const filler of ['', 'x'.repeat(200_000)]) {
    const json = `{"resultType":"complete", "n":9007199254740993.10, "ü":"\\u00e9${filler}","1":[ ]}`;
    endpoint.relay.on('tools/call', () => ({ raw: Buffer.from(json) }));
    const reply = await postModern(endpoint.url(), tool('raw'));
    const text = await reply.text;
    expect(reply.headers['content-type']).toBe('application/json');
    expect(reply.headers['content-length']).toBe(String(Buffer.byteLength(text)));
    expect(text).toBe(`{"jsonrpc":"2.0","id":"c1","result":${json}}`);
  }
});

test('the id comes back as it was sent, whatever it is', async () => {
  endpoint = await testEndpoint();
  for (const id of [0, -5, 1.5, '', '1', 'ü"\\\n', Number.MAX_SAFE_INTEGER]) {
    expect((await (await postModern(endpoint.url(), modern(id, 'tools/list'))).json()).id).toBe(id);
  }
});

test('an id that parsing would round is refused, as its answer would go to another one', async () => {
  endpoint = await testEndpoint();
  const text = JSON.stringify(modern(1, 'tools/list')).replace('"id":1', '"id":9007199254740993');
  const headers = { 'content-type': 'application/json', ...modernHeaders(modern(1, 'tools/list')) };
  const refused = await send(endpoint.url(), { headers, body: text });
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({ id: null, error: { code: -32600 } });
});

test('a notification before the answer makes the reply a stream without event ids, which the answer ends', async () => {
  endpoint = await testEndpoint();
  const reply = await postModern(endpoint.url(), tool('progress', { steps: 3 }, { progressToken: 'p' }));
  expect(reply.headers['content-type']).toBe('text/event-stream');
  expect(reply.headers['x-accel-buffering']).toBe('no');
  await reply.text;
  expect(reply.messages().map((message) => message.method ?? message.id)).toEqual([
    'notifications/progress',
    'notifications/progress',
    'notifications/progress',
    'c1',
  ]);
  expect(reply.events.every((event) => event.id === undefined)).toBe(true);
});

test('an error after the stream has begun arrives on it', async () => {
  endpoint = await testEndpoint();
  endpoint.relay.on('tools/call', ({ inbound }) => {
    inbound.channel.notify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 1 } });
    throw new Error('inner');
  });
  const reply = await postModern(endpoint.url(), tool('x'));
  await reply.text;
  expect(reply.status).toBe(200);
  expect(reply.messages()[1]).toMatchObject({ id: 'c1', error: { code: -32603 } });
});

test('a client that takes JSON only gets JSON, without what came before', async () => {
  endpoint = await testEndpoint();
  const message = tool('progress');
  const reply = await postModern(endpoint.url(), message, { accept: 'application/json' });
  expect(await reply.json()).toMatchObject({ id: 'c1', result: { resultType: 'complete' } });
});

test('a client that takes streams only gets a stream; one that takes neither gets an error', async () => {
  endpoint = await testEndpoint();
  const stream = await postModern(endpoint.url(), tool('echo'), { accept: 'text/event-stream' });
  expect(stream.headers['content-type']).toBe('text/event-stream');
  await stream.text;
  expect(stream.messages()[0]).toMatchObject({ id: 'c1' });
  const failed = await postModern(endpoint.url(), modern(1, 'no/such'), {
    accept: 'text/event-stream, application/json',
  });
  expect([failed.status, await failed.json()]).toMatchObject([404, { error: { code: -32601 } }]);
  for (const accept of ['text/html', 'application/json;q=0']) {
    const refused = await postModern(endpoint.url(), tool('echo'), { accept });
    expect([refused.status, await refused.json()]).toMatchObject([
      406,
      { error: { data: { code: 'SWB_NOT_ACCEPTABLE' } } },
    ]);
  }
});

test('a subscription stays open, and ends with its answer', async () => {
  endpoint = await testEndpoint();
  const listen = modern(5, 'subscriptions/listen', { notifications: { toolsListChanged: true } });
  const reply = await postModern(endpoint.url(), listen);
  await until(() => reply.messages().length === 2, 'both notifications are there');
  expect(reply.messages()[0]).toMatchObject({
    method: 'notifications/subscriptions/acknowledged',
    params: { _meta: { [META.subscriptionId]: 5 } },
  });
  await endpoint.relay.close();
  await reply.text;
  expect(reply.messages()[2]).toMatchObject({ id: 5, result: { resultType: 'complete' } });
});

test('a subscription needs a stream', async () => {
  endpoint = await testEndpoint({ limits: { maxStreams: 0 } });
  const listen = modern(5, 'subscriptions/listen', { notifications: {} });
  expect((await postModern(endpoint.url(), listen, { accept: 'application/json' })).status).toBe(406);
  const full = await postModern(endpoint.url(), listen);
  expect([full.status, full.headers['retry-after'], await full.json()]).toMatchObject([
    503,
    '5',
    { id: 5, error: { data: { code: 'SWB_TOO_MANY_STREAMS' } } },
  ]);
});

test('with no room for another stream a call is answered all the same', async () => {
  endpoint = await testEndpoint({ limits: { maxStreams: 0 } });
  const reply = await postModern(endpoint.url(), tool('progress'));
  expect(await reply.json()).toMatchObject({ id: 'c1', result: { resultType: 'complete' } });
});

test('notifications are accepted, responses and batches are not', async () => {
  endpoint = await testEndpoint();
  const headers = { 'mcp-protocol-version': '2026-07-28' };
  const notify = async (message: JsonObject): Promise<[number, string]> => {
    const reply = await post(endpoint.url(), message, headers);
    return [reply.status, await reply.text];
  };
  const { id: _, ...note } = modern(1, 'notifications/x-test');
  expect(await notify(note)).toEqual([202, '']);
  expect(await notify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })).toEqual([
    202,
    '',
  ]);
  expect(endpoint.relay.notifications.map(({ notification }) => notification.method)).toEqual(['notifications/x-test']);
  expect((await notify({ jsonrpc: '2.0', id: 1, result: {} }))[0]).toBe(400);
  const batch = await post(endpoint.url(), [modern(1, 'tools/list')], headers);
  expect([batch.status, await batch.json()]).toMatchObject([400, { error: { data: { code: 'SWB_BATCH_REFUSED' } } }]);
});

test('the caller is who the envelope says; its key is the principal and the session it names', async () => {
  endpoint = await testEndpoint();
  const meta = {
    [META.clientCapabilities]: { elicitation: {} },
    [META.logLevel]: 'debug',
    'switchboard/session': 'research',
  };
  await postModern(endpoint.url(), tool('echo', {}, meta));
  await postModern(endpoint.url(), tool('echo'));
  const [named, plain] = endpoint.relay.requests.map(({ caller }) => caller);
  expect(named).toEqual({
    key: 'local\nresearch',
    principal: 'local',
    identity: identityOf('local'),
    era: 'modern',
    protocolVersion: '2026-07-28',
    capabilities: { elicitation: {} },
    clientInfo: { name: 'test', version: '1' },
    logLevel: 'debug',
    sessionId: undefined,
  });
  expect(plain?.key).toBe('local');
  for (const bad of ['', 'x'.repeat(129), 'two words', 'a\nb', 7]) {
    const refused = await postModern(endpoint.url(), tool('echo', {}, { 'switchboard/session': bad }));
    expect([refused.status, await refused.json()]).toMatchObject([400, { error: { code: -32602 } }]);
  }
});

test('a session id beside an envelope is ignored, and none is given out', async () => {
  endpoint = await testEndpoint();
  const reply = await postModern(endpoint.url(), tool('echo'), { 'mcp-session-id': 'whatever' });
  expect(reply.status).toBe(200);
  expect(reply.headers['mcp-session-id']).toBeUndefined();
});

test('a result that cannot be written as JSON becomes an error', async () => {
  endpoint = await testEndpoint();
  const reply = await postModern(endpoint.url(), tool('circular'));
  expect([reply.status, await reply.json()]).toMatchObject([
    500,
    { id: 'c1', error: { data: { code: 'SWB_INTERNAL' } } },
  ]);
});

test('many calls share a connection', async () => {
  endpoint = await testEndpoint();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let connections = 0;
  agent.on('free', () => {
    connections = Object.values(agent.freeSockets).length + Object.values(agent.sockets).length;
  });
  const message = modern(1, 'tools/list');
  const headers = { ...modernHeaders(message), 'content-type': 'application/json' };
  for (let i = 0; i < 20; i++) {
    const reply = await send(endpoint.url(), { headers, agent, body: JSON.stringify({ ...message, id: i }) });
    expect((await reply.json()).id).toBe(i);
  }
  expect(connections).toBe(1);
  agent.destroy();
});

test('a request without any claim is legacy and needs a session', async () => {
  endpoint = await testEndpoint();
  const reply = await post(endpoint.url(), rpc(1, 'tools/list'));
  expect([reply.status, await reply.json()]).toMatchObject([
    400,
    { id: 1, error: { data: { code: 'SWB_SESSION_REQUIRED' } } },
  ]);
});
