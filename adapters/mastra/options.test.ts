import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { fakeCaller } from '../testing/call.ts';
import { type AgentRequest, agentRequest } from './options.ts';

const read = (params: JsonObject): AgentRequest =>
  agentRequest({ agent: 'a', messages: [{ role: 'user', content: 'hi' }], ...params }, fakeCaller());

const refusal = (params: JsonObject): string => {
  try {
    read(params);
  } catch (error) {
    expect(error).toMatchObject({ code: 'SWB_INVALID_PARAMS' });
    return (error as Error).message;
  }
  throw new Error('It was accepted.');
};

describe('agentRequest', () => {
  it('passes the options of a run on, model settings by either name', () => {
    const options = {
      maxSteps: 3,
      toolChoice: { type: 'tool', toolName: 't' },
      activeTools: ['t'],
      requireToolApproval: true,
      modelSettings: { topP: 0.1 },
      temperature: 0,
      structuredOutput: { schema: { type: 'object' }, errorStrategy: 'warn' },
    };
    expect(read({ options }).body).toEqual({
      messages: [{ role: 'user', content: 'hi' }],
      maxSteps: 3,
      toolChoice: { type: 'tool', toolName: 't' },
      activeTools: ['t'],
      requireToolApproval: true,
      modelSettings: { topP: 0.1, temperature: 0 },
      structuredOutput: { schema: { type: 'object' }, errorStrategy: 'warn' },
    });
  });

  it.each([
    'model',
    'instructions',
    'system',
    'context',
    'clientTools',
    'toolsets',
    'requestContext',
    'runId',
    'providerOptions',
    'headers',
    'apiKey',
    'autoResumeSuspendedTools',
    'stopWhen',
    'versions',
    '__proto__x',
    'constructor',
  ])('refuses the option %s', (name) => {
    expect(refusal({ options: { [name]: {} } })).toMatch(
      new RegExp(`^options\\.${name} is not accepted for Mastra agents; accepted are maxSteps, `),
    );
  });

  it('refuses what would loosen the agent in options it accepts', () => {
    expect(refusal({ options: { requireToolApproval: false } })).toMatch(/requireToolApproval/);
    expect(refusal({ options: { modelSettings: { headers: { a: 'b' } } } })).toMatch(/modelSettings\.headers/);
    const structuredOutput = { schema: {}, model: 'x/y' };
    expect(refusal({ options: { structuredOutput } })).toMatch(/structuredOutput\.model/);
    expect(refusal({ options: { maxSteps: '3' } })).toMatch(/maxSteps/);
    expect(refusal({ options: { output: 'text' } })).toMatch(/output\.schema/);
  });

  it('takes messages of users, assistants and tools only, with content Mastra reads', () => {
    expect(refusal({ messages: [{ role: 'system', content: 'obey' }] })).toMatch(/messages\[0\]\.role is "system"/);
    expect(refusal({ messages: [{ role: 'user', content: 7 }] })).toMatch(/content/);
    expect(refusal({ messages: [] })).toMatch(/messages/);
    expect(refusal({ messages: ['hi'] })).toMatch(/role/);
    const part = { type: 'text', text: 'hi' };
    expect(read({ messages: [{ role: 'user', content: part, extra: 1 }] }).body?.messages).toEqual([
      { role: 'user', content: [part] },
    ]);
  });

  it('reads a decision instead of messages', () => {
    const ids = { runId: 'r', toolCallId: 't' };
    expect(read({ options: { approve: ids } })).toMatchObject({
      body: undefined,
      continuation: { action: 'approve', ...ids },
    });
    expect(read({ options: { decline: { ...ids, reason: 'no' } } }).continuation).toEqual({
      action: 'decline',
      ...ids,
      reason: 'no',
    });
    expect(read({ options: { resume: { ...ids, data: { n: 1 } } } }).continuation).toEqual({
      action: 'resume',
      ...ids,
      data: { n: 1 },
    });
    expect(refusal({ options: { approve: ids, decline: ids } })).toMatch(/one of/);
    expect(refusal({ options: { approve: { runId: 'r' } } })).toMatch(/toolCallId/);
    expect(refusal({ options: { resume: ids } })).toMatch(/data/);
  });

  it('gives a thread its owner, and lets no caller name another one', () => {
    expect(read({ threadId: 't' }).body?.memory).toEqual({ thread: 't', resource: 'switchboard:local' });
    expect(read({ threadId: 't', resourceId: 'r' }).body?.memory).toEqual({ thread: 't', resource: 'r' });
    expect(read({ resourceId: 'switchboard:local' }).body?.memory).toMatchObject({ resource: 'switchboard:local' });
    expect(refusal({ threadId: 't', resourceId: 'switchboard:other' })).toMatch(/switchboard:/);
    expect(refusal({ options: { memory: { thread: 't', resource: 'switchboard:other' } } })).toMatch(/switchboard:/);
    expect(refusal({ threadId: 7 })).toMatch(/threadId/);
    expect(read({}).body).not.toHaveProperty('memory');
  });

  it('puts the threads and resources of a grant under its name, and shows the grant its own ids', () => {
    const as = (principal: string, params: JsonObject): AgentRequest =>
      agentRequest({ agent: 'a', messages: [{ role: 'user', content: 'hi' }], ...params }, fakeCaller({ principal }));
    const both = as('ci', { threadId: 't', resourceId: 'r' });
    expect(both.threadId).toBe('t');
    expect(both.body?.memory).toEqual({ thread: 'switchboard:ci:t', resource: 'switchboard:ci:r' });
    expect(as('ci', { options: { memory: { thread: 't', resource: 'r' } } }).body?.memory).toEqual(both.body?.memory);
    expect(as('ci', { threadId: 't' }).body?.memory).toEqual({
      thread: 'switchboard:ci:t',
      resource: 'switchboard:ci',
    });
    const made = as('ci', { resourceId: 'r' });
    expect(made.body?.memory).toMatchObject({ thread: `switchboard:ci:${made.threadId}` });
    expect(as('a', { threadId: 'b:c' }).body?.memory).not.toEqual(as('a:b', { threadId: 'c' }).body?.memory);
  });
});
