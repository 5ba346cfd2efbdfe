import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject, Request } from '../jsonrpc.ts';
import { MAX_DEPTH } from './scan.ts';
import { encodeMessage, keepSource, requireUniqueKeys } from './source.ts';

function parsed(text: string): Request {
  const message = JSON.parse(text) as Request;
  keepSource(message, text);
  return message;
}

const all = (): boolean => true;

describe('a message with its source', () => {
  it('is written as it was read, white space outside params aside', () => {
    const params = '{ "10" : 1.0 ,"2":[ 1e400, {"b":1,"b":2} ],"a\\u0062":"\\/", "_meta" : {} }';
    expect(encodeMessage(parsed(` {"jsonrpc":"2.0", "id": 1,"method":"m","params":${params}} `))).toBe(
      '{"jsonrpc":"2.0","id":1,"method":"m","params":{"10":1.0,"2":[ 1e400, {"b":1,"b":2} ],"ab":"\\/","_meta":{}}}',
    );
    expect(encodeMessage(parsed('{"id":1,"result":{"n":1.0}}'))).toBe('{"id":1,"result":{"n":1.0}}');
  });

  it('says the same as JSON.stringify of any message', () => {
    const params = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true });
    fc.assert(
      fc.property(params, fc.nat(2), (members, indent) => {
        const text = JSON.stringify(
          { jsonrpc: '2.0', id: 1, method: 'm', params: members, x: [members] },
          null,
          indent,
        );
        const message = parsed(text);
        expect(JSON.parse(encodeMessage(message))).toEqual(JSON.parse(text));
        const batch = JSON.parse(`[1, ${text},\n${text} ,[]]`) as unknown[];
        keepSource(batch, `[1, ${text},\n${text} ,[]]`);
        for (const each of batch.slice(1, 3)) expect(encodeMessage(each as Request)).toBe(encodeMessage(message));
        expect(() => requireUniqueKeys(message.params as JsonObject, all)).not.toThrow();
      }),
    );
  });

  it('loses the text of what is replaced, and of nothing else', () => {
    const { params = {}, ...message } = parsed(
      '{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1.0,"b":{"x":1.0},"c":"\\u0041","d":2.0}}',
    );
    const { d: _, ...rest } = params;
    const changed = { ...rest, b: { ...(params.b as object) }, e: 5 };
    expect(encodeMessage({ ...message, params: changed })).toBe(
      '{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1.0,"b":{"x":1},"c":"\\u0041","e":5}}',
    );
  });

  it('keeps the text of a client’s answers in the round that carries them', () => {
    const answer = JSON.parse('{"id":7,"result":{"action":"accept","content":{"n":1.0}}}') as { result: JsonObject };
    keepSource(answer, '{"id":7,"result":{"action":"accept","content":{"n":1.0}}}');
    const message = parsed('{"id":1,"method":"m","params":{"a":2.0}}');
    const params = { ...message.params, inputResponses: { x: answer.result, y: { n: 1 } } };
    expect(encodeMessage({ ...message, params })).toBe(
      '{"id":1,"method":"m","params":{"a":2.0,"inputResponses":{"x":{"action":"accept","content":{"n":1.0}},"y":{"n":1}}}}',
    );
  });

  it('nests no deeper than its readers can recurse', () => {
    const nested = (depth: number): string => `{"id":1,"params":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}}`;
    expect(() => parsed(nested(MAX_DEPTH - 2))).not.toThrow();
    expect(() => parsed(nested(MAX_DEPTH - 1))).toThrow(/nesting/);
  });

  it('takes the last of several params, and of several members of one name', () => {
    const message = parsed('{"id":1,"method":"m","params":{"z":0},"params":{"a":1.0,"b":2.0,"a":3.0}}');
    expect(encodeMessage(message)).toBe('{"id":1,"method":"m","params":{"b":2.0,"a":3.0}}');
  });
});

describe('keys that are named twice', () => {
  it('are found in one pass, however deep they are', () => {
    const deep = MAX_DEPTH - 3;
    const args = `${'{"x":'.repeat(deep)}{"b":1,"pad":"${'y'.repeat(200_000)}","b":2}${'}'.repeat(deep)}`;
    const { params = {} } = parsed(`{"id":1,"method":"m","params":{"arguments":${args}}}`);
    const started = performance.now();
    expect(() => requireUniqueKeys(params, all)).toThrow(expect.objectContaining({ code: 'SWB_DUPLICATE_KEY' }));
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it.each([
    ['{"a":1,"a":1}', 'a'],
    ['{"x":[0,{"b":{},"c":1,"\\u0062":2}]}', 'b'],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
  ])('are refused in %s', (args, key) => {
    const { params = {} } = parsed(`{"id":1,"method":"m","params":{"arguments":${args}}}`);
    expect(() => requireUniqueKeys(params, (name) => name === 'arguments')).toThrow(
      expect.objectContaining({ code: 'SWB_DUPLICATE_KEY', data: { code: 'SWB_DUPLICATE_KEY', key } }),
    );
    expect(() => requireUniqueKeys(params, (name) => name === 'other')).not.toThrow();
    expect(() => requireUniqueKeys({ ...params, arguments: {} }, all)).not.toThrow();
  });
});

it('a member beside params is no more than a name, whatever characters are in it', () => {
  const text = '{"method":"notifications/x","params":{},"a\\n\\":1,\\"id\\":7,\\"b":2}';
  const message = JSON.parse(text);
  keepSource(message, text);
  expect(JSON.parse(encodeMessage(message))).toEqual(JSON.parse(text));
});
