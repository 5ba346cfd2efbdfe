/** Workflows, hosted MCP servers and threads of a real Mastra server. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
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
const target = () => ({ transport: 'http', url: server.url, headers: {} }) as const;

beforeAll(async () => {
  server = await borrowMastra();
  upstream = await mastraAdapter.connect(fakeContext(target()));
});
afterAll(async () => {
  await upstream?.close();
  await server?.stop();
});

async function run(
  name: string,
  args: JsonObject,
  options: FakeCallOptions = {},
): Promise<{ result: JsonObject; call: FakeCall; text: string }> {
  const call = fakeCall(options);
  const result = resultOf(await upstream.request('tools/call', { name, arguments: args }, call));
  const text = (result.content as { text: string }[]).map((part) => part.text).join('\n');
  return { result, call, text };
}
const get = async (path: string): Promise<JsonObject> =>
  (await (await fetch(`${server.url}/api/${path}`)).json()) as JsonObject;
const count = (event: string, text: string): number =>
  server.events.filter((seen) => seen.event === event && seen.text === text).length;

describe('the workflows of a Mastra server', () => {
  it('are tools with the schemas of the workflow, beside one that goes on with those that wait', async () => {
    const { entries } = await upstream.catalog('tools', AbortSignal.timeout(30_000));
    const tools = new Map(entries.map(({ key, value }) => [key, value]));
    expect(tools.get('workflow-reverse')).toMatchObject({
      title: 'reverse',
      description: 'Reverses a text',
      inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
      outputSchema: { type: 'object', properties: { text: { type: 'string' } } },
    });
    expect(tools.get('workflow-publish')?.description).toMatch(/may stop to wait for a person/);
    expect(tools.get('workflow-resume')?.inputSchema).toMatchObject({
      properties: { workflow: {}, runId: {}, step: {}, data: {} },
    });
  });

  it('run to their end with progress by step, and return their result', async () => {
    const { result, call } = await run('workflow-reverse', { text: 'abc' }, { wantsProgress: true });
    expect(result).toMatchObject({
      content: [{ type: 'text', text: '{"text":"cba"}' }],
      structuredContent: { text: 'cba' },
      _meta: { 'switchboard/run': expect.any(String), 'switchboard/usage': { totalTokens: 0 } },
    });
    expect(call.notifications.map(({ params }) => params?.message)).toEqual(['reverse: started', 'reverse: success']);
    expect(call.alives).toBeGreaterThan(2);
  });

  it('ask what a suspended step waits for, and go on with the answer', async () => {
    const answer = () => ({ action: 'accept', content: { yes: true } });
    const { result, call } = await run('workflow-publish', { text: 'news' }, { answer });
    expect(call.asks[0]?.params).toMatchObject({
      message: "Workflow 'publish' of server 'fixture' waits for input to its step 'confirm': Publish 'news'?",
      requestedSchema: { properties: { yes: { type: 'boolean' } }, required: ['yes'] },
    });
    expect(result.structuredContent).toEqual({ text: 'published news' });
  });

  it('ask for each of the steps that wait at the same time', async () => {
    const answer = ({ params }: { params?: JsonObject }) => ({
      action: 'accept',
      content: { by: String(params?.message).includes("'legal'") ? 'Ada' : 'Bob' },
    });
    const { result, call } = await run('workflow-release', { text: 'x' }, { answer });
    expect(call.asks).toHaveLength(2);
    expect(result.structuredContent).toEqual({ legal: { by: 'Ada' }, press: { by: 'Bob' } });
  });

  it('wait when the client cannot be asked, and are gone on with by their own principal only, after a restart too', async () => {
    const { result, text } = await run('workflow-publish', { text: 'later' }, { caller: { principal: 'ann' } });
    expect(result.isError).toBe(true);
    expect(text).toContain("The workflow 'publish' waits for a person:\n- step confirm");
    const runId = (result._meta as JsonObject)['switchboard/run'];
    const args = { workflow: 'publish', runId, data: { yes: false } };
    const next = await mastraAdapter.connect(fakeContext(target()));
    try {
      const resume = (principal: string) =>
        next
          .request('tools/call', { name: 'workflow-resume', arguments: args }, fakeCall({ caller: { principal } }))
          .then(resultOf);
      await expect(resume('bob')).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS' });
      await expect(resume('local')).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS' });
      expect((await resume('ann')).structuredContent).toEqual({ text: 'nothing was published' });
      await expect(resume('ann')).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS' });
    } finally {
      await next.close();
    }
  });

  it.each([
    ['the call is cancelled', (call: FakeCall) => call.abort(), false],
    ['the server is removed', undefined, false],
    ['the server is removed during a lasting call', undefined, true],
  ])('are cancelled by the server’s own route when %s', async (why, stop, lasting) => {
    const other = stop ? upstream : await mastraAdapter.connect(fakeContext(target()));
    const call = Object.assign(fakeCall(), { lasting });
    const params = { name: 'workflow-lengthy', arguments: { text: why } };
    const outcome = other.request('tools/call', params, call).catch((error: unknown) => error);
    await vi.waitFor(() => expect(count('workflow started', why)).toBe(1), { timeout: 10_000, interval: 10 });
    const own = await vi.waitFor(async () => {
      const { runs } = await get('workflows/lengthy/runs');
      const found = (runs as JsonObject[]).find(({ snapshot }) => JSON.stringify(snapshot).includes(`"${why}"`));
      expect(found).toBeDefined();
      return found as JsonObject;
    });
    if (stop) stop(call);
    else await other.close();
    expect(codeOf(await outcome)).toMatch(stop ? /SWB_CANCELLED/ : /SWB_UPSTREAM_UNAVAILABLE/);
    await vi.waitFor(() => expect(count('workflow aborted', why)).toBe(1), { timeout: 10_000, interval: 10 });
    // The step sees that it is cancelled before the server has written so.
    await vi.waitFor(async () =>
      expect(await get(`workflows/lengthy/runs/${own.runId}`)).toMatchObject({ status: 'canceled' }),
    );
  });

  it('are alive while the server says that they run, although they are silent', async () => {
    const call = fakeCall({ silenceMs: 300 });
    const params = { name: 'workflow-lengthy', arguments: { text: 'silent' } };
    const outcome = upstream.request('tools/call', params, call).catch((error: unknown) => error);
    await vi.waitFor(() => expect(count('workflow started', 'silent')).toBe(1), { timeout: 10_000, interval: 10 });
    const before = call.alives;
    await vi.waitFor(() => expect(call.alives).toBeGreaterThan(before + 2), { timeout: 10_000, interval: 20 });
    call.abort();
    await outcome;
  });

  it('fail with what is wrong and nothing of the machine', async () => {
    const failed = await run('workflow-failing', { text: 'x' });
    expect(failed.result.isError).toBe(true);
    expect(failed.text).toBe("The workflow 'failing' failed: The press is broken ([secret] in [path])");
    const invalid = await run('workflow-reverse', { nope: 1 });
    expect(invalid.result.isError).toBe(true);
    expect(invalid.text).toMatch(
      /^The workflow 'reverse' failed: Invalid input data: text: Invalid input: expected string/,
    );
    await expect(run('workflow-nothing', {})).rejects.toMatchObject({ code: 'SWB_UNKNOWN_TOOL' });
  });
});

describe('the MCP servers that a Mastra server hosts', () => {
  it('have their tools under their own name, which run', async () => {
    const { entries } = await upstream.catalog('tools', AbortSignal.timeout(30_000));
    expect(entries.find(({ key }) => key === 'toolbox__add')?.value).toMatchObject({
      description: 'Adds two numbers',
      inputSchema: { type: 'object', properties: { a: { type: 'number' } } },
    });
    expect((await run('toolbox__add', { a: 1, b: 2 })).result.structuredContent).toEqual({ sum: 3 });
    expect((await run('toolbox__shout', { text: 'hi' })).text).toBe('HI');
    const invalid = await run('toolbox__add', { a: 'one' });
    expect(invalid.result.isError).toBe(true);
  });
});

describe('the threads of a Mastra server', () => {
  const as = (principal: string) => fakeCall({ caller: { principal } });
  const request = async (method: string, params: JsonObject, principal: string): Promise<JsonObject> =>
    resultOf(await upstream.request(`agents/threads/${method}`, params, as(principal)));
  const say = (text: string, threadId: string, principal: string) =>
    upstream.request(
      'agents/call',
      { agent: 'echo', messages: [{ role: 'user', content: text }], threadId },
      as(principal),
    );
  const unknown = { code: 'SWB_INVALID_PARAMS', message: expect.stringMatching(/has no thread/) };

  it('are listed, read, copied and removed by their own principal only', async () => {
    for (const text of ['one', 'two']) await say(text, 'plans', 'carol');
    await say('mine', 'plans', 'dave');
    const { threads } = await request('list', { agent: 'echo' }, 'carol');
    expect(threads).toEqual([expect.objectContaining({ threadId: 'plans', updatedAt: expect.any(String) })]);
    const read = await request('read', { threadId: 'plans', agent: 'echo', limit: 3 }, 'carol');
    expect(read).toMatchObject({
      threadId: 'plans',
      truncated: true,
      messages: [
        { role: 'assistant', text: 'Echo: one' },
        { role: 'user', text: 'two' },
        { role: 'assistant', text: 'Echo 2: two' },
      ],
    });
    const { threadId: copy } = await request('fork', { threadId: 'plans', agent: 'echo' }, 'carol');
    expect(resultOf(await say('three', String(copy), 'carol')).text).toBe('Echo 3: three');
    expect(resultOf(await say('three', 'plans', 'carol')).text).toBe('Echo 3: three');
    await expect(request('read', { threadId: copy, agent: 'echo' }, 'dave')).rejects.toMatchObject(unknown);
    await request('delete', { threadId: copy, agent: 'echo' }, 'carol');
    await expect(request('read', { threadId: copy, agent: 'echo' }, 'carol')).rejects.toMatchObject(unknown);

    const uri = 'mastra://threads/plans';
    const { contents } = resultOf(await upstream.request('resources/read', { uri }, as('dave')));
    expect(JSON.parse((contents as { text: string }[])[0]?.text ?? '')).toMatchObject({ messages: { length: 2 } });
    await expect(upstream.request('resources/read', { uri }, as('erin'))).rejects.toMatchObject(unknown);
    // The local user has its own, and none of grants by the names the server knows.
    await say('hello', 'local-plans', 'local');
    expect(await request('read', { threadId: 'local-plans' }, 'local')).toMatchObject({ messages: { length: 2 } });
    const foreign = request('read', { threadId: 'switchboard:dave:plans' }, 'local');
    await expect(foreign).rejects.toMatchObject(unknown);
  });

  it('are listed in pages, the newest first', async () => {
    for (const name of ['a', 'b', 'c']) await say(name, name, 'frank');
    const first = await request('list', { limit: 2 }, 'frank');
    const second = await request('list', { limit: 2, cursor: first.nextCursor }, 'frank');
    const ids = [first, second].flatMap(({ threads }) => (threads as JsonObject[]).map(({ threadId }) => threadId));
    expect(ids).toEqual(['c', 'b', 'a']);
    expect(second).not.toHaveProperty('nextCursor');
  });
});
