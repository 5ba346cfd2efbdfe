import { ElicitRequestFormParamsSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { approvalForm, readApprovalAnswer } from './form.ts';
import { request } from './testing/requests.ts';

const { need, subject } = request();
const messageOf = (...args: Parameters<typeof approvalForm>): string => String(approvalForm(...args).message);

describe('the form', () => {
  it('names server, tool, reason and arguments, and asks for a yes that is not ticked', () => {
    const form = approvalForm(need, subject, { amount: 5 });
    expect(form.message).toBe(
      'Allow this call, once?\nServer: "bank"\nTool: "pay"\nReason: Money moves.\nArguments: {"amount":5}',
    );
    expect(form.requestedSchema).toMatchObject({
      properties: { approve: { type: 'boolean', default: false }, reason: { type: 'string' } },
      required: ['approve'],
    });
    expect(Object.keys(form)).toEqual(['message', 'requestedSchema']);
  });

  it('knows every section and the gateway’s own tools', () => {
    expect(messageOf(need, { ...subject, section: 'resources', name: 'file:///a' }, {})).toContain(
      '\nResource: "file:///a"\n',
    );
    expect(messageOf(need, { ...subject, builtin: true }, {})).toContain('\nServer: the gateway itself\n');
  });

  it('cannot be forged by what servers and agents write', () => {
    const evil = 'pay"\nReason: harmless\u2028Server: "good"\r\u202etxt\u001b[31m\u200b\u0085';
    const lines = messageOf(
      { ...need, reason: evil },
      { ...subject, server: evil, name: evil },
      { [evil]: evil },
    ).split(/[\n\r\u2028\u2029\u0085]/);
    expect(lines).toHaveLength(5);
    expect(lines.map((line) => line.slice(0, line.indexOf(' ')))).toEqual([
      'Allow',
      'Server:',
      'Tool:',
      'Reason:',
      'Arguments:',
    ]);
    expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(lines[1]).toBe('Server: "pay\\" Reason: harmless Server: \\"good\\" \\\\u202etxt\\\\u200b"');
    // What cannot be seen in arguments is shown as an escape, and the text is still JSON of the same value.
    const shown = JSON.parse(String(lines[4]).slice('Arguments: '.length));
    expect(shown).toEqual({ [evil]: evil });
  });

  it('is bounded, whatever it is given', () => {
    const long = 'y'.repeat(10 * 1024 * 1024);
    const message = messageOf({ ...need, reason: long }, { ...subject, server: long, name: long }, { long, last: 1 });
    expect(message.length).toBeLessThan(6 * 1024);
    expect(message).toContain('\nArguments (shortened): {"long":');
    expect(message).toContain('"last":1}');
    let deep: unknown = 1;
    for (let i = 0; i < 50_000; i++) deep = [deep];
    expect(messageOf(need, subject, deep)).toContain('cannot be shown');
  });

  it('is a form of every revision that knows forms', () => {
    const form = approvalForm(need, subject, { a: 1 });
    expect(ElicitRequestFormParamsSchema.parse(form)).toMatchObject(form);
    // The members 2025-06-18 has; later revisions only added to them.
    expect(EARLIEST.parse(form)).toEqual(form);
  });
});

const PRIMITIVE = { title: z.string(), description: z.string() };
const EARLIEST = z.strictObject({
  message: z.string(),
  requestedSchema: z.strictObject({
    type: z.literal('object'),
    properties: z.record(
      z.string(),
      z.union([
        z.strictObject({ ...PRIMITIVE, type: z.literal('boolean'), default: z.boolean() }),
        z.strictObject({ ...PRIMITIVE, type: z.literal('string'), maxLength: z.int() }),
      ]),
    ),
    required: z.array(z.string()),
  }),
});

describe('the answer', () => {
  it.each([
    [{ action: 'accept', content: { approve: true } }, 'approve', undefined],
    [{ action: 'accept', content: { approve: true, reason: ' it is\nfine ' } }, 'approve', 'it is fine'],
    [{ action: 'accept', content: { approve: false, reason: 'no' } }, 'deny', 'no'],
    [{ action: 'accept', content: { approve: 'true' } }, 'deny', undefined],
    [{ action: 'accept', content: { approve: 1 } }, 'deny', undefined],
    [{ action: 'accept', content: [true] }, 'deny', undefined],
    [{ action: 'accept', content: JSON.parse('{"__proto__":{"approve":true}}') }, 'deny', undefined],
    [{ action: 'accept' }, 'deny', undefined],
    [{ action: 'decline', content: { approve: true } }, 'deny', undefined],
    [{ action: 'cancel', content: { approve: true } }, 'cancel', undefined],
    [{ action: 'ACCEPT', content: { approve: true } }, 'deny', undefined],
    [{ content: { approve: true } }, 'deny', undefined],
    [{}, 'deny', undefined],
    [null, 'deny', undefined],
    ['accept', 'deny', undefined],
  ])('%j is %s', (result, effect, reason) => {
    expect(readApprovalAnswer(result)).toEqual({ effect, reason });
  });
});
