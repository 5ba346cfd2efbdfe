/** Two grants and the local user on one real server: no conversation of one is another's. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
    const first = await say('alice', 'one');
    const threadId = String(first.threadId);
    expect((await say('alice', 'two', { threadId })).threadId).toBe(threadId);
    await expect(say('bob', 'mine?', { threadId })).rejects.toMatchObject(unknown);
    const state = await talk.get<{ values: { messages: unknown[] } }>(`/threads/${threadId}/state`);
    expect(state.values.messages).toHaveLength(4);
    // As the server tells it: the local user may look at everything.
    expect((await say('local', 'and me', { threadId })).threadId).toBe(threadId);
    const own = await say('local', 'mine');
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
});
