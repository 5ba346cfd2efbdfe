import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UpstreamError } from '../../core/errors.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { RELATED_TASK } from '../../wire/tasks.ts';
import { at, createdId, listAt, relatedId, respell, textOf, whole } from './ids.ts';
import { createdTask, endedTask, untied } from './to-modern.ts';

const bytes = (value: unknown, indent = 0): Buffer => Buffer.from(JSON.stringify(value, null, indent));
const parse = (raw: Buffer): JsonObject => JSON.parse(raw.toString('utf8')) as JsonObject;
const expose = (id: string): string => `one+${id}`;

const object = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true });
/** What two parsers of the same bytes agree on. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('ids of tasks in results', () => {
  it('are respelled where they stand, and every other byte stays', () => {
    fc.assert(
      fc.property(object, fc.string(), fc.nat(3), (rest, taskId, indent) => {
        const result = { ...rest, task: { zz: 1, taskId, status: 'working' }, _meta: { [RELATED_TASK]: { taskId } } };
        const raw = bytes(result, indent);
        const spelled = respell(raw, [createdId(raw, 'legacy'), relatedId(raw)], expose);
        expect(parse(spelled)).toEqual(
          plain({
            ...result,
            task: { ...result.task, taskId: expose(taskId) },
            _meta: { [RELATED_TASK]: { taskId: expose(taskId) } },
          }),
        );
        const grown = 2 * (bytes(expose(taskId)).length - bytes(taskId).length);
        expect(spelled.length - raw.length).toBe(grown);
      }),
    );
  });

  it('are found in results of calls that became a task, and in no other', () => {
    const id = (value: unknown, form: 'legacy' | 'modern') => {
      const raw = bytes(value);
      return textOf(raw, createdId(raw, form));
    };
    expect(id({ task: { taskId: 'a' } }, 'legacy')).toBe('a');
    expect(id({ resultType: 'task', taskId: 'b' }, 'modern')).toBe('b');
    for (const value of [{}, { task: 'a' }, { task: {} }, { task: { taskId: 7 } }, { taskId: 'a' }]) {
      expect(id(value, 'legacy')).toBeUndefined();
    }
    expect(id({ resultType: 'complete', taskId: 'b' }, 'modern')).toBeUndefined();
  });

  it('that are the same on both sides change no byte', () => {
    const raw = bytes({ taskId: 'a' });
    expect(respell(raw, [at(raw, whole(raw), 'taskId')], (id) => id)).toBe(raw);
  });

  it('in a list are those of its elements', () => {
    const raw = bytes({ tasks: [{ taskId: 'a' }, { taskId: 'b' }] }, 2);
    expect(listAt(raw, 'tasks').map((span) => textOf(raw, at(raw, span, 'taskId')))).toEqual(['a', 'b']);
    expect(listAt(bytes({ tasks: {} }), 'tasks')).toEqual([]);
  });
});

describe('a legacy task in the extension’s form', () => {
  it('is flat, with its time to live and its poll interval', () => {
    const task = { taskId: 'a', status: 'working', ttl: 60_000, pollInterval: 5, 'x/y': [1] };
    const created = createdTask(
      bytes({ task, _meta: { 'io.modelcontextprotocol/model-immediate-response': 'Wait.' } }),
    );
    expect(created && parse(created)).toEqual({
      resultType: 'task',
      taskId: 'a',
      status: 'working',
      ttlMs: 60_000,
      pollIntervalMs: 5,
      'x/y': [1],
      _meta: { 'io.modelcontextprotocol/model-immediate-response': 'Wait.' },
    });
    expect(createdTask(bytes({ content: [] }))).toBeUndefined();
  });

  it('ends with the bytes of its result, without the tie to the task', () => {
    const result = Buffer.from(
      `{ "n":1.0, "big":12345678901234567890, "_meta":{"a":1e2,"${RELATED_TASK}":{"taskId":"t"}},"content":[]}`,
    );
    const ended = endedTask({ taskId: 't', status: 'failed', ttl: null, _meta: {} }, { result }).toString();
    expect(ended).toBe(
      '{"taskId":"t","status":"completed","ttlMs":null,"result":{"n":1.0,"big":12345678901234567890,"_meta":{"a":1e2},"content":[]}}',
    );
    expect(untied(Buffer.from(`{"_meta":{"${RELATED_TASK}":{"taskId":"t"}},"x":1}`)).toString()).toBe('{"x":1}');
    expect(untied(Buffer.from(' { "x":1}')).toString()).toBe(' { "x":1}');
  });

  it('ends with the server’s own error, in a code of the revision, and with no other error', () => {
    const error = new UpstreamError({ code: -32002, message: 'gone', data: { uri: 'x' } });
    expect(parse(endedTask({ taskId: 't', status: 'failed' }, { error }))).toEqual({
      taskId: 't',
      status: 'failed',
      ttlMs: null,
      error: { code: -32602, message: 'gone', data: { uri: 'x' } },
    });
    const broken = new Error('the connection broke');
    expect(() => endedTask({ taskId: 't' }, { error: broken })).toThrow(broken);
  });
});
