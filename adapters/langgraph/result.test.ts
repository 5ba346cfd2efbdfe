import { describe, expect, it } from 'vitest';
import { contentOf, readState, textOf } from './result.ts';

const human = (content: unknown) => ({ type: 'human', content });
const ai = (content: unknown, more: object = {}) => ({ type: 'ai', content, ...more });

describe('textOf', () => {
  it('takes a string, or the text parts of a list', () => {
    expect(textOf('hello')).toBe('hello');
    expect(
      textOf([
        'a',
        { type: 'text', text: 'b' },
        { type: 'reasoning', reasoning: 'hidden', text: 'hidden' },
        { type: 'tool_use', input: {} },
        { type: 'image_url', image_url: 'x' },
        { text: 'c' },
      ]),
    ).toBe('abc');
    for (const nothing of [undefined, null, 7, {}, []]) expect(textOf(nothing)).toBe('');
  });
});

describe('readState', () => {
  it('returns the last text of the agent', () => {
    expect(readState({ messages: [human('hi'), ai('one'), ai('two')] })).toEqual({ text: 'two' });
    expect(readState({ messages: [human('hi'), ai('one'), ai('')] }).text).toBe('one');
    expect(
      readState({ messages: [human('hi'), ai('', { tool_calls: [{}] }), { type: 'tool', content: 'x' }] }).text,
    ).toBe('');
  });

  it('ignores answers to earlier turns', () => {
    expect(readState({ messages: [human('one'), ai('first'), human('two')] }).text).toBe('');
  });

  it('reads messages in every form servers write them', () => {
    const forms = [
      { role: 'assistant', content: 'x' },
      { type: 'AIMessageChunk', content: [{ type: 'text', text: 'x' }] },
      { lc: 1, type: 'constructor', id: ['langchain_core', 'messages', 'AIMessage'], kwargs: { content: 'x' } },
    ];
    for (const message of forms) {
      expect(readState({ messages: [human('hi'), message] }).text).toBe('x');
      expect(contentOf(message)).toBe('x');
    }
  });

  it('reports the tokens of the turn and its finish reason', () => {
    const usage_metadata = { input_tokens: 10, output_tokens: 2, total_tokens: 12 };
    const messages = [
      ai('before', { usage_metadata }),
      human('hi'),
      ai('one', { usage_metadata }),
      ai('two', { usage_metadata, response_metadata: { finish_reason: 'stop' } }),
    ];
    expect(readState({ messages })).toEqual({
      text: 'two',
      finishReason: 'stop',
      usage: { inputTokens: 20, outputTokens: 4, totalTokens: 24 },
    });
  });

  it('returns the state without its conversations', () => {
    const state = {
      messages: [human('hi'), ai('x')],
      history: [human('old')],
      plan: ['a'],
      list: [],
      docs: [{ type: 'doc', content: 'd' }],
    };
    expect(readState(state).output).toEqual({ plan: ['a'], list: [], docs: [{ type: 'doc', content: 'd' }] });
  });

  it('finds the text of graphs without messages', () => {
    expect(readState({ question: 'q', answer: 'forty-two' })).toEqual({
      text: 'forty-two',
      output: { question: 'q', answer: 'forty-two' },
    });
    expect(readState('plain')).toEqual({ text: 'plain' });
    expect(readState(7)).toEqual({ text: '', output: 7 });
    expect(readState([1])).toEqual({ text: '', output: [1] });
    for (const nothing of [undefined, null, {}]) expect(readState(nothing)).toEqual({ text: '' });
  });

  it('replaces a state that is too large by a note', () => {
    expect(readState({ bulk: 'x'.repeat(70_000) }).output).toEqual({
      omitted: 'The final state has 70011 bytes; at most 65536 are passed on.',
    });
  });
});
