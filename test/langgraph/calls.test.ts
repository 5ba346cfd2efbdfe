/** Agents of real servers: listed, described, called, and stopped. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { codeOf, resultOf } from '../../adapters/cases.ts';
import { fakeCall } from '../../adapters/testing/call.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { PROMPT, releaseOf, Talk, VERSIONS } from './talk.ts';

describe.each(VERSIONS)('LangGraph %s', { concurrent: true }, (version) => {
  let talk: Talk;
  beforeAll(async () => {
    talk = await Talk.start(version);
  });
  afterAll(() => talk?.stop());

  it('reports its name and version', () => {
    expect(talk.upstream).toMatchObject({
      kind: 'langgraph',
      transport: 'http',
      era: 'legacy',
      protocolVersion: releaseOf(version),
    });
    expect(talk.upstream.serverInfo).toMatchObject({ name: 'langgraph-api', version: releaseOf(version) });
  });

  it('lists every assistant under a readable name: its graph, and its own name where a person made it', async () => {
    const { entries } = await talk.upstream.catalog('agents', AbortSignal.timeout(10_000));
    expect(entries.map(({ key }) => key)).toEqual([
      'add',
      'approval',
      'boom',
      'delegate',
      'echo',
      'echo.second-echo',
      'review',
      'slow',
      'survey',
      'team',
    ]);
    const echo = entries.find(({ key }) => key === 'echo');
    expect(echo?.value).toMatchObject({
      name: 'echo',
      kind: 'langgraph',
      graph_id: 'echo',
      aliases: [echo?.value.assistant_id],
      metadata: { created_by: 'system' },
    });
    const second = entries.find(({ key }) => key === 'echo.second-echo');
    expect(second?.value).toMatchObject({
      title: 'Second echo',
      graph_id: 'echo',
      description: 'Echoes with another prefix',
      aliases: [second?.value.assistant_id],
    });
    for (const name of ['echo.second-echo', String(second?.value.assistant_id)]) {
      expect((await talk.say(name, 'hello')).result.text).toBe('second: hello');
    }
  });

  it('describes an agent with the schemas of its graph', async () => {
    const described = async (agent: string): Promise<JsonObject> => {
      const ask = async () => resultOf(await talk.upstream.request('agents/describe', { agent }, fakeCall()));
      // The server works schemas out when they are first asked for; no caller waits for that.
      await vi.waitFor(async () => expect(await ask()).not.toHaveProperty('note'), { timeout: 30_000, interval: 50 });
      return ask();
    };
    expect(await described('add')).toMatchObject({
      name: 'add',
      kind: 'langgraph',
      capabilities: { threads: true, streaming: true, interrupts: true },
      takesMessages: false,
      inputSchema: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } } },
    });
    await expect(talk.upstream.request('agents/describe', { agent: 'nobody' }, fakeCall())).rejects.toMatchObject({
      code: 'SWB_UNKNOWN_AGENT',
    });
  });

  it('answers with text, thread and run, and without progress unless requested', async () => {
    const { result, call } = await talk.say('echo', 'hello', { threadId: 'new' });
    expect(result).toMatchObject({ status: 'completed', text: 'echo: hello' });
    expect(result.threadId).toMatch(/^[\da-f-]{36}$/);
    expect(await talk.get(`/threads/${result.threadId}/runs/${result.runId}`)).toMatchObject({ status: 'success' });
    expect(call.notifications).toEqual([]);
  });

  it('streams the tokens as progress, and they make up the text', async () => {
    const { result, call } = await talk.say('echo', 'token by token', { stream: true }, { wantsProgress: true });
    const pieces = call.notifications.map(({ params }) => params?.message);
    expect(pieces.join('')).toBe('echo: token by token');
    expect(result.text).toBe('echo: token by token');
    expect(pieces).toHaveLength('echo: token by token'.length);
    expect(call.notifications.map(({ params }) => params?.progress)).toEqual(pieces.map((_, i) => i + 1));
  });

  it('streams what the graph writes itself', async () => {
    const { result, call } = await talk.say('slow', '3', { stream: true }, { wantsProgress: true });
    expect(result.text).toBe('3 ticks');
    expect(call.notifications.map(({ params }) => params?.message)).toEqual([
      '{"tick":1}\n',
      '{"tick":2}\n',
      '{"tick":3}\n',
      '\n',
      '3 ticks',
    ]);
  });

  it('continues a thread, and answers with this turn only', async () => {
    const { result: first } = await talk.say('echo', 'one', { threadId: 'new' });
    const { result: second } = await talk.say('echo', 'two', { threadId: first.threadId as string });
    expect(second).toMatchObject({ text: 'echo: two', threadId: first.threadId });
    const state = await talk.get(`/threads/${first.threadId}/state`);
    expect(state).toMatchObject({ values: { messages: { length: 4 } } });
  });

  it('keeps no thread that nobody asked for, whatever becomes of the run', async () => {
    const threads = (): Promise<{ thread_id: string; metadata: JsonObject }[]> =>
      talk.search({ metadata: { kept: 'no' }, limit: 100 });
    const metadata = { kept: 'no' };
    const { result } = await talk.say('echo', 'hello', { options: { metadata } });
    expect(result).not.toHaveProperty('threadId');
    await talk.failure('boom', 'hello', { options: { metadata } });
    const before = talk.count('slow started');
    const { call, failed } = talk.begin('slow', '600', { options: { metadata } });
    await vi.waitFor(() => expect(talk.count('slow started')).toBe(before + 1), { timeout: 10_000, interval: 20 });
    call.abort();
    await failed;
    await vi.waitFor(async () => expect(await threads()).toEqual([]), { timeout: 10_000, interval: 50 });
  });

  it('says what data an agent takes instead of swallowing a message', async () => {
    await talk.upstream.catalog('agents', AbortSignal.timeout(10_000));
    const described = async () =>
      resultOf(await talk.upstream.request('agents/describe', { agent: 'add' }, fakeCall()));
    await vi.waitFor(async () => expect(await described()).toMatchObject({ takesMessages: false }), {
      timeout: 28_000,
      interval: 50,
    });
    const refused = await talk.failure('add', 'what is 1 and 2?');
    expect(refused).toMatchObject({
      code: 'SWB_INVALID_PARAMS',
      message: expect.stringMatching(
        /^Agent 'add' takes data and no messages: set input to an object with a \(number\)/,
      ),
      data: { inputSchema: { properties: { a: { type: 'number' } } } },
    });
    expect((await talk.failure('add', '', { input: { x: 1 } })).message).toMatch(/knows none of the members/);
    expect((await talk.say('add', '', { input: { a: 1, b: 2 } })).result.output).toMatchObject({ sum: 3 });
  });

  it('takes content parts and returns those of the answer, its thoughts, tools and tokens', async () => {
    const content = [
      { type: 'text', text: 'look' },
      { type: 'image', data: 'aGk=', mimeType: 'image/png' },
      { type: 'audio', data: 'aGk=', mimeType: 'audio/wav' },
      { type: 'resource', resource: { uri: 'file:///a.pdf', mimeType: 'application/pdf', blob: 'aGk=' } },
    ];
    const { result, call } = await talk.say('team', '', { messages: [{ role: 'user', content }], stream: true });
    expect(result).toMatchObject({
      status: 'completed',
      text: 'I saw text, image_url, audio audio/wav, file application/pdf.',
      content: [
        { type: 'resource_link', uri: 'https://example.org/sky', name: 'The sky' },
        { type: 'image', mimeType: 'image/png' },
        { type: 'resource', resource: { uri: 'attachment:a%20b.csv', mimeType: 'text/csv', blob: 'YSxi' } },
      ],
      reasoning: 'It is blue.',
      steps: [{ tool: 'look', arguments: { where: 'up' }, result: 'the sky' }],
      usage: { inputTokens: 3, outputTokens: 5, totalTokens: 8 },
      omitted: ["a part of type 'hologram'"],
    });
    // The branches speak at the same time, and their words do not run together.
    const said = call.notifications.map(({ params }) => params?.message).join('');
    expect(said.split('\n\n').sort()).toEqual(
      ['Let me look.', 'one two three', 'un deux trois', String(result.text)].sort(),
    );
  });

  it('refuses roles and content that no agent could read', async () => {
    const messages = (message: object): JsonObject => ({ messages: [message as { role: string; content: unknown }] });
    expect((await talk.failure('echo', '', messages({ role: 'robot', content: 'x' }))).message).toMatch(
      /allowed are user/,
    );
    expect((await talk.failure('echo', '', messages({ role: 'tool', content: 'x' }))).message).toMatch(/tool_call_id/);
    expect((await talk.failure('echo', '', messages({ role: 'user', content: 7 }))).message).toMatch(/content parts/);
  });

  it('is alive while the server says that it runs, although it is silent', async () => {
    const call = await talk.say('slow', '12', {}, { silenceMs: 300 });
    expect(call.result.text).toBe('12 ticks');
    expect(call.call.alives).toBeGreaterThan(2);
    expect(call.call.notifications).toEqual([]);
  });

  it('makes a run once for an idempotencyKey', async () => {
    const once = { threadId: 'once', idempotencyKey: 'order-1' };
    const [first, second] = await Promise.all([talk.say('echo', 'one', once), talk.say('echo', 'one', once)]);
    expect(second.result).toEqual(first.result);
    expect((await talk.say('echo', 'one', once)).result).toEqual(first.result);
    const thread = await talk.threadOf('once');
    expect(await talk.get<unknown[]>(`/threads/${thread}/runs`)).toHaveLength(1);
  });

  it('takes input of any shape and returns the state, unless it is too large', async () => {
    const { result } = await talk.say('add', '', { options: { input: { a: 1, b: 2 } } });
    expect(result).toMatchObject({ status: 'completed', text: '', output: { a: 1, b: 2, sum: 3 } });
    const large = await talk.say('add', '', { options: { input: { a: 1, b: 2, bulkBytes: 70_000 } } });
    expect(large.result.output).toEqual({
      omitted: expect.stringMatching(/^The final state has 70\d\d\d bytes; at most 65536/),
    });
  });

  it('passes run options on, and says what is wrong with one', async () => {
    const { result } = await talk.say('echo', 'hello', { options: { config: { configurable: { prefix: 'mine: ' } } } });
    expect(result.text).toBe('mine: hello');
    const wrong = await talk.failure('echo', 'hello', { options: { multitaskStrategy: 'sometimes' } });
    expect(wrong).toMatchObject({ code: 'SWB_INVALID_PARAMS', message: expect.stringMatching(/multitask_strategy/) });
  });

  it('distinguishes a failing agent from a failing server, and leaks no secrets', async () => {
    const failed = await talk.failure('boom', PROMPT);
    expect(failed.code).toBe('SWB_AGENT_FAILED');
    expect(failed.message).toBe(
      `Agent 'boom' failed: TypeError: cannot read [path] from [url] with [secret] for "[input]"`,
    );
  });

  it('distinguishes a busy thread from an unknown one', async () => {
    const threadId = crypto.randomUUID();
    const { call, failed } = talk.begin('slow', '600', { threadId });
    await talk.started(threadId);
    const busy = await talk.failure('slow', '1', { threadId });
    expect(busy).toMatchObject({ code: 'SWB_UPSTREAM_HTTP', retryAfterMs: 1_000 });
    expect(busy.message).toContain(`Thread '${threadId}' is busy`);
    call.abort();
    expect(codeOf(await failed)).toBe('SWB_CANCELLED');

    const missing = await talk.failure('approval', '', {
      threadId: 'nowhere',
      options: { resume: 'yes' },
    });
    expect(missing).toMatchObject({ code: 'SWB_INVALID_PARAMS' });
    expect(missing.message).toContain("no thread 'nowhere'");
  });

  it('cancels a run that waits to be started', async () => {
    const threadId = crypto.randomUUID();
    const { call, failed } = talk.begin('slow', '600', { threadId });
    await vi.waitFor(async () => expect(await talk.get(`/threads/${threadId}`)).toMatchObject({ status: 'busy' }), {
      timeout: 10_000,
      interval: 1,
    });
    call.abort();
    expect(codeOf(await failed)).toBe('SWB_CANCELLED');
    await vi.waitFor(
      async () => {
        const runs = await talk.get<JsonObject[]>(`/threads/${threadId}/runs`);
        expect(runs).toEqual([expect.objectContaining({ status: expect.stringMatching(/^(interrupted|error)$/) })]);
      },
      { timeout: 10_000, interval: 50 },
    );
  });

  it('reports a run that was cancelled by another client', async () => {
    const threadId = crypto.randomUUID();
    const failed = talk.failure('slow', '600', { threadId });
    await talk.started(threadId);
    const [run] = await talk.get<{ run_id: string }[]>(`/threads/${threadId}/runs`);
    await fetch(`${talk.server.url}/threads/${threadId}/runs/${run?.run_id}/cancel`, { method: 'POST' });
    expect(await failed).toMatchObject({
      code: 'SWB_AGENT_FAILED',
      message: "Agent 'slow' was cancelled on its server.",
    });
  });
});
