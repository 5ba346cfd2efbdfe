import { describe, expect, it } from 'vitest';
import { SwitchboardError, type UpstreamError } from '../../../src/core/errors.ts';
import { cpuClock } from '../../../src/core/testing/cpu.ts';
import { outline } from '../../../src/wire/json/outline.ts';
import { parseText } from '../../../src/wire/json/parse.ts';
import { encodeMessage, keepSource } from '../../../src/wire/json/source.ts';
import type { Request } from '../../../src/wire/jsonrpc.ts';
import { fakeCaller, modernCaller } from '../../testing/call.ts';
import { ResponseHandlers } from './duplex.ts';
import { describeBody, parseMessage, replyOf, upstreamErrorOf } from './frames.ts';
import { LogLevels } from './levels.ts';
import type { ResponseHandler } from './link.ts';
import { stampMeta } from './params.ts';

const reply = (text: string, modern = false) => {
  const frame = Buffer.from(text);
  return replyOf([frame], outline(frame), 'fixture', modern);
};

describe('a reply', () => {
  it('is the bytes of its result, untouched', () => {
    const result = '{ "b":1.0, "a":[ 12345678901234567890 ], "resultType":"complete" }';
    for (const modern of [false, true]) {
      expect(reply(`{"id":1,"result":${result}}`, modern)).toMatchObject({ raw: Buffer.from(result) });
    }
  });

  it('that requires input is parsed for modern upstreams only', () => {
    const result = '{"resultType":"input_required","requestState":"s"}';
    const text = `{"result":${result},"id":1}`;
    expect(reply(text, true)).toEqual({ inputRequired: JSON.parse(result), raw: Buffer.from(result) });
    expect(reply(text, false)).toMatchObject({ raw: Buffer.from(result) });
    // Other kinds of result belong to extensions, and go through.
    expect(reply('{"id":1,"result":{"resultType":"task"}}', true)).toHaveProperty('raw');
  });

  it('without a result or an error is none', () => {
    expect(() => reply('{"id":1,"result":null}')).toThrow(SwitchboardError);
    expect(() => reply('{"id":1,"result":[]}')).toThrow(/no object/);
  });
});

describe('an error of the upstream', () => {
  const error = (value: unknown): UpstreamError => upstreamErrorOf(Buffer.from(JSON.stringify(value)));

  it('keeps code, message and data', () => {
    expect(error({ code: -32002, message: 'Resource not found', data: { uri: 'a:1' } })).toMatchObject({
      rpcCode: -32002,
      message: 'Resource not found',
      data: { uri: 'a:1' },
    });
  });

  it('loses its stack', () => {
    const thrown = error({
      code: 1,
      message: 'It broke\n    at f (/srv/x.js:1:2)\n    at g',
      data: { stack: 'Error: …\n at /srv', path: '/kept' },
    });
    expect(thrown.message).toBe('It broke');
    expect(thrown.data).toEqual({ path: '/kept' });
  });

  it('is searched for a stack in linear time', () => {
    const cpu = cpuClock();
    for (const filler of ['\n', '\r\n', '\n ', ' ']) error({ code: 1, message: filler.repeat(120_000) });
    expect(cpu()).toBeLessThan(3_000);
  });

  it('that is malformed is still one', () => {
    expect(error('boom')).toMatchObject({ rpcCode: -32603, message: 'boom' });
    expect(error({ code: 'E', message: 7 })).toMatchObject({
      rpcCode: -32603,
      message: expect.stringContaining('why'),
    });
    expect(error([])).toMatchObject({ rpcCode: -32603 });
  });

  it('that is very large is cut', () => {
    const thrown = error({ code: -5, message: 'x'.repeat(300_000), data: 'y'.repeat(300_000) });
    expect(thrown.rpcCode).toBe(-5);
    expect(thrown.message.length).toBeLessThan(5_000);
    expect(thrown.data).toBeUndefined();
  });
});

describe('members of a server’s message whose keys have escapes', () => {
  it('have the names that the keys decode to, whatever names were parsed before', () => {
    // JSON.parse of V8 13.6 makes `pat\\` of "pat\\u0068" once it has seen objects with that member.
    const seen = JSON.stringify({ x: 1, 'pat\\': 1 });
    for (let i = 0; i < 3; i++) JSON.parse(seen);
    const sent = '{"x":1,"pat\\u0068":"/etc"}';
    const message = Buffer.from(`{"jsonrpc":"2.0","method":"m","params":${sent}}`);
    expect(parseMessage([message])?.params).toEqual({ x: 1, path: '/etc' });
    expect(upstreamErrorOf(Buffer.from(`{"code":-1,"message":"m","data":${sent}}`)).data).toEqual({
      x: 1,
      path: '/etc',
    });
  });
});

describe('a body that is no reply', () => {
  it.each([
    ['', 'application/json', /empty body/],
    ['<html>', 'application/json', /web page/],
    ['x', 'text/html; charset=utf-8', /web page/],
    ['{"id":1', 'application/json', /breaks off/],
    ['{]', 'application/json', /not JSON-RPC/],
  ])('is described without being shown: %s', (body, type, says) => {
    let cause: unknown;
    try {
      outline(Buffer.from(body));
    } catch (error) {
      cause = error;
    }
    expect(describeBody(Buffer.from(body), type, cause)).toMatch(says);
  });
});

describe('requests on one stream', () => {
  const waiting = (responses: ResponseHandlers, id: number) => {
    const heard: string[] = [];
    const handler: ResponseHandler = {
      id,
      reply: () => heard.push('reply'),
      serverMessage: () => heard.push('aside'),
      failed: ({ message }) => heard.push(message),
    };
    return { heard, sent: responses.add(handler) };
  };

  it('get their own replies, in any order, and nothing once they are dropped', () => {
    const responses = new ResponseHandlers(() => {});
    const [one, two, three] = [waiting(responses, 1), waiting(responses, 2), waiting(responses, 3)];
    three.sent.drop();
    responses.receive([Buffer.from('[{"id":"2","result":{}},{"id":1,"error":{"code":1,"message":"x"}}]')]);
    responses.receive([Buffer.from('{"id":3,"result":{}}')]);
    responses.receive([Buffer.from('{"id":1,"result":{}}')]);
    expect([one.heard, two.heard, three.heard]).toEqual([['reply'], ['reply'], []]);
  });

  it('all fail when the stream ends', () => {
    const responses = new ResponseHandlers(() => {});
    const [one, two] = [waiting(responses, 1), waiting(responses, 2)];
    expect(responses.failAll(new Error('over'))).toBe(true);
    expect(responses.failAll(new Error('over'))).toBe(false);
    expect([one.heard, two.heard]).toEqual([['over'], ['over']]);
  });

  it('are not disturbed by lines that are no messages', () => {
    const noise: string[] = [];
    const responses = new ResponseHandlers((what) => noise.push(what));
    const { heard } = waiting(responses, 1);
    for (const line of ['hello', '{"id":1', '7', '{}', '{"id":null,"error":{"code":1,"message":"x"}}']) {
      responses.receive([Buffer.from(line)]);
    }
    expect(noise.length).toBe(4);
    expect(heard).toEqual([]);
  });
});

describe('the _meta of a request', () => {
  const stamped = (meta: unknown, ...rest: [Parameters<typeof stampMeta>[1], number, boolean]) => {
    const params: Record<string, unknown> = meta === undefined ? {} : { _meta: meta };
    stampMeta(params, ...rest);
    return params._meta;
  };
  const envelope = { protocolVersion: '2026-07-28', clientCapabilities: { roots: {} }, logLevel: 'info' };

  it('keeps what is not of an era, whichever way it goes', () => {
    const meta = {
      traceparent: 't',
      'x/y': 1,
      'io.modelcontextprotocol/protocolVersion': 'old',
      progressToken: 'mine',
    };
    expect(stamped(meta, undefined, 7, true)).toEqual({ traceparent: 't', 'x/y': 1, progressToken: 7 });
    expect(stamped(meta, envelope, 7, true)).toEqual({
      traceparent: 't',
      'x/y': 1,
      progressToken: 7,
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': { roots: {} },
      'io.modelcontextprotocol/logLevel': 'info',
    });
  });

  it.each([
    ['leaves as its client spelled it where it says what the era needs', '"x/y":1.0', true],
    ['is made anew where a member stands twice', '"x/y":1,"x/y":2', false],
    ['is made anew where a member stands twice in two spellings', String.raw`"x/y":1,"x\u002fy":2`, false],
    ['leaves as its client spelled it inside members that are not of an era', '"x/y":{"a":1,"a":2}', true],
  ])('%s', (_, more, stays) => {
    const own =
      '"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}';
    const text = `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{${own},${more}}}}`;
    const message = parseText(text) as Request;
    keepSource(message, text);
    const params: Record<string, unknown> = { ...message.params };
    const meta = params._meta as Record<string, unknown>;
    const clientCapabilities = meta['io.modelcontextprotocol/clientCapabilities'] as Record<string, unknown>;
    stampMeta(params, { protocolVersion: '2026-07-28', clientCapabilities }, 7, false);
    const sent = encodeMessage({ ...message, params }).toString();
    expect(sent.includes(more)).toBe(stays);
    expect(sent.match(/clientCapabilities/g)).toHaveLength(1);
    expect(sent.match(/x(?:\\u002f|\/)y/g)).toHaveLength(1);
  });

  it('is left out where it would be empty', () => {
    expect(stamped(undefined, undefined, 7, false)).toBeUndefined();
    expect(stamped({ 'io.modelcontextprotocol/logLevel': 'info' }, undefined, 7, false)).toBeUndefined();
    expect(stamped(undefined, undefined, 7, true)).toEqual({ progressToken: 7 });
  });
});

describe('the level of a session', () => {
  it('is the most verbose that a caller asked for, and is sent only when it changes', () => {
    const levels = new LogLevels();
    const at = (key: string, logLevel: string | undefined) => levels.change(fakeCaller({ key, logLevel }));
    expect(at('a', undefined)).toBeUndefined();
    expect(at('a', 'nonsense')).toBeUndefined();
    expect(at('a', 'warning')).toBe('warning');
    expect(at('b', 'error')).toBeUndefined();
    expect(at('b', 'debug')).toBe('debug');
    expect(at('b', 'error')).toBe('warning');
    expect(levels.forget('a')).toBe('error');
    expect(levels.forget('b')).toBeUndefined();
  });

  it('does not go back and forth with the requests of a modern caller', () => {
    const levels = new LogLevels();
    const at = (logLevel: string) => levels.change(modernCaller({ logLevel }));
    expect([at('info'), at('error'), at('info'), at('debug'), at('info')]).toEqual([
      'info',
      undefined,
      undefined,
      'debug',
      undefined,
    ]);
  });
});
