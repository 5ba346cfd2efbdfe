import { describe, expect, it } from 'vitest';
import { readTurn } from './input.ts';

const messages = [{ role: 'user', content: 'hi' }];
const turn = (more: object, principal = 'local') => readTurn({ agent: 'a', messages, ...more }, principal);

describe('readTurn', () => {
  it('puts messages into the input', () => {
    expect(turn({})).toMatchObject({
      agent: 'a',
      stream: false,
      resumes: false,
      options: {},
      first: { input: { messages } },
    });
  });

  it('takes another input, null included, a resume value or a command instead', () => {
    expect(turn({ options: { input: { a: 1 } } }).first).toEqual({ input: { a: 1 } });
    expect(turn({ options: { input: null } }).first).toEqual({ input: null });
    const resumed = turn({ threadId: 't', options: { resume: 'yes' } });
    expect(resumed).toMatchObject({ first: { command: { resume: 'yes' } }, resumes: true });
    expect(turn({ threadId: 't', options: { command: { goto: 'x' } } }).first).toEqual({ command: { goto: 'x' } });
  });

  it('passes documented run options on, in both spellings', () => {
    const options = {
      config: { tags: ['t'] },
      interruptBefore: ['x'],
      interrupt_after: '*',
      multitaskStrategy: 'enqueue',
    };
    expect(turn({ options }).options).toEqual({
      config: { tags: ['t'] },
      interrupt_before: ['x'],
      interrupt_after: '*',
      multitask_strategy: 'enqueue',
    });
  });

  it('keeps the resource in the metadata, where the client has not set it', () => {
    expect(turn({ resourceId: 'r' }).options).toEqual({ metadata: { resource_id: 'r' } });
    expect(turn({ resourceId: 'r', options: { metadata: { resource_id: 'own', x: 1 } } }).options).toEqual({
      metadata: { resource_id: 'own', x: 1 },
    });
  });

  it.each([
    ['webhook', { webhook: 'http://10.0.0.1/' }, /options\.webhook is not accepted\. Known: input, resume/],
    ['another assistant', { assistantId: 'b' }, /by its own agent name/],
    ['the way it is streamed', { streamMode: 'debug' }, /options\.streamMode is not accepted/],
    ['two inputs', { input: 1, resume: 2 }, /options\.input and options\.resume exclude each other/],
    ['a resume without a thread', { resume: 'yes' }, /needs the threadId/],
  ])('refuses %s', (_, options, message) => {
    expect(() => turn({ options })).toThrow(
      expect.objectContaining({ code: 'SWB_INVALID_PARAMS', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    [{ agent: '' }],
    [{ agent: 7 }],
    [{ messages: 'hi' }],
    [{ messages: [] }],
    [{ options: [] }],
    [{ threadId: '' }],
    [{ threadId: 7 }],
    [{ threadId: 'x'.repeat(257) }],
  ])('refuses %o', (more) => {
    expect(() => turn(more)).toThrow(expect.objectContaining({ code: 'SWB_INVALID_PARAMS' }));
  });
});

describe('the thread', () => {
  it('is new without an id, and a given uuid unchanged', () => {
    const [one, two] = [turn({}).thread, turn({}).thread];
    expect(one.client).toBe(one.server);
    expect(one.server).not.toBe(two.server);
    expect([one.wanted, turn({ threadId: 'new' }).thread.wanted]).toEqual([false, true]);
    expect(turn({ threadId: 'new' }).thread.origin).toBe('new');
    const id = '6F9619FF-8B86-4011-B42D-00C04FC964FF';
    expect(turn({ threadId: id }).thread).toEqual({
      client: id,
      server: id.toLowerCase(),
      origin: 'uuid',
      wanted: true,
    });
  });

  it('has a stable uuid for any other id, of its principal only', () => {
    const { thread } = turn({ threadId: 'my chat' });
    const server = '74282f14-21ee-5cab-9b8b-ff6819353300';
    expect(thread).toEqual({ client: 'my chat', server, origin: 'name', wanted: true });
    expect(turn({ threadId: 'my chat' }, 'other').thread.server).not.toBe(thread.server);
  });
});
