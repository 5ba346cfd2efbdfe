import { describe, expect, it } from 'vitest';
import type { Plan } from './plan.ts';
import { REDACTED } from './redact.ts';
import { document, planOf, setOf, subject } from './testing/build.ts';

const redacting = (...redact: string[]): Plan => planOf({ tools: { t: { redact } } }, 't');

describe('redacted arguments', () => {
  it('lose the values at the paths, in a copy', () => {
    const args = { password: 'p', deep: { list: [{ key: 1, other: 2 }, { key: { a: 1 } }, 'text'] }, keep: { a: 1 } };
    const before = structuredClone(args);
    const redacted = redacting('args.password', 'args.deep.list.*.key', 'args.absent').redactArguments(args);
    expect(redacted).toEqual({
      password: REDACTED,
      deep: { list: [{ key: REDACTED, other: 2 }, { key: REDACTED }, 'text'] },
      keep: { a: 1 },
    });
    expect(args).toEqual(before);
    expect((redacted as typeof args).keep).toBe(args.keep);
  });

  it('are the same value when no path matches', () => {
    const plan = redacting('args.a.b', 'args.list.5', 'args.list.length', 'args.*.constructor', 'args.toString');
    const args = { a: 'text', list: [1, 2], c: { d: 1 } };
    expect(plan.redactArguments(args)).toBe(args);
    expect(plan.redactArguments(undefined)).toBeUndefined();
    expect(plan.redactsResult).toBe(false);
    const result = { content: [] };
    expect(plan.redactResult(result)).toBe(result);
  });

  it('are found by index, by star, and by both', () => {
    const plan = redacting('args.list.1', 'args.*.name', 'args.user.id');
    expect(plan.redactArguments({ list: [1, null], user: { name: 'n', id: 1, age: 2 }, other: { name: 3 } })).toEqual({
      list: [1, REDACTED],
      user: { name: REDACTED, id: REDACTED, age: 2 },
      other: { name: REDACTED },
    });
  });

  it('keep an own __proto__ as a member', () => {
    const args = JSON.parse('{"__proto__": {"token": 1}, "a": 1}');
    const redacted = redacting('args.__proto__.token', 'args.a').redactArguments(args);
    expect(JSON.stringify(redacted)).toBe(`{"__proto__":{"token":"${REDACTED}"},"a":"${REDACTED}"}`);
    expect(({} as Record<string, unknown>).token).toBeUndefined();
  });

  it('are redacted by every enforced document, not in shadow mode', () => {
    const plan = setOf([
      document({ id: 'a', tools: { t: { redact: ['args.a'] } } }),
      document({ id: 'b', tools: { t: { redact: ['args.b'] } } }),
      document({ id: 'c', mode: 'shadow', tools: { t: { redact: ['args.c', 'result.c'] } } }),
    ]).planFor(subject('t'));
    expect([plan.redactsArguments, plan.redactsResult]).toEqual([true, false]);
    const expected = { a: REDACTED, b: REDACTED, c: 1 };
    expect(plan.redactArguments({ a: 1, b: 1, c: 1 })).toEqual(expected);
  });
});

describe('redacted results', () => {
  it('lose the values at the paths', () => {
    const plan = redacting('result.content.*.text', 'result._meta');
    expect(plan.redactResult({ content: [{ type: 'text', text: 'x' }, { type: 'image' }], _meta: { a: 1 } })).toEqual({
      content: [{ type: 'text', text: REDACTED }, { type: 'image' }],
      _meta: REDACTED,
    });
  });

  it('lose structured content also in the texts that repeat it', () => {
    const plan = redacting('result.structuredContent.token', 'result.structuredContent.users.*.mail');
    const structuredContent = { token: 'T', users: [{ mail: 'm', id: 1 }] };
    const other = { type: 'text', text: '{"id": 1.0}' };
    const prose = { type: 'text', text: 'the token is in the structure' };
    const redacted = plan.redactResult({
      structuredContent,
      content: [{ type: 'text', text: JSON.stringify(structuredContent, null, 2) }, other, prose, { type: 'image' }],
    }) as { structuredContent: unknown; content: { text: string }[] };
    const expected = { token: REDACTED, users: [{ mail: REDACTED, id: 1 }] };
    expect(redacted.structuredContent).toEqual(expected);
    expect(JSON.parse(redacted.content[0]?.text ?? '')).toEqual(expected);
    expect(redacted.content[1]).toBe(other);
    expect(redacted.content[2]).toBe(prose);
  });

  it('lose structured content in a text that stands alone', () => {
    const plan = redacting('result.structuredContent.token');
    expect(plan.redactResult({ content: [{ type: 'text', text: ' {"token":"T","a":1}' }] })).toEqual({
      content: [{ type: 'text', text: `{"token":"${REDACTED}","a":1}` }],
    });
  });

  it('lose the texts whole when the structured content is redacted whole', () => {
    const plan = redacting('result.structuredContent');
    const redacted = plan.redactResult({ structuredContent: { a: 1 }, content: [{ type: 'text', text: '{"a":1}' }] });
    expect(JSON.stringify(redacted)).not.toContain('"a"');
  });
});
