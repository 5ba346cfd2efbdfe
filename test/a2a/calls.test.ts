/** Calls of A2A agents of both versions, in both bindings: content, questions, lost streams, cancelling, owners. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { a2aAdapter } from '../../adapters/a2a/index.ts';
import { type FakeCall, type FakeCallOptions, fakeCall } from '../../adapters/testing/call.ts';
import { fakeContext, fakeMemory } from '../../adapters/testing/context.ts';
import { codeOf, resultOf, until } from '../../adapters/testing/outcome.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { A2A_FORMS, type A2aFixture, type A2aForm, type A2aOptions, startA2a } from '../fixtures/a2a.ts';
import { AGENT, say } from './talk.ts';

class Talk {
  readonly agent: A2aFixture;
  readonly upstream: Upstream;

  constructor(agent: A2aFixture, upstream: Upstream) {
    this.agent = agent;
    this.upstream = upstream;
  }

  static async start(form: A2aForm, options: A2aOptions = {}): Promise<Talk> {
    const agent = await startA2a(form, options);
    return new Talk(agent, await connectTo(agent));
  }

  async stop(): Promise<void> {
    await this.upstream.close();
    await this.agent.stop();
  }

  async say(content: unknown, more: JsonObject = {}, options: FakeCallOptions = {}): Promise<JsonObject> {
    const { method, params } = say(content, more);
    return resultOf(await this.upstream.request(method, params, fakeCall(options)));
  }

  async failure(content: unknown, more: JsonObject = {}, options: FakeCallOptions = {}): Promise<Error> {
    return this.say(content, more, options).then(
      (result) => {
        throw new Error(`It succeeded: ${JSON.stringify(result)}`);
      },
      (error: Error) => error,
    );
  }

  begin(
    content: string,
    more: JsonObject = {},
    options: FakeCallOptions = {},
  ): { call: FakeCall; done: Promise<JsonObject> } {
    const call = fakeCall(options);
    const { method, params } = say(content, more);
    const done = this.upstream.request(method, params, call).then(resultOf);
    done.catch(() => {});
    return { call, done };
  }

  count(event: string): number {
    return this.agent.events.filter((each) => each.event === event).length;
  }
}

const connectTo = (agent: A2aFixture, memory = fakeMemory()): Promise<Upstream> =>
  a2aAdapter.connect(fakeContext({ transport: 'http', url: agent.url, headers: {} }, { memory }));

const accepting = (content: JsonObject): FakeCallOptions => ({ answer: () => ({ action: 'accept', content }) });

describe.each(A2A_FORMS)('An A2A agent (%s)', (form) => {
  let talk: Talk;
  beforeAll(async () => {
    talk = await Talk.start(form);
  });
  afterAll(() => talk.stop());

  it('is listed under a readable name, with what its card says', async () => {
    const { entries } = await talk.upstream.catalog('agents', AbortSignal.timeout(5_000));
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({
      key: AGENT,
      value: {
        name: AGENT,
        title: 'Test Agent',
        kind: 'a2a',
        description: 'An agent for tests',
        aliases: ['Test Agent'],
      },
    });
    const described = resultOf(await talk.upstream.request('agents/describe', { agent: AGENT }, fakeCall()));
    expect(described).toMatchObject({ name: AGENT, skills: [{ id: 'echo' }], card: { name: 'Test Agent' } });
  });

  it('answers with the text of its artifact, the context as thread and the task as run', async () => {
    const result = await talk.say('hello there, agent');
    expect(result).toMatchObject({ status: 'completed', text: 'hello there, agent' });
    expect(result.threadId).toEqual(expect.any(String));
    expect(result.runId).toEqual(expect.any(String));
  });

  it('keeps its conversation under the thread it returned', async () => {
    const first = await talk.say('one');
    const second = await talk.say('two', { threadId: first.threadId });
    expect(second.threadId).toBe(first.threadId);
    expect(second.runId).not.toBe(first.runId);
  });

  it('may answer with a message in place of a task', async () => {
    expect(await talk.say('direct words')).toMatchObject({ status: 'completed', text: 'Directly: direct words' });
  });

  it('streams the pieces of its text as progress', async () => {
    const { call, done } = talk.begin('one two three four', { stream: true });
    await done;
    const pieces = call.notifications.map(({ params }) => params?.message);
    expect(pieces.join('')).toBe('one two three four');
    expect(pieces.length).toBeGreaterThan(1);
  });

  it('returns files, links and data beside the text', async () => {
    const result = await talk.say('files');
    expect(result.text).toBe('Three files.');
    expect(result.content).toEqual([
      { type: 'image', data: 'aGk=', mimeType: 'image/png' },
      expect.objectContaining({
        type: 'resource_link',
        uri: 'https://files.example/x.pdf',
        mimeType: 'application/pdf',
      }),
    ]);
    expect(result.output).toEqual({ count: 3 });
  });

  it('is handed a lent key in the metadata of the message', async () => {
    const lent = { url: 'http://127.0.0.1:7300/mcp', key: 'swb_lent_1', expiresAt: 0, tools: ['docs__*'] };
    await talk.say('hello', { options: { metadata: { own: 1 } } }, { lent });
    expect(talk.agent.metadata.at(-1)).toEqual({
      own: 1,
      switchboard: {
        url: lent.url,
        headers: { Authorization: 'Bearer swb_lent_1' },
        tools: ['docs__*'],
        expiresAt: '1970-01-01T00:00:00.000Z',
      },
    });
  });

  it('receives text, images, files and data of a message', async () => {
    const blocks = [
      { type: 'text', text: 'seen' },
      { type: 'image', data: 'aGk=', mimeType: 'image/png' },
      { type: 'resource_link', uri: 'https://files.example/y.pdf', name: 'y.pdf', mimeType: 'application/pdf' },
      { type: 'resource', resource: { uri: 'file:///n.txt', mimeType: 'text/plain', text: 'note' } },
    ];
    const result = await talk.say(blocks, { input: { size: 3 } });
    // Files of 0.3 over HTTP+JSON have no names.
    const named = (filename: string): JsonObject => (form === '0.3 HTTP+JSON' ? {} : { filename });
    expect((result.output as JsonObject).parts).toEqual([
      { text: 'seen' },
      { raw: 'aGk=', mediaType: 'image/png' },
      { url: 'https://files.example/y.pdf', mediaType: 'application/pdf', ...named('y.pdf') },
      { raw: Buffer.from('note').toString('base64'), mediaType: 'text/plain', ...named('n.txt') },
      { data: { size: 3 } },
    ]);
  });

  it('asks the client for input and goes on with the answer', async () => {
    const call = fakeCall(accepting({ answer: 'blue' }));
    const { method, params } = say('ask');
    const result = resultOf(await talk.upstream.request(method, params, call));
    expect(call.asks).toMatchObject([{ method: 'elicitation/create', params: { message: 'Which colour?' } }]);
    expect(result).toMatchObject({ status: 'completed', text: 'You chose blue.' });
  });

  it('asks by the form the agent sends', async () => {
    const call = fakeCall(accepting({ size: 7 }));
    const { method, params } = say('form');
    const result = resultOf(await talk.upstream.request(method, params, call));
    expect(call.asks[0]?.params?.requestedSchema).toMatchObject({ properties: { size: { type: 'integer' } } });
    expect(result.text).toBe('Got {"size":7}');
  });

  it('is interrupted for a client that cannot be asked, and goes on with a later call', async () => {
    const waiting = await talk.say('ask');
    expect(waiting).toMatchObject({
      status: 'interrupted',
      finishReason: 'input-required',
      interrupts: [{ message: 'Which colour?', continueWith: [{ taskId: waiting.runId }] }],
    });
    const result = await talk.say('green', { options: { taskId: waiting.runId } });
    expect(result).toMatchObject({ status: 'completed', text: 'You chose green.', threadId: waiting.threadId });
  });

  it('sends the person to log in where it needs an authorization', async () => {
    const call = fakeCall({ answer: () => ({ action: 'accept' }) });
    const { method, params } = say('login');
    const result = resultOf(await talk.upstream.request(method, params, call));
    expect(call.asks).toMatchObject([{ params: { mode: 'url', url: 'https://login.example/start?x=1' } }]);
    expect(result.text).toBe('Signed in.');
  });

  it('shows the link in a form to a client that takes no links', async () => {
    const call = fakeCall({
      answer: ({ params }) => {
        if (params?.mode === 'url') return Promise.reject(refusedAsk());
        return { action: 'accept', content: { done: true } };
      },
    });
    const { method, params } = say('login');
    expect(resultOf(await talk.upstream.request(method, params, call)).text).toBe('Signed in.');
    expect(String(call.asks[1]?.params?.message)).toContain('https://login.example/start?x=1');
  });

  it('fails with its own words, without addresses', async () => {
    const failed = await talk.failure('fail');
    expect(codeOf(failed)).toBe('SWB_AGENT_FAILED');
    expect(failed.message).toMatch(/The model is away/);
    expect(failed.message).not.toContain('10.1.2.3');
    expect((await talk.failure('reject')).message).toMatch(/rejected the message: Not my subject/);
  });

  it('says that an unknown task is unknown', async () => {
    const failed = await talk.failure('hello', { options: { taskId: '00000000-0000-4000-8000-000000000000' } });
    // The reference server of 0.3 over HTTP+JSON answers 500 with an error of its own code.
    expect(codeOf(failed)).toBe(form === '0.3 HTTP+JSON' ? 'SWB_AGENT_FAILED' : 'SWB_INVALID_PARAMS');
  });

  it('is followed on after its stream was cut, and runs once', async () => {
    const before = talk.count('slow started');
    const { done } = talk.begin('slow 20');
    await until('it runs', () => talk.count('slow started') === before + 1);
    talk.agent.cutStreams();
    const result = await done;
    expect(result).toMatchObject({ status: 'completed' });
    expect(result.text).toContain('tick 19');
    expect(talk.count('slow started')).toBe(before + 1);
  });

  it('is cancelled at the server when the client leaves at once', async () => {
    const before = talk.count('cancelled');
    const { call, done } = talk.begin('slow 400');
    call.abort();
    await expect(done).rejects.toThrow();
    const { call: next, done: second } = talk.begin('slow 400');
    const started = talk.count('slow started');
    await until('it runs', () => talk.count('slow started') > started || talk.count('cancelled') > before);
    next.abort();
    await expect(second).rejects.toThrow();
    await until('the server cancels', () => talk.count('cancelled') > before);
  });

  it('goes on with the task of a lasting call when the gateway ends, and cancels it when its server is disconnected', async () => {
    const upstream = await connectTo(talk.agent);
    const begin = async () => {
      const known: JsonObject[] = [];
      const call = Object.assign(fakeCall(), { lasting: true, began: (run: JsonObject) => void known.push(run) });
      const { method, params } = say('slow 400');
      const done = upstream.request(method, params, call).catch(codeOf);
      await until('its id is known', () => known.length > 0);
      return { call, done, task: known[0]?.taskId };
    };
    const cancelled = (task: unknown): boolean =>
      talk.agent.events.some((seen) => seen.event === 'cancelled' && seen.task === task);
    const left = await begin();
    left.call.abort(shuttingDown());
    expect(await left.done).toBe('SWB_SHUTTING_DOWN');
    const ended = await begin();
    await upstream.close();
    expect(await ended.done).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect([left, ended].map(({ task }) => cancelled(task))).toEqual([false, true]);
    // What is left is cancelled by the next process alone.
    const next = fakeCall();
    const attached = talk.upstream.request('agents/attach', { agent: AGENT, run: { taskId: left.task } }, next);
    next.abort();
    await expect(attached).rejects.toThrow();
    await until('the server cancels', () => cancelled(left.task));
  });

  it('cancels the task of a lasting call that had no id yet when the gateway ended', async () => {
    const upstream = await connectTo(talk.agent);
    const before = talk.agent.events.length;
    const call = Object.assign(fakeCall(), { lasting: true, left: () => void setImmediate(end) });
    const end = (): void => call.abort(shuttingDown());
    const { method, params } = say('slow 400');
    expect(await upstream.request(method, params, call).catch(codeOf)).toBe('SWB_SHUTTING_DOWN');
    await upstream.close();
    const since = () => talk.agent.events.slice(before).map(({ event }) => event);
    await until('it runs', () => since().includes('slow started'));
    await until('the server cancels', () => since().includes('cancelled'));
  });

  it("refuses another principal's thread and task as unknown", async () => {
    const alice = { caller: { principal: 'alice' } };
    const bob = { caller: { principal: 'bob' } };
    const waiting = await talk.say('ask', {}, alice);
    for (const more of [{ threadId: waiting.threadId }, { options: { taskId: waiting.runId } }]) {
      const failed = await talk.failure('mine now', more, bob);
      expect(codeOf(failed)).toBe('SWB_INVALID_PARAMS');
      expect(failed.message).toMatch(/has no (thread|task)/);
    }
    expect(await talk.say('red', { options: { taskId: waiting.runId } }, alice)).toMatchObject({ status: 'completed' });
  });
});

describe('An A2A agent that does not stream', () => {
  let talk: Talk;
  beforeAll(async () => {
    talk = await Talk.start('1.0 JSONRPC', { streaming: false });
  });
  afterAll(() => talk.stop());

  it('is asked how its task stands until it is over', async () => {
    const result = await talk.say('slow 10');
    expect(result).toMatchObject({ status: 'completed' });
    expect(result.text).toContain('tick 9');
    const asked = talk.agent.requests.filter(({ line }) => line === 'POST /a2a/jsonrpc').length;
    expect(asked).toBeGreaterThan(1);
  });

  it('is cancelled at the server', async () => {
    const { call, done } = talk.begin('slow 400');
    await until('it runs', () => talk.count('slow started') === 2);
    call.abort();
    await expect(done).rejects.toThrow();
    await until('the server cancels', () => talk.count('cancelled') === 1);
  });
});

describe('The card of an A2A agent', () => {
  it('is asked for in the current version, and its interface is used at the configured origin alone', async () => {
    const agent = await startA2a('1.0 JSONRPC', { cardOrigin: 'http://agents.internal.example:9999' });
    try {
      const failed = await connectTo(agent).catch((error: Error) => error);
      expect(codeOf(failed)).toBe('SWB_CONFIG');
      expect((failed as Error).message).toContain('agentEndpoint');
      expect(agent.requests.every(({ headers }) => headers['a2a-version'] === '1.0')).toBe(true);
      const target = { transport: 'http', url: agent.url, headers: {} } as const;
      const options = { agentEndpoint: `${agent.url}/a2a/jsonrpc` };
      const upstream = await a2aAdapter.connect(fakeContext(target, { options }));
      const { method, params } = say('hello');
      expect(resultOf(await upstream.request(method, params, fakeCall()))).toMatchObject({ text: 'hello' });
      await upstream.close();
    } finally {
      await agent.stop();
    }
  });

  it('is found from the address of the agent itself and from its own', async () => {
    const agent = await startA2a('0.3 JSONRPC');
    try {
      for (const path of ['/a2a/jsonrpc', '/.well-known/agent-card.json']) {
        const target = { transport: 'http', url: agent.url + path, headers: {} } as const;
        const upstream = await a2aAdapter.connect(fakeContext(target));
        expect(upstream.protocolVersion).toBe('0.3');
        await upstream.close();
      }
    } finally {
      await agent.stop();
    }
  });

  it('keeps signatures as they are', async () => {
    const signatures = [{ protected: 'eyJhbGciOiJFUzI1NiJ9', signature: 'c2ln', header: undefined }];
    const talk = await Talk.start('1.0 JSONRPC', { signatures });
    const described = resultOf(await talk.upstream.request('agents/describe', { agent: AGENT }, fakeCall()));
    expect(described.card).toMatchObject({ signatures: [{ protected: 'eyJhbGciOiJFUzI1NiJ9', signature: 'c2ln' }] });
    await talk.stop();
  });
});

const shuttingDown = (): Error => new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');

function refusedAsk(): Error {
  return new SwitchboardError('SWB_ASK_REFUSED', 'The client takes no links.');
}
