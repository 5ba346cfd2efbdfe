import { describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';
import { startV1Http, startV1Sse, startV2Http } from '../../../test/fixtures/mcp/http.ts';
import { stdioFixture } from '../../../test/fixtures/mcp/stdio.ts';
import { type FakeCallOptions, fakeCall, modernCaller } from '../../testing/call.ts';
import { connections, textOf, toolCall } from '../testing/connected.ts';
import { startScripted } from '../testing/scripted.ts';

const { connect, closing } = connections();

const SAMPLED = { role: 'assistant', model: 'm', content: { type: 'text', text: 'hello' } };
const ANSWERS: Record<string, JsonObject> = {
  'elicitation/create': { action: 'accept', content: { name: 'Ada' } },
  'sampling/createMessage': SAMPLED,
  'roots/list': { roots: [{ uri: 'file:///work', name: 'work' }] },
};
const CAPABLE: FakeCallOptions = {
  caller: { capabilities: { elicitation: {}, sampling: {}, roots: {} } },
  answer: ({ method }) => ANSWERS[method] as JsonObject,
};

const legacyServers = {
  'SDK v1 over HTTP': async () => closing(await startV1Http()).url,
  'SDK v2 over HTTP': async () => closing(await startV2Http('legacy')).url,
  'SDK v1 over SSE': async () => closing(await startV1Sse()).url,
  'SDK v1 over stdio': async () => closing(stdioFixture('v1')).target,
};

describe.each(Object.entries(legacyServers))('asks of a legacy server: %s', (_name, start) => {
  it.each(['shared', 'caller'] as const)('reach the client whose call they belong to (%s)', async (isolation) => {
    const { upstream } = await connect(await start(), { isolation });
    const call = fakeCall(CAPABLE);
    expect(textOf(await upstream.request(...toolCall('ask'), call))).toBe('accept: {"name":"Ada"}');
    expect(textOf(await upstream.request(...toolCall('sample'), call))).toContain('hello');
    expect(textOf(await upstream.request(...toolCall('roots'), call))).toContain('file:///work');
    expect(call.asks.map(({ method }) => method)).toEqual([
      'elicitation/create',
      'sampling/createMessage',
      'roots/list',
    ]);
    // Schemas go through whole, defaults included.
    expect(call.asks[0]?.params?.requestedSchema).toMatchObject({
      properties: { name: { type: 'string', default: 'nobody' } },
    });
  });

  it.each([
    ['shared', (method: string) => `Client does not support ${method}.`],
    ['caller', () => 'Method not found'],
  ] as const)(
    'are refused for a client that declared nothing, and nobody is said to decline (%s)',
    async (isolation, words) => {
      const { upstream } = await connect(await start(), { isolation });
      const call = fakeCall();
      for (const [tool, method] of [
        ['ask', 'elicitation/create'],
        ['sample', 'sampling/createMessage'],
        ['roots', 'roots/list'],
      ] as const) {
        const said = textOf(await upstream.request(...toolCall(tool), call));
        // A server of the SDK's second version looks at what its own session declares.
        expect(said).toMatch(new RegExp(`${words(method)}|did not declare the required capability`));
        expect(said).not.toMatch(/decline|reject/);
      }
      expect(call.asks).toEqual([]);
    },
  );
});

describe('asks outside the stream of a call', () => {
  it.each([
    ['SDK v1 over HTTP', async () => closing(await startV1Http()).url],
    ['SDK v1 over stdio', async () => closing(stdioFixture('v1')).target],
  ] as const)('go to the only call in flight: %s', async (_name, start) => {
    const { upstream } = await connect(await start());
    const call = fakeCall(CAPABLE);
    expect(textOf(await upstream.request(...toolCall('ask', { aside: true }), call))).toBe('accept: {"name":"Ada"}');
    expect(call.asks.length).toBe(1);
  });

  it('go to the caller when several of its calls are in flight, and are refused when callers differ', async () => {
    const fixture = closing(stdioFixture('v1'));
    const { upstream } = await connect(fixture.target);
    const slow = (key: string) => {
      const call = fakeCall({ caller: { key } });
      void upstream.request(...toolCall('slow'), call).catch(() => {});
      return call;
    };
    const asking = () => fakeCall({ ...CAPABLE, caller: { key: 'one', capabilities: { elicitation: {} } } });

    const mine = slow('one');
    await vi.waitFor(() => expect(fixture.ledger.count('slow:started')).toBe(1));
    expect(textOf(await upstream.request(...toolCall('ask', { aside: true }), asking()))).toBe(
      'accept: {"name":"Ada"}',
    );

    const theirs = slow('two');
    await vi.waitFor(() => expect(fixture.ledger.count('slow:started')).toBe(2));
    const refused = await upstream.request(...toolCall('ask', { aside: true }), asking());
    expect(textOf(refused)).toMatch(/cannot be put to a client/);
    mine.abort();
    theirs.abort();
  });

  it('do not disturb callers that have a session of their own', async () => {
    const fixture = closing(await startV1Http());
    const { upstream } = await connect(fixture.url, { isolation: 'caller' });
    const callers = ['one', 'two', 'three'].map((key) => ({
      key,
      call: fakeCall({
        caller: { key, capabilities: { elicitation: {} } },
        answer: () => ({ action: 'accept', content: { name: key } }),
      }),
    }));
    const replies = await Promise.all(
      callers.map(({ call }) => upstream.request(...toolCall('ask', { aside: true }), call)),
    );
    expect(replies.map(textOf)).toEqual(callers.map(({ key }) => `accept: {"name":"${key}"}`));
  });
});

describe('asks of a modern server', () => {
  it.each([
    ['over HTTP', async () => closing(await startV2Http('modern')).url],
    ['over stdio', async () => closing(stdioFixture('v2-modern')).target],
  ] as const)('are handed on as they are, and answered by a new request: %s', async (_name, start) => {
    const { upstream } = await connect(await start());
    const caller = modernCaller({ capabilities: { elicitation: { form: {} } } });
    const reply = await upstream.request(...toolCall('ask'), fakeCall({ caller }));
    if (!('inputRequired' in reply)) throw new Error('No input is required.');
    expect(reply.inputRequired).toMatchObject({
      resultType: 'input_required',
      requestState: 'fixture-state',
      inputRequests: { name: { method: 'elicitation/create' } },
    });
    expect(JSON.parse(reply.raw?.toString() ?? '')).toEqual(reply.inputRequired);
    const [method, params] = toolCall('ask');
    const retried = await upstream.request(
      method,
      { ...params, inputResponses: { name: ANSWERS['elicitation/create'] }, requestState: 'fixture-state' },
      fakeCall({ caller }),
    );
    expect(textOf(retried)).toBe('accept: {"name":"Ada"}');
  });
});

describe('other requests of a server', () => {
  it('are answered or refused, and a question can be withdrawn', async () => {
    const answers: JsonObject[] = [];
    let finish: (() => void) | undefined;
    const server = closing(
      await startScripted({
        era: 'legacy',
        on: ({ message, response }) => {
          if (message.method === 'tools/call') {
            response.writeHead(200, { 'content-type': 'text/event-stream' });
            const send = (body: object) => response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...body })}\n\n`);
            send({ id: 'p', method: 'ping' });
            send({ id: 7, method: 'server/unheard-of' });
            send({ id: 8, method: 'elicitation/create', params: { message: '?', requestedSchema: {} } });
            send({ method: 'notifications/cancelled', params: { requestId: 8 } });
            finish = () => response.end(`data: {"jsonrpc":"2.0","id":${message.id},"result":{}}\n\n`);
            return true;
          }
          if (message.method !== undefined) return false;
          answers.push(message);
          response.writeHead(202).end();
          return true;
        },
      }),
    );
    const { upstream } = await connect(server.url);
    let withdrawn = false;
    const call = fakeCall({
      answer: ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => {
            withdrawn = true;
            reject(signal.reason);
          });
        }),
    });
    const running = upstream.request(...toolCall('x'), call);
    await vi.waitFor(() => expect(answers.length).toBe(3));
    expect(answers).toContainEqual({ jsonrpc: '2.0', id: 'p', result: {} });
    expect(answers).toContainEqual({ jsonrpc: '2.0', id: 7, error: { code: -32601, message: 'Method not found' } });
    expect(withdrawn).toBe(true);
    finish?.();
    await running;
  });
});
