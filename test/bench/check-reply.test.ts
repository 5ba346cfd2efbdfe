import { describe, expect, it } from 'vitest';
import { type HttpReply, parseReply, replyProblem, resultProblem } from '../../bench/check-reply.ts';
import { SMALL_TEXT } from '../../bench/messages.ts';

const reply = (body: string, more: Partial<HttpReply> = {}): HttpReply => ({
  status: 200,
  contentType: 'application/json',
  sessionId: undefined,
  body: Buffer.from(body),
  ...more,
});

const good = (id: number | string, text: string): string =>
  `{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":${JSON.stringify(text)}}]}}`;

describe('replyProblem', () => {
  it('accepts the right reply, with the id before or after a long result', () => {
    expect(replyProblem(reply(good(12, 'x')), 12, 'small')).toBeUndefined();
    const late = `{"result":{"content":[{"type":"text","text":"${'y'.repeat(5_000)}"}]},"jsonrpc":"2.0","id":12}`;
    expect(replyProblem(reply(late), 12, 'large')).toBeUndefined();
    expect(replyProblem(reply('{"id":3,"result":{"tools":[]}}'), 3, 'list')).toBeUndefined();
  });

  it('looks for the id in the last event of a stream, behind all notifications', () => {
    const progress = `data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"id":7}}\n\n`;
    const stream = (last: number) =>
      reply(`${progress.repeat(9)}data: ${good(last, 'z'.repeat(900))}\n\n`, { contentType: 'text/event-stream' });
    expect(replyProblem(stream(12), 12, 'small')).toBeUndefined();
    expect(replyProblem(stream(13), 12, 'small')).toContain('no "id":12');
  });

  it.each([
    ['another id that begins alike', reply(good(123, 'x')), 'no "id":12'],
    ['an id as text', reply(good('"12"', 'x')), 'no "id":12'],
    ['an error', reply('{"jsonrpc":"2.0","id":12,"error":{"code":-32602,"message":"no"}}'), 'no "content"'],
    ['a tool error', reply('{"id":12,"result":{"content":[],"isError":true}}'), 'isError'],
    ['a status', reply(good(12, 'x'), { status: 502 }), 'HTTP status 502'],
  ])('refuses %s', (_what, wrong, problem) => {
    expect(replyProblem(wrong, 12, 'small')).toContain(problem);
  });
});

describe('resultProblem', () => {
  it('compares the text to the character', () => {
    expect(resultProblem(reply(good(1, SMALL_TEXT)), 'small')).toBeUndefined();
    expect(resultProblem(reply(good(1, `${SMALL_TEXT}.`)), 'small')).toContain('differs');
    expect(resultProblem(reply(good(1, 'short')), 'large')).toContain('differs');
  });

  it('compares what was asked of another tool, and counts the events of a stream', () => {
    const asked = { arguments: {}, text: 'word word' };
    expect(resultProblem(reply(good(1, 'word word')), 'small', asked)).toBeUndefined();
    expect(resultProblem(reply(good(1, SMALL_TEXT)), 'small', asked)).toContain('differs');
    const streamed = reply(`data: {"method":"x"}\n\ndata: ${good(1, 'word word')}\n\n`, {
      contentType: 'text/event-stream',
    });
    expect(resultProblem(streamed, 'small', { ...asked, events: 2 })).toBeUndefined();
    expect(resultProblem(streamed, 'small', { ...asked, events: 3 })).toBe('2 events, at least 3 expected');
  });

  it('reads a reply that comes as an event', () => {
    const event = reply(`event: message\ndata: ${good(1, SMALL_TEXT)}\n\n`, { contentType: 'text/event-stream' });
    expect(parseReply(event).result.content?.[0]?.text).toBe(SMALL_TEXT);
  });
});
