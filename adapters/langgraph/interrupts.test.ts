import { describe, expect, it } from 'vitest';
import { questionFor, readInterrupt, resumeValue } from './interrupts.ts';

const ask = (value: unknown) => questionFor({ id: 'i', value });

describe('questionFor', () => {
  it.each([
    ['Really?', 'Really?'],
    [{ question: 'Q?', message: 'M?' }, 'Q?'],
    [{ message: 'M?' }, 'M?'],
    [{ prompt: 'P?' }, 'P?'],
    [{ description: 'D' }, 'D'],
    [{ amount: 7 }, 'The agent waits for an answer: {"amount":7}'],
    [undefined, 'The agent waits for an answer: '],
  ])('reads %o', (value, message) => {
    expect(ask(value).message).toBe(message);
  });

  it('bounds what it shows', () => {
    expect(ask('x'.repeat(10_000)).message).toHaveLength(4_000);
    expect(ask({ bulk: 'x'.repeat(10_000) }).message.length).toBeLessThan(4_100);
  });

  it('reads an answer as text', () => {
    const { requestedSchema, read } = ask('Name?');
    expect(requestedSchema).toEqual({
      type: 'object',
      properties: { answer: { type: 'string', title: 'Answer', minLength: 1 } },
      required: ['answer'],
    });
    expect(read({ answer: '{"a":1}' })).toEqual({ resume: '{"a":1}' });
    for (const content of [{}, { answer: '' }, { answer: 7 }]) expect(read(content)).toBeUndefined();
  });

  it('reads JSON where the interrupt was data', () => {
    const { read } = ask({ amount: 7 });
    expect(read({ answer: '{"amount":8}' })).toEqual({ resume: { amount: 8 } });
    expect(read({ answer: '{broken' })).toEqual({ resume: '{broken' });
    expect(read({ answer: 'fine' })).toEqual({ resume: 'fine' });
  });

  it('offers options and gives back their values', () => {
    const { requestedSchema, read } = ask({
      question: 'Q?',
      options: ['yes', 2, false, { label: 'Maybe', value: { m: 1 } }],
    });
    expect(requestedSchema).toMatchObject({ properties: { answer: { enum: ['yes', '2', 'false', 'Maybe'] } } });
    expect(read({ answer: '2' })).toEqual({ resume: 2 });
    expect(read({ answer: 'false' })).toEqual({ resume: false });
    expect(read({ answer: 'Maybe' })).toEqual({ resume: { m: 1 } });
    expect(read({ answer: 'something else' })).toBeUndefined();
  });

  it.each([[[]], [[{ no: 'label' }]], [['twice', 'twice']], ['yes']])(
    'asks in words for the odd options %o',
    (options) => {
      expect(ask({ question: 'Q?', options }).requestedSchema).not.toHaveProperty('properties.answer.enum');
    },
  );
});

describe('tool calls that wait for a decision', () => {
  const value = {
    actionRequests: [{ name: 'send', args: { to: 'ann' }, description: 'Sends a mail' }],
    reviewConfigs: [{ actionName: 'send', allowedDecisions: ['approve', 'edit', 'reject'] }],
  };

  it('are shown with their arguments and approved by choosing so', () => {
    const { message, requestedSchema, read } = ask(value);
    expect(message).toBe('Sends a mail\nsend({"to":"ann"})');
    expect(requestedSchema).toMatchObject({
      properties: { decision: { enum: ['approve', 'reject'] }, message: { type: 'string' } },
      required: ['decision'],
    });
    expect(read({ decision: 'approve', message: 'ignored' })).toEqual({ resume: { decisions: [{ type: 'approve' }] } });
    expect(read({ decision: 'reject', message: 'no' })).toEqual({
      resume: { decisions: [{ type: 'reject', message: 'no' }] },
    });
    for (const content of [{}, { decision: 'edit' }, { decision: 'yes' }]) expect(read(content)).toBeUndefined();
  });

  it('are read in snake case, several at once, and all need a decision', () => {
    const { requestedSchema, read } = ask({
      action_requests: [
        { name: 'send', args: {} },
        { name: 'ask', args: {} },
      ],
      review_configs: [
        { action_name: 'send', allowed_decisions: ['approve'] },
        { action_name: 'ask', allowed_decisions: ['respond'] },
      ],
    });
    expect(requestedSchema.required).toEqual(['decision_1', 'decision_2']);
    expect(read({ decision_1: 'approve' })).toBeUndefined();
    expect(read({ decision_1: 'approve', decision_2: 'respond' })).toBeUndefined();
    expect(read({ decision_1: 'approve', decision_2: 'respond', message_2: 'seven' })).toEqual({
      resume: { decisions: [{ type: 'approve' }, { type: 'respond', message: 'seven' }] },
    });
  });

  it('that allow no decision a form can take are left to words', () => {
    const edits = { ...value, reviewConfigs: [{ actionName: 'send', allowedDecisions: ['edit'] }] };
    expect(ask(edits).requestedSchema).toHaveProperty('properties.answer');
    expect(ask({ ...value, reviewConfigs: [] }).requestedSchema).toHaveProperty('properties.answer');
  });
});

describe('resumeValue', () => {
  const [one, two] = [readInterrupt({ id: 'a', value: 1 }), readInterrupt({ interrupt_id: 'b', value: 2 })];
  const nameless = readInterrupt({ value: 3 });

  it('is the answer itself for one question', () => {
    expect(resumeValue([one], ['yes'])).toBe('yes');
    expect(resumeValue([nameless], [false])).toBe(false);
  });

  it('goes by id for several, and for an answer the server would drop', () => {
    expect(resumeValue([one, two], ['x', 'y'])).toEqual({ a: 'x', b: 'y' });
    expect(resumeValue([one], [false])).toEqual({ a: false });
    expect(resumeValue([one, nameless], ['x', 'y'])).toBeUndefined();
  });
});
