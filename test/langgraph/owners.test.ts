/** Two grants and the local user on one real server: no conversation of one is another's. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resultOf } from '../../adapters/cases.ts';
import { fakeCall } from '../../adapters/testing/call.ts';
import type { AgentCallParams } from '../../src/core/agent-call.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { Talk, VERSIONS } from './talk.ts';

describe.each(VERSIONS)('Threads of grants on LangGraph %s', (version) => {
  let talk: Talk;
  beforeAll(async () => {
    talk = await Talk.start(version);
  });
  afterAll(() => talk?.stop());

  const say = async (principal: string, text: string, more: Partial<AgentCallParams> = {}): Promise<JsonObject> =>
    (await talk.say('echo', text, more, { caller: { principal } })).result;
  const unknown = { code: 'SWB_INVALID_PARAMS', message: expect.stringMatching(/has no thread/) };

  it('are continued by their own grant by id and by name, and by no other', async () => {
    const first = await say('alice', 'one', { threadId: 'new' });
    const threadId = String(first.threadId);
    expect((await say('alice', 'two', { threadId })).threadId).toBe(threadId);
    await expect(say('bob', 'mine?', { threadId })).rejects.toMatchObject(unknown);
    const state = await talk.get<{ values: { messages: unknown[] } }>(`/threads/${threadId}/state`);
    expect(state.values.messages).toHaveLength(4);
    // As the server tells it: the local user may look at everything.
    expect((await say('local', 'and me', { threadId })).threadId).toBe(threadId);
    const own = await say('local', 'mine', { threadId: 'new' });
    await expect(say('alice', 'yours?', { threadId: String(own.threadId) })).rejects.toMatchObject(unknown);
  });

  it('have interrupts that only their own grant resumes', async () => {
    const caller = (principal: string) => ({ caller: { principal } });
    const { result } = await talk.say('approval', 'go', { threadId: 'release' }, caller('alice'));
    expect(result).toMatchObject({ status: 'interrupted', threadId: 'release' });
    const resume = { threadId: String(result.threadId), options: { resume: 'no' } };
    await expect(talk.say('approval', '', resume, caller('bob'))).rejects.toMatchObject(unknown);
    const done = await talk.say('approval', '', resume, caller('alice'));
    expect(done.result).toMatchObject({ status: 'completed', text: 'answer: no' });
  });

  it('are listed, read, copied and removed by their own grant only', async () => {
    const as = (principal: string) => fakeCall({ caller: { principal } });
    const request = async (method: string, params: JsonObject, principal: string): Promise<JsonObject> =>
      resultOf(await talk.upstream.request(`agents/threads/${method}`, params, as(principal)));
    for (const text of ['first words', 'second words']) await say('carol', text, { threadId: 'plans' });
    await say('dave', 'other words', { threadId: 'plans' });

    const { threads } = await request('list', {}, 'carol');
    expect(threads).toEqual([
      expect.objectContaining({ threadId: 'plans', title: 'first words', agent: 'echo', status: 'idle' }),
    ]);
    expect((await request('list', { agent: 'add' }, 'carol')).threads).toEqual([]);
    const read = await request('read', { threadId: 'plans', limit: 3 }, 'carol');
    expect(read).toMatchObject({
      threadId: 'plans',
      truncated: true,
      messages: [
        { role: 'assistant', text: 'echo: first words' },
        { role: 'user', text: 'second words' },
        { role: 'assistant', text: 'echo: second words' },
      ],
    });

    const { threadId: copy } = await request('fork', { threadId: 'plans' }, 'carol');
    await say('carol', 'third words', { threadId: String(copy) });
    expect(((await request('read', { threadId: copy }, 'carol')).messages as unknown[]).length).toBe(6);
    expect(((await request('read', { threadId: 'plans' }, 'carol')).messages as unknown[]).length).toBe(4);
    await expect(request('read', { threadId: copy }, 'dave')).rejects.toMatchObject(unknown);
    await expect(request('delete', { threadId: copy }, 'dave')).rejects.toMatchObject(unknown);
    await request('delete', { threadId: copy }, 'carol');
    await expect(request('read', { threadId: copy }, 'carol')).rejects.toMatchObject(unknown);

    const uri = 'langgraph://threads/plans';
    const { contents } = resultOf(await talk.upstream.request('resources/read', { uri }, as('carol')));
    expect(JSON.parse((contents as { text: string }[])[0]?.text ?? '')).toMatchObject({ messages: { length: 4 } });
    const other = talk.upstream.request('resources/read', { uri: `langgraph://threads/${copy}` }, as('dave'));
    await expect(other).rejects.toMatchObject(unknown);
  });

  it('are listed in pages', async () => {
    for (const name of ['a', 'b', 'c']) await say('erin', name, { threadId: name });
    const seen: unknown[] = [];
    let cursor: unknown;
    do {
      const params: JsonObject = cursor === undefined ? { limit: 2 } : { limit: 2, cursor };
      const call = fakeCall({ caller: { principal: 'erin' } });
      const page = resultOf(await talk.upstream.request('agents/threads/list', params, call));
      seen.push(...(page.threads as JsonObject[]).map(({ threadId }) => threadId));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(seen).toEqual(['c', 'b', 'a']);
  });

  it('are beside a store that only the local user reads', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ namespace: ['notes', 'ada'], key: 'k', value: { x: 1 } });
    await fetch(`${talk.server.url}/store/items`, { method: 'PUT', headers, body });
    const read = (uri: string, principal: string) =>
      talk.upstream.request('resources/read', { uri }, fakeCall({ caller: { principal } }));
    const { contents } = resultOf(await read('langgraph://store/notes.ada/k', 'local'));
    expect(JSON.parse((contents as { text: string }[])[0]?.text ?? '')).toMatchObject({ value: { x: 1 } });
    for (const missing of [
      read('langgraph://store/notes.ada/k', 'alice'),
      read('langgraph://store/notes.ada/z', 'local'),
    ]) {
      await expect(missing).rejects.toMatchObject({ code: 'SWB_UNKNOWN_RESOURCE' });
    }
  });
});
