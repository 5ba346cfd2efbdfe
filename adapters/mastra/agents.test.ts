import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AgentCallResult } from '../../src/core/agent-call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import type { MastraFixture } from '../../test/fixtures/mastra.ts';
import { borrowMastra } from '../../test/fixtures/shared.ts';
import { codeOf, resultOf } from '../cases.ts';
import { type FakeCall, type FakeCallOptions, fakeCall } from '../testing/call.ts';
import { fakeContext } from '../testing/context.ts';
import { mastraAdapter } from './index.ts';

let server: MastraFixture;
let upstream: Upstream;

beforeAll(async () => {
  server = await borrowMastra();
  upstream = await mastraAdapter.connect(fakeContext({ transport: 'http', url: server.url, headers: {} }));
});
afterAll(async () => {
  await upstream?.close();
  await server?.stop();
});

interface Asked {
  result: AgentCallResult;
  call: FakeCall;
}

async function ask(
  agent: string,
  text: string,
  params: JsonObject = {},
  options: FakeCallOptions = {},
): Promise<Asked> {
  const call = fakeCall(options);
  const messages = [{ role: 'user', content: text }];
  const reply = await upstream.request('agents/call', { agent, messages, ...params }, call);
  return { result: resultOf(reply) as AgentCallResult, call };
}

const refusal = (asked: Promise<Asked>): Promise<SwitchboardError> =>
  asked.then(
    () => Promise.reject(new Error('It was accepted.')),
    (error: SwitchboardError) => error,
  );

let barriers = 0;
/** How often the server deleted this. Its events come in order: once the last one is here, so are all before it. */
async function deleted(path: string): Promise<number> {
  const barrier = `/barrier/${++barriers}`;
  const approving = fakeCall({ answer: () => ({ action: 'accept', content: { approve: true } }) });
  await upstream.request('tools/call', { name: 'delete-file', arguments: { path: barrier } }, approving);
  await vi.waitFor(() => expect(server.events).toContainEqual({ event: 'deleted', path: barrier }), { interval: 5 });
  return server.events.filter((seen) => seen.event === 'deleted' && seen.path === path).length;
}

describe('the agents of a Mastra server', () => {
  it('are listed by id with what is public, and never with their instructions', async () => {
    const { entries } = await upstream.catalog('agents', AbortSignal.timeout(30_000));
    const agents = Object.fromEntries(entries.map(({ key, value }) => [key, value]));
    expect(agents['the-id']).toEqual({
      name: 'the-id',
      title: 'The Name',
      description: 'PUBLIC DESCRIPTION',
      kind: 'mastra',
      model: 'fixture/named-1',
      tools: [],
    });
    expect(agents.calculator?.tools).toEqual(['add']);
    expect(agents.undescribed).not.toHaveProperty('description');
    expect(JSON.stringify(entries)).not.toContain('SECRET');
  });

  it('are described with their tools, memory and defaults, and never with their instructions', async () => {
    const describeIt = async (agent: string): Promise<JsonObject> =>
      resultOf(await upstream.request('agents/describe', { agent }, fakeCall()));
    expect(await describeIt('janitor')).toEqual({
      name: 'janitor',
      title: 'Janitor',
      description: 'Deletes files, and asks a person before each',
      kind: 'mastra',
      model: 'fixture/janitor-1',
      tools: [{ name: 'deleteFile', description: 'Deletes a file; a person must approve', requiresApproval: true }],
      memory: false,
    });
    const calculator = await describeIt('calculator');
    expect(calculator.defaultOptions).toEqual({ maxSteps: 4, modelSettings: { temperature: 0 } });
    expect(await describeIt('echo')).toMatchObject({ memory: true, tools: [] });
    expect(JSON.stringify([calculator, await describeIt('the-id')])).not.toContain('SECRET');
    await expect(describeIt('nobody')).rejects.toMatchObject({ code: 'SWB_UNKNOWN_AGENT' });
  });
});

describe('calling a Mastra agent', () => {
  it('gives text, run, reason and usage', async () => {
    const { result, call } = await ask('calculator', 'what is 2 and 3');
    expect(result).toEqual({
      status: 'completed',
      text: 'The tool said {"sum":5}.',
      runId: expect.any(String),
      finishReason: 'stop',
      steps: [{ tool: 'add', arguments: { a: 2, b: 3 }, result: { sum: 5 } }],
      usage: { inputTokens: 6, outputTokens: 10, totalTokens: 16 },
    });
    expect(call.notifications).toEqual([]);
  });

  it('streams the text as progress, which joined is the text of the result', async () => {
    const { result, call } = await ask('calculator', 'what is 2 and 3', { stream: true });
    expect(result).toMatchObject({ status: 'completed', text: 'The tool said {"sum":5}.', finishReason: 'stop' });
    expect(result.usage).toEqual({ inputTokens: 6, outputTokens: 10, totalTokens: 16 });
    const pieces = call.notifications.map(({ params }) => params?.message).filter((text) => text !== undefined);
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.join('')).toBe(result.text);
    expect(call.notifications.map(({ params }) => params?.progress)).toEqual(
      Array.from(call.notifications, (_, i) => i + 1),
    );
  });

  it.each([false, true])('remembers a thread, as the caller owns it (stream: %s)', async (stream) => {
    const threadId = `thread-${stream}`;
    const first = await ask('echo', 'one', { stream, threadId });
    expect(first.result).toMatchObject({ text: 'Echo: one', threadId });
    expect((await ask('echo', 'two', { stream, threadId })).result.text).toBe('Echo 2: two');
    const options = { memory: { thread: threadId } };
    expect((await ask('echo', 'three', { stream, options })).result.text).toBe('Echo 3: three');

    const other = await refusal(ask('echo', 'mine?', { stream, threadId, resourceId: 'another' }));
    expect(other.code).toBe('SWB_INVALID_PARAMS');
    expect(other.message).toMatch(/thread belongs to a different resource/);
    const spoof = await refusal(
      ask('echo', 'mine?', { threadId, resourceId: 'switchboard:local' }, { caller: { principal: 'somebody' } }),
    );
    expect(spoof.code).toBe('SWB_INVALID_PARAMS');
  });

  it.each([false, true])(
    'keeps the conversations of grants apart, whatever they call them (stream: %s)',
    async (stream) => {
      const ids = { threadId: `shared-${stream}`, resourceId: `user-${stream}` };
      const as = (principal: string) => ({ caller: { principal } });
      await ask('echo', 'one', { stream, ...ids });
      for (const principal of ['alice', 'bob']) {
        const first = await ask('echo', 'mine?', { stream, ...ids }, as(principal));
        expect(first.result).toMatchObject({ text: 'Echo: mine?', threadId: ids.threadId });
      }
      expect((await ask('echo', 'two', { stream, ...ids }, as('alice'))).result.text).toBe('Echo 2: two');
      expect((await ask('echo', 'two', { stream, ...ids })).result.text).toBe('Echo 2: two');
      // Nor by the names the server knows them under.
      const known = {
        threadId: `switchboard:alice:${ids.threadId}`,
        resourceId: `switchboard:alice:${ids.resourceId}`,
      };
      expect((await refusal(ask('echo', 'mine?', { stream, ...known }, as('bob')))).code).toBe('SWB_INVALID_PARAMS');
      const guess = await ask('echo', 'mine?', { stream, threadId: known.threadId }, as('bob'));
      expect(guess.result.text).toBe('Echo: mine?');
    },
  );

  it('begins a conversation that is asked for, and promises none that the agent would not keep', async () => {
    const { result } = await ask('echo', 'one', { threadId: 'new' });
    expect(result.threadId).toMatch(/^[0-9a-f-]{36}$/);
    const again = await ask('echo', 'two', { threadId: result.threadId });
    expect(again.result.text).toBe('Echo 2: two');
    expect((await ask('echo', 'three')).result).not.toHaveProperty('threadId');
    expect((await ask('calculator', '1 2', { threadId: 'new' })).result).not.toHaveProperty('threadId');
  });

  it('takes content parts and returns those of the answer, its thoughts and sources', async () => {
    const content = [
      { type: 'text', text: 'look' },
      { type: 'image', data: 'aGk=', mimeType: 'image/png' },
      { type: 'resource', resource: { uri: 'file:///a.pdf', mimeType: 'application/pdf', blob: 'JVBERi0xLjQK' } },
      { type: 'audio', data: 'UklGRiQAAABXQVZF', mimeType: 'audio/wav' },
      { type: 'resource_link', uri: 'https://example.org/b', name: 'b' },
    ];
    const { result } = await ask('viewer', '', { messages: [{ role: 'user', content }] });
    expect(result).toMatchObject({
      status: 'completed',
      text: 'I saw text, file image/png, file application/pdf, file audio/wav, text.',
      content: [
        { type: 'resource_link', uri: 'https://example.org/sky', name: 'The sky' },
        { type: 'image', mimeType: 'image/png' },
        { type: 'resource', resource: { uri: 'attachment:file', mimeType: 'text/csv', blob: 'YSxi' } },
      ],
      reasoning: 'It is blue.',
    });
  });

  it('takes a megabyte of input within the limit of the gateway', async () => {
    const context = fakeContext(
      { transport: 'http', url: server.url, headers: {} },
      { maxReplyBytes: 8 * 1024 * 1024 },
    );
    const wide = await mastraAdapter.connect(context);
    const messages = [{ role: 'user', content: 'x'.repeat(1_000_000) }];
    const reply = await wide.request('agents/call', { agent: 'viewer', messages }, fakeCall());
    expect(resultOf(reply).text).toBe('I saw text.');
    await wide.close();
  });

  it('shows with every event that it goes on, also without streaming', async () => {
    const { call } = await ask('calculator', 'what is 2 and 3');
    expect(call.alives).toBeGreaterThan(5);
    expect(call.notifications).toEqual([]);
  });

  it('refuses roles that are the author’s', async () => {
    for (const role of ['system', 'tool']) {
      const failure = await refusal(ask('echo', '', { messages: [{ role, content: 'x' }] }));
      expect(failure.message).toMatch(/allowed are user and assistant/);
    }
  });

  it('makes a thread when only its owner is named', async () => {
    const { result } = await ask('echo', 'one', { resourceId: 'customer-1' });
    expect(result.threadId).toMatch(/^[0-9a-f-]{36}$/);
    const again = await ask('echo', 'two', { resourceId: 'customer-1', threadId: result.threadId });
    expect(again.result.text).toBe('Echo 2: two');
  });

  it.each([false, true])('gives structured output (stream: %s)', async (stream) => {
    const schema = {
      type: 'object',
      properties: { answer: { type: 'string' }, length: { type: 'number' } },
      required: ['answer', 'length'],
    };
    const { result } = await ask('echo', 'four', { stream, options: { output: schema } });
    expect(result.output).toEqual({ answer: 'four', length: 4 });
    const mismatch = { structuredOutput: { schema: { ...schema, required: ['nonsense'] } } };
    const failure = await refusal(ask('echo', 'four', { stream, options: mismatch }));
    expect(failure.message).toMatch(/^Agent 'echo' of server 'fixture' failed: Structured output validation failed/);
  });

  it('passes options on', async () => {
    const { result } = await ask('calculator', '1 2', { options: { maxSteps: 1, temperature: 0.5 } });
    expect(result).toMatchObject({ text: '', finishReason: 'tool-calls' });
  });

  it.each([
    ['failing', false, /failed: The model is out of order \(\[secret\] in \[path\]\)$/],
    ['failing', true, /failed: The model is out of order \(\[secret\] in \[path\]\)$/],
    ['stuttering', false, /failed: The line broke \(\[secret\] in \[path\]\)$/],
    ['stuttering', true, /failed: The line broke \(\[secret\] in \[path\]\)$/],
  ])('says in one line why %s failed (stream: %s)', async (agent, stream, says) => {
    const failure = await refusal(ask(agent, 'go', { stream }));
    expect(failure.code).toBe('SWB_AGENT_FAILED');
    expect(failure.message).toMatch(says);
  });
});

describe.each([false, true])('an agent that waits for approval (stream: %s)', (stream) => {
  const mark = `${stream ? 'streamed' : 'whole'}`;
  const deciding = (verdicts: boolean[]): FakeCallOptions => ({
    answer: () => ({ action: 'accept', content: { approve: verdicts.shift() } }),
  });

  it('goes on when a person approves, question by question', async () => {
    const { result, call } = await ask('janitor', `${mark}-a ${mark}-b`, { stream }, deciding([true, true]));
    expect(call.asks.map(({ params }) => params?.message)).toEqual([
      `Agent 'janitor' of server 'fixture' wants to run the tool 'deleteFile' with {"path":"${mark}-a"}. Approve?`,
      `Agent 'janitor' of server 'fixture' wants to run the tool 'deleteFile' with {"path":"${mark}-b"}. Approve?`,
    ]);
    expect(result).toMatchObject({
      status: 'completed',
      text: `Now ${mark}-a. \n\nNow ${mark}-b. \n\nDone: {"deleted":"${mark}-a"} and {"deleted":"${mark}-b"}.`,
      finishReason: 'stop',
      usage: { inputTokens: 9, outputTokens: 15, totalTokens: 24 },
    });
    expect([await deleted(`${mark}-a`), await deleted(`${mark}-b`)]).toEqual([1, 1]);
  });

  it('goes on without the tool when a person declines, also of several calls at once', async () => {
    const { result, call } = await ask('janitor', `${mark}-c+${mark}-d`, { stream }, deciding([true, false]));
    expect(call.asks).toHaveLength(2);
    expect(result.status).toBe('completed');
    expect(result.text).toMatch(/not approved/);
    expect([await deleted(`${mark}-c`), await deleted(`${mark}-d`)]).toEqual([1, 0]);
  });

  it('is left waiting when the client cannot be asked, and is decided by a later call, once', async () => {
    const { result } = await ask('janitor', `${mark}-e`, { stream });
    const { runId } = result;
    expect(result.status).toBe('interrupted');
    const [interrupt] = result.interrupts as JsonObject[];
    const ids = { runId, toolCallId: interrupt?.toolCallId };
    expect(interrupt).toEqual({
      type: 'tool-approval',
      toolName: 'deleteFile',
      args: { path: `${mark}-e` },
      ...ids,
      continueWith: [{ approve: ids }, { decline: ids }],
    });
    expect(await deleted(`${mark}-e`)).toBe(0);

    const options = { approve: ids };
    const thief = await refusal(ask('janitor', '', { stream, options }, { caller: { principal: 'somebody' } }));
    const detour = await refusal(ask('echo', '', { stream, options }));
    const guess = await refusal(ask('janitor', '', { stream, options: { approve: { ...ids, toolCallId: 'call-0' } } }));
    for (const failure of [thief, detour, guess]) expect(failure.code).toBe('SWB_INVALID_PARAMS');
    expect(await deleted(`${mark}-e`)).toBe(0);

    const decided = await ask('janitor', '', { stream, options });
    expect(decided.result).toMatchObject({ status: 'completed', runId });
    expect(decided.result.text).toContain(`Done: {"deleted":"${mark}-e"}.`);
    expect(await deleted(`${mark}-e`)).toBe(1);
    expect((await refusal(ask('janitor', '', { stream, options }))).code).toBe('SWB_INVALID_PARAMS');
    expect(await deleted(`${mark}-e`)).toBe(1);
  });

  it('is left waiting when the question is closed, and may be declined with a reason', async () => {
    const closed = await ask('janitor', `${mark}-f`, { stream }, { answer: () => ({ action: 'cancel' }) });
    expect(closed.result.status).toBe('interrupted');
    const [interrupt] = closed.result.interrupts as JsonObject[];
    const decline = { runId: closed.result.runId, toolCallId: interrupt?.toolCallId, reason: 'it is still needed' };
    const { result } = await ask('janitor', '', { stream, options: { decline } });
    expect(result.text).toContain('it is still needed');
    expect(await deleted(`${mark}-f`)).toBe(0);
  });

  it('asks for what a suspended tool waits for', async () => {
    const { result, call } = await ask(
      'host',
      'Luigi',
      { stream },
      { answer: () => ({ action: 'accept', content: { people: 4 } }) },
    );
    expect(call.asks[0]?.params).toMatchObject({
      message: `Agent 'host' of server 'fixture' waits for input to the tool 'booking': {"question":"How many people come to Luigi?"}`,
      requestedSchema: { type: 'object', properties: { people: { type: 'integer' } }, required: ['people'] },
    });
    expect(result).toMatchObject({ status: 'completed', text: 'The tool said {"booked":"Luigi","people":4}.' });
  });

  it('leaves a suspended tool waiting when the client cannot be asked, and resumes it later', async () => {
    const { result } = await ask('host', 'Mario', { stream });
    expect(result.status).toBe('interrupted');
    const [interrupt] = result.interrupts as JsonObject[];
    expect(interrupt).toMatchObject({
      type: 'tool-suspended',
      toolName: 'booking',
      payload: { question: 'How many people come to Mario?' },
      schema: { properties: { people: { type: 'integer' } } },
    });
    const resume = { runId: result.runId, toolCallId: interrupt?.toolCallId, data: { people: 2 } };
    const resumed = await ask('host', '', { stream, options: { resume } });
    expect(resumed.result).toMatchObject({
      status: 'completed',
      text: 'The tool said {"booked":"Mario","people":2}.',
    });
  });

  it('is decided by another client of the principal after the gateway has been restarted', async () => {
    const { result } = await ask('janitor', `${mark}-h`, { stream });
    const [interrupt] = result.interrupts as JsonObject[];
    // Nothing is remembered: the server is asked.
    const next = await mastraAdapter.connect(fakeContext({ transport: 'http', url: server.url, headers: {} }));
    try {
      const { waiting } = resultOf(await next.request('agents/describe', { agent: 'janitor' }, fakeCall()));
      expect(waiting).toContainEqual(expect.objectContaining({ runId: result.runId, args: { path: `${mark}-h` } }));
      const approve = { runId: result.runId, toolCallId: interrupt?.toolCallId };
      const params = { agent: 'janitor', messages: [], stream, options: { approve } };
      const decided = resultOf(await next.request('agents/call', params, fakeCall()));
      expect(decided).toMatchObject({ status: 'completed', runId: result.runId });
      expect(await deleted(`${mark}-h`)).toBe(1);
      await expect(next.request('agents/call', params, fakeCall())).rejects.toMatchObject({
        code: 'SWB_INVALID_PARAMS',
      });
    } finally {
      await next.close();
    }
  });

  it('ends with the call when it is aborted at the question', async () => {
    const reason = new SwitchboardError('SWB_CANCELLED', 'The client left.');
    const call = fakeCall({
      answer: () => {
        call.abort(reason);
        throw reason;
      },
    });
    const params = { agent: 'janitor', messages: [{ role: 'user', content: `${mark}-g` }], stream };
    const failure = await upstream.request('agents/call', params, call).catch((error: unknown) => error);
    expect(failure).toBe(reason);
    expect(codeOf(failure)).toBe('SWB_CANCELLED');
    expect(await deleted(`${mark}-g`)).toBe(0);
  });
});
