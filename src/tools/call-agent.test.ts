import { afterEach, describe, expect, it } from 'vitest';
import { fakeCall } from '../../adapters/testing/call.ts';
import { SwitchboardError, UpstreamError } from '../core/errors.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { type AnswerAgent, type Rig, rig } from './testing/rig.ts';

let at: Rig;
afterEach(() => at.close());

async function withAgent(answer: AnswerAgent): Promise<Rig> {
  at = await rig({
    configured: {
      m: { kind: 'mastra', url: 'http://m.example:4111', agents: [{ key: 'echo' }, { key: 'both' }], answer },
      l: { kind: 'langgraph', url: 'http://l.example/base/', agents: [{ key: 'both' }], answer },
    },
  });
  return at;
}

const sent = (): JsonObject | undefined => at.reached[0]?.params;

describe('callAgent', () => {
  it('sends a message and returns the answer, structured and as plain text', async () => {
    await withAgent(() => ({
      status: 'completed',
      text: 'Hello.',
      threadId: 't1',
      runId: 'r1',
      finishReason: 'stop',
      usage: { inputTokens: 3 },
      output: { mood: 'good' },
      private: 'not passed on',
    }));
    const result = await at.call('callAgent', {
      agent: 'echo',
      message: 'Hi',
      threadId: 't1',
      resourceId: 'u',
      options: { maxSteps: 2 },
    });
    expect(result.content).toEqual([{ type: 'text', text: 'Hello.' }]);
    expect(result.structuredContent).toEqual({
      agent: 'm/echo',
      server: 'm',
      status: 'completed',
      text: 'Hello.',
      threadId: 't1',
      runId: 'r1',
      finishReason: 'stop',
      usage: { inputTokens: 3 },
      output: { mood: 'good' },
      elapsedMs: expect.any(Number),
    });
    expect(at.reached).toEqual([
      {
        server: 'm',
        method: 'agents/call',
        params: {
          _meta: { 'switchboard/path': [expect.stringMatching(/^m\/echo@[0-9a-f]{8}$/)] },
          agent: 'echo',
          messages: [{ role: 'user', content: 'Hi' }],
          stream: false,
          threadId: 't1',
          resourceId: 'u',
          options: { maxSteps: 2 },
        },
      },
    ]);
  });

  it('takes a conversation instead of a message', async () => {
    await withAgent(() => ({ status: 'completed', text: 'ok' }));
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
    ];
    await at.call('callAgent', { agent: 'echo', messages });
    expect(sent()).toMatchObject({ messages });
  });

  it('understands the arguments of mcp-agent-proxy', async () => {
    await withAgent(() => ({ status: 'completed', text: 'ok' }));
    const result = await at.call('callAgent', {
      targetAgentId: 'm:echo',
      interactionType: 'stream',
      messages: [{ role: 'user', content: 'Hi' }],
      agentOptions: { maxSteps: 1 },
      threadId: 't',
    });
    expect(result.structuredContent).toMatchObject({ agent: 'm/echo' });
    expect(sent()).toMatchObject({ agent: 'echo', stream: true, options: { maxSteps: 1 }, threadId: 't' });
    at.reached.length = 0;
    await at.call('callAgent', { targetAgentId: 'echo', interactionType: 'generate', message: 'Hi' });
    expect(sent()).toMatchObject({ stream: false });
  });

  it('lets serverUrl choose among connected servers, and nothing else', async () => {
    await withAgent(() => ({ status: 'completed', text: 'ok' }));
    const call = (serverUrl: string) => at.call('callAgent', { targetAgentId: 'both', message: 'Hi', serverUrl });
    expect((await call('http://m.example:4111')).structuredContent).toMatchObject({ server: 'm' });
    expect((await call('http://L.example/base/')).structuredContent).toMatchObject({ server: 'l' });
    expect((await call('http://elsewhere.example'))._meta?.['switchboard/error']).toMatchObject({
      code: 'SWB_UNKNOWN_SERVER',
    });
    expect((await call('javascript:alert(1)'))._meta?.['switchboard/error']).toMatchObject({ code: 'SWB_URL_REFUSED' });
    expect(at.reached).toHaveLength(2);
  });

  it.each<[string, JsonObject, string]>([
    ['no agent', { message: 'hi' }, 'agent: found nothing'],
    ['nothing to say', { agent: 'echo' }, 'message: found neither message nor messages, and no input'],
    [
      'both',
      { agent: 'echo', message: 'hi', messages: [{ role: 'user', content: 'hi' }] },
      'found message and messages',
    ],
    ['two agents', { agent: 'echo', targetAgentId: 'm:echo', message: 'hi' }, 'found agent and targetAgentId'],
    [
      'two ways to stream',
      { agent: 'echo', message: 'hi', stream: true, interactionType: 'generate' },
      'stream and interactionType',
    ],
    [
      'two sets of options',
      { agent: 'echo', message: 'hi', options: {}, agentOptions: {} },
      'options and agentOptions',
    ],
    ['no messages', { agent: 'echo', messages: [] }, 'messages: found 0 items; allowed: at least 1 items'],
    [
      'an empty message',
      { agent: 'echo', message: '' },
      'message: found an empty string; allowed: at least 1 characters',
    ],
    [
      'content of another type',
      { agent: 'echo', messages: [{ role: 'user', content: 1 }] },
      'messages[0].content: found number; allowed: string or array',
    ],
  ])('refuses %s and calls nothing', async (_what, args, problem) => {
    await withAgent(() => ({ status: 'completed', text: 'ok' }));
    const result = await at.call('callAgent', args);
    expect(result.isError).toBe(true);
    expect(result.text).toContain(problem);
    expect(at.reached).toEqual([]);
  });

  it('needs no message when the options carry on a run that waits', async () => {
    await withAgent(() => ({ status: 'completed', text: 'Done.' }));
    await at.call('callAgent', { agent: 'echo', threadId: 't', options: { resume: 'yes' } });
    expect(sent()).toMatchObject({ messages: [], options: { resume: 'yes' } });
    expect((await at.call('callAgent', { agent: 'echo', options: { maxSteps: 1 } })).isError).toBe(true);
  });

  it('passes on progress and questions of the agent to the client', async () => {
    await withAgent(async (_method, params, call) => {
      expect(params.stream).toBe(true);
      call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1, message: 'Hel' } });
      const asked = await call.ask({ method: 'elicitation/create', params: { message: 'Sure?' } });
      return { status: 'completed', text: `Hello, ${String(asked.action)}.` };
    });
    const call = fakeCall({
      wantsProgress: true,
      caller: { capabilities: { elicitation: {} } },
      answer: () => ({ action: 'accept' }),
    });
    const reply = await at.federation
      .member('switchboard')
      ?.require()
      .request('tools/call', { name: 'callAgent', arguments: { agent: 'echo', message: 'Hi', stream: true } }, call);
    expect(reply).toMatchObject({ value: { content: [{ text: 'Hello, accept.' }] } });
    expect(call.notifications).toMatchObject([
      { method: 'notifications/progress', params: { progress: 1, message: 'Hel' } },
    ]);
    expect(call.asks).toMatchObject([{ method: 'elicitation/create' }]);
  });

  it('returns an interrupted run with what it waits for and the options to continue it', async () => {
    await withAgent(() => ({
      status: 'interrupted',
      text: '',
      threadId: 't1',
      runId: 'r1',
      interrupts: [
        {
          type: 'tool-approval',
          toolName: 'transfer',
          args: { amount: 5 },
          continueWith: [{ approve: { runId: 'r1' } }, { decline: { runId: 'r1' } }],
        },
        'Which one?',
      ],
    }));
    const result = await at.call('callAgent', { agent: 'echo', message: 'Hi' });
    expect(result.structuredContent).toMatchObject({
      status: 'interrupted',
      interrupts: [{ type: 'tool-approval' }, 'Which one?'],
    });
    expect(result.text.split('\n')).toEqual([
      'The agent m/echo stopped to wait for an answer (thread t1, run r1).',
      '- {"type":"tool-approval","toolName":"transfer","args":{"amount":5}}',
      '  goes on with options {"approve":{"runId":"r1"}}',
      '  goes on with options {"decline":{"runId":"r1"}}',
      '- {"interrupt":"Which one?"}',
      'The run goes on with another call of the same agent and thread, the answer in its options.',
    ]);
  });

  it('shows data to clients that read text only, when there is no text', async () => {
    await withAgent(() => ({ status: 'completed', text: '', output: { answer: 42 } }));
    expect((await at.call('callAgent', { agent: 'echo', message: 'Hi' })).text).toBe('{"answer":42}');
    await at.close();
    await withAgent(() => ({ status: 'completed', text: '' }));
    expect((await at.call('callAgent', { agent: 'echo', message: 'Hi' })).text).toBe(
      'The agent answered without text.',
    );
  });

  it('turns failures into tool errors a model and a script can read, and never calls twice', async () => {
    await withAgent(() => {
      throw new SwitchboardError('SWB_QUEUE_FULL', "Server 'm' is busy.", {
        retryAfterMs: 1_500,
        data: { server: 'm' },
      });
    });
    const busy = await at.call('callAgent', { agent: 'echo', message: 'Hi' });
    expect(busy.text).toBe("Server 'm' is busy. Trying again makes sense after 1.5 s.");
    expect(busy._meta?.['switchboard/error']).toEqual({
      code: 'SWB_QUEUE_FULL',
      message: "Server 'm' is busy.",
      retryAfterMs: 1_500,
      server: 'm',
    });
    expect(at.reached).toHaveLength(1);
    await at.close();
    await withAgent(() => {
      throw new UpstreamError({ code: -32099, message: 'No.', data: { why: 'because' } });
    });
    expect((await at.call('callAgent', { agent: 'echo', message: 'Hi' }))._meta?.['switchboard/error']).toEqual({
      code: 'UPSTREAM_ERROR',
      message: 'No.',
      rpcCode: -32099,
      data: { why: 'because' },
    });
  });

  it('ends with the call: a cancelled one is cancelled at the server too', async () => {
    let reason: unknown;
    const heard = Promise.withResolvers<void>();
    await withAgent(
      (_method, _params, call) =>
        new Promise((_resolve, reject) => {
          call.onAbort((why) => {
            reason = why;
            reject(why);
          });
          heard.resolve();
        }),
    );
    const call = fakeCall();
    const reply = at.federation
      .member('switchboard')
      ?.require()
      .request('tools/call', { name: 'callAgent', arguments: { agent: 'echo', message: 'Hi' } }, call);
    await heard.promise;
    call.abort();
    await expect(reply).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
    expect(reason).toMatchObject({ code: 'SWB_CANCELLED' });
  });
});
