/** Agents of real servers: listed, described, called, and stopped. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { codeOf, resultOf } from '../../adapters/cases.ts';
import { fakeCall } from '../../adapters/testing/call.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { PROMPT, Talk, VERSIONS } from './talk.ts';

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
      protocolVersion: `${version}.0`,
    });
    expect(talk.upstream.serverInfo).toMatchObject({ name: 'langgraph-api', version: `${version}.0` });
  });

  it('lists every assistant: by graph where the server made it, by id where a person did', async () => {
    const { entries } = await talk.upstream.catalog('agents', AbortSignal.timeout(10_000));
    expect(entries).toHaveLength(7);
    const echo = entries.find(({ key }) => key === 'echo');
    expect(echo?.value).toMatchObject({
      name: 'echo',
      kind: 'langgraph',
      graph_id: 'echo',
      metadata: { created_by: 'system' },
    });
    const second = entries.find(({ value }) => value.title === 'Second echo');
    expect(second?.key).toBe(second?.value.assistant_id);
    expect(second?.value).toMatchObject({ graph_id: 'echo', description: 'Echoes with another prefix' });

    const { result } = await talk.say(second?.key ?? '', 'hello');
    expect(result.text).toBe('second: hello');
  });

  it('describes an agent with the schemas of its graph', async () => {
    const reply = resultOf(await talk.upstream.request('agents/describe', { agent: 'add' }, fakeCall()));
    expect(reply).toMatchObject({
      name: 'add',
      kind: 'langgraph',
      capabilities: { threads: true, streaming: true, interrupts: true },
      schemas: { input: { type: 'object', properties: { a: {}, b: {} } } },
    });
    await expect(talk.upstream.request('agents/describe', { agent: 'nobody' }, fakeCall())).rejects.toMatchObject({
      code: 'SWB_UNKNOWN_AGENT',
    });
  });

  it('answers with text, thread and run, and without progress unless requested', async () => {
    const { result, call } = await talk.say('echo', 'hello');
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
      '{"tick":1}',
      '{"tick":2}',
      '{"tick":3}',
      '3 ticks',
    ]);
  });

  it('continues a thread, and answers with this turn only', async () => {
    const { result: first } = await talk.say('echo', 'one');
    const { result: second } = await talk.say('echo', 'two', { threadId: first.threadId as string });
    expect(second).toMatchObject({ text: 'echo: two', threadId: first.threadId });
    const state = await talk.get(`/threads/${first.threadId}/state`);
    expect(state).toMatchObject({ values: { messages: { length: 4 } } });
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
