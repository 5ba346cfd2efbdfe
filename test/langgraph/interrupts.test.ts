/** Graphs of real servers that ask a person: in the middle of a call, or between two. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resultOf } from '../../adapters/cases.ts';
import { type FakeCallOptions, fakeCall } from '../../adapters/testing/call.ts';
import { accepting, agentCall, Talk, VERSIONS } from './talk.ts';

describe.each(VERSIONS)('LangGraph %s', { concurrent: true }, (version) => {
  let talk: Talk;
  beforeAll(async () => {
    talk = await Talk.start(version);
  });
  afterAll(() => talk?.stop());

  it('elicits what an interrupt asks, and resumes with the answer', async () => {
    const { result, call } = await talk.say('approval', 'go', {}, accepting({ Deploy: 'yes' }));
    expect(result).toMatchObject({ status: 'completed', text: 'answer: yes' });
    expect(call.asks).toMatchObject([
      {
        method: 'elicitation/create',
        params: {
          message: 'Deploy to production?',
          requestedSchema: { properties: { answer: { enum: ['yes', 'no'] } }, required: ['answer'] },
        },
      },
    ]);
  });

  it('asks several questions at once, and more after them', async () => {
    const answers = accepting({ 'your name': 'Ada', 'Which colour': 'blue', right: 'yes' });
    const { result, call } = await talk.say('survey', 'go', {}, answers);
    expect(result.text).toBe('Ada likes blue: yes');
    expect(
      call.asks
        .map(({ params }) => params?.message)
        .slice(0, 2)
        .sort(),
    ).toEqual(['What is your name?', 'Which colour?']);
    expect(call.asks).toHaveLength(3);
  });

  it.each([
    ['declines', { answer: () => ({ action: 'decline' }) }],
    ['cancels', { answer: () => ({ action: 'cancel' }) }],
    ['answers something else', { answer: () => ({ action: 'accept', content: { answer: 'perhaps' } }) }],
    ['cannot be asked', {}],
  ] satisfies [string, FakeCallOptions][])('leaves the thread waiting when the client %s', async (_, options) => {
    const { result } = await talk.say('approval', 'go', { threadId: `waiting ${_}` }, options);
    expect(result).toMatchObject({
      status: 'interrupted',
      finishReason: 'interrupted',
      threadId: `waiting ${_}`,
      interrupts: [{ value: { question: 'Deploy to production?', options: ['yes', 'no'] } }],
    });
    expect(result.text).toContain('Deploy to production?');
    expect(result.text).toContain(`threadId 'waiting ${_}' and options.resume`);

    const resumed = await talk.say('approval', '', {
      threadId: `waiting ${_}`,
      options: { resume: 'no' },
    });
    expect(resumed.result).toMatchObject({ status: 'completed', text: 'answer: no' });
  });

  it.each([
    ['accept', { decision: 'accept' }, { type: 'accept', args: null }],
    ['respond', { decision: 'respond', response: 'wait' }, { type: 'response', args: 'wait' }],
    [
      'edit',
      { decision: 'edit', arguments: '{"to":"bob@example.org"}' },
      { type: 'edit', args: { action: 'send_mail', args: { to: 'bob@example.org' } } },
    ],
  ])("asks LangGraph's own form and answers it in its own form: %s", async (_, content, answer) => {
    for (const [text, expected] of [
      ['list', [answer]],
      ['alone', answer],
    ] as const) {
      const { result, call } = await talk.say('review', text, {}, { answer: () => ({ action: 'accept', content }) });
      expect(JSON.parse(String(result.text))).toEqual(expected);
      expect(call.asks[0]?.params).toMatchObject({
        message: 'A mail is ready to be sent.\nsend_mail({"to":"ada@example.org"})',
        requestedSchema: {
          properties: { decision: { enum: ['accept', 'edit', 'respond'] }, response: {}, arguments: {} },
          required: ['decision'],
        },
      });
    }
  });

  it('resumes several interrupts by their ids', async () => {
    const { result } = await talk.say('survey', 'go');
    const interrupts = result.interrupts as { id: string; value: unknown }[];
    const resume = Object.fromEntries(
      interrupts.map(({ id, value }) => [id, typeof value === 'string' ? 'Ada' : 'red']),
    );
    const next = await talk.say('survey', '', {
      threadId: result.threadId as string,
      options: { resume },
    });
    expect(next.result).toMatchObject({
      status: 'interrupted',
      interrupts: [{ value: { prompt: 'Is red right, Ada?' } }],
    });
  });

  it('stops at breakpoints and goes on from them', async () => {
    const { result } = await talk.say('echo', 'hello', { options: { interruptBefore: ['agent'] } });
    expect(result).toMatchObject({ status: 'interrupted', interrupts: [] });
    expect(result.text).toContain('options.input null');
    const next = await talk.say('echo', '', {
      threadId: result.threadId as string,
      options: { input: null },
    });
    expect(next.result).toMatchObject({ status: 'completed', text: 'echo: hello' });
  });

  it('keeps the threads of two principals apart', async () => {
    const { method, params } = agentCall('approval', 'go', { threadId: 'shared name' });
    await talk.upstream.request(method, params, fakeCall({ caller: { principal: 'ann' } }));
    const resume = { agent: 'approval', threadId: 'shared name', options: { resume: 'yes' } };
    const other = talk.upstream.request(method, { ...resume }, fakeCall({ caller: { principal: 'bob' } }));
    await expect(other).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS' });
    const own = await talk.upstream.request(method, { ...resume }, fakeCall({ caller: { principal: 'ann' } }));
    expect(resultOf(own).text).toBe('answer: yes');
  });
});
