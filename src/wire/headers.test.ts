import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHeaderValue, encodeHeaderValue, headerMismatch } from './headers.ts';
import { buildParamHeaders, type ParamHeaders, paramHeaderMismatch, readParamHeaders } from './param-headers.ts';

const reader = (headers: Record<string, string>) => (name: string) =>
  Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];

describe('header values', () => {
  it('carry any text safely and come back as they were', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'grapheme' })), (text) => {
        const header = encodeHeaderValue(text);
        expect(header).toMatch(/^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/);
        expect(decodeHeaderValue(header)).toBe(text.isWellFormed() ? text : text.toWellFormed());
      }),
    );
  });

  // The table of 2026-07-28 transports/streamable-http, "Encoding examples".
  it.each([
    ['us-west1', 'us-west1'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
  ])('write %j as the specification does', (value, header) => {
    expect(encodeHeaderValue(value)).toBe(header);
  });

  it.each(['=?base64?!!?=', '=?base64?/w==?=', '=?base64?abc?='])('refuse a broken sentinel %j', (header) => {
    expect(decodeHeaderValue(header)).toBeUndefined();
  });
});

describe('standard headers against the body', () => {
  const params = { name: 'größe' };
  const good = {
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': 'tools/call',
    'Mcp-Name': encodeHeaderValue('größe'),
  };
  const check = (headers: Record<string, string>) =>
    headerMismatch(reader(headers), 'tools/call', params, '2026-07-28');

  it('agree', () => {
    expect(check(good)).toBeUndefined();
    expect(
      headerMismatch(reader({ ...good, 'Mcp-Method': 'tools/list', 'Mcp-Name': 'x' }), 'tools/list', {}, '2026-07-28'),
    ).toBeUndefined();
  });

  it('mirror the task of the methods of the tasks extension, where they are sent', () => {
    const task = (headers: Record<string, string>) =>
      headerMismatch(
        reader({ ...good, 'Mcp-Method': 'tasks/get', ...headers }),
        'tasks/get',
        { taskId: 'größe' },
        '2026-07-28',
      );
    expect(task({})).toBeUndefined();
    expect(task({ 'Mcp-Name': 'other' })).toMatch(/Mcp-Name header says 'other'/);
    const { 'Mcp-Name': _, ...unnamed } = good;
    const without = { ...unnamed, 'Mcp-Method': 'tasks/get' };
    expect(headerMismatch(reader(without), 'tasks/get', { taskId: 'größe' }, '2026-07-28')).toBeUndefined();
  });

  it.each([
    ['MCP-Protocol-Version', undefined],
    ['MCP-Protocol-Version', '2025-11-25'],
    ['Mcp-Method', undefined],
    ['Mcp-Method', 'TOOLS/CALL'],
    ['Mcp-Name', undefined],
    ['Mcp-Name', 'other'],
    ['Mcp-Name', '=?base64?%%?='],
  ])('disagree when %s is %s', (name, value) => {
    const { [name]: _, ...rest } = good as Record<string, string>;
    expect(check(value === undefined ? rest : { ...rest, [name]: value })).toContain(name);
  });
});

describe('parameter headers', () => {
  const schema = {
    type: 'object',
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      deep: { type: 'object', properties: { n: { type: 'integer', 'x-mcp-header': 'N' } } },
      flag: { type: 'boolean', 'x-mcp-header': 'Flag' },
      plain: { type: 'string' },
    },
  };
  const declared = readParamHeaders(schema) as ParamHeaders;

  it('are read from properties at any depth, and built from the arguments', () => {
    const args = { region: 'süd', deep: { n: -7 }, flag: false, plain: 'x' };
    expect(buildParamHeaders(declared, args)).toEqual({
      'Mcp-Param-Region': '=?base64?c8O8ZA==?=',
      'Mcp-Param-N': '-7',
      'Mcp-Param-Flag': 'false',
    });
    expect(buildParamHeaders(declared, { region: null, deep: 'x' })).toEqual({});
    expect(buildParamHeaders(declared, undefined)).toEqual({});
  });

  it('are compared with the arguments, integers as numbers', () => {
    const check = (args: object, headers: Record<string, string>) =>
      paramHeaderMismatch(declared, args as Record<string, unknown>, reader(headers));
    expect(check({ region: 'a', deep: { n: 42 } }, { 'mcp-param-region': 'a', 'MCP-PARAM-N': '42.0' })).toBeUndefined();
    expect(check({ region: 'a' }, {})).toContain('Mcp-Param-Region');
    expect(check({ region: 'a' }, { 'mcp-param-region': 'b' })).toContain('disagree');
    expect(check({}, { 'mcp-param-region': 'a' })).toContain('no counterpart');
    expect(check({ region: 'a' }, { 'mcp-param-region': '=?base64?!?=' })).toContain('Base64');
    expect(check({ deep: { n: 0 } }, { 'mcp-param-n': '' })).toBeDefined();
  });

  it.each([
    ['an empty name', { a: { type: 'string', 'x-mcp-header': '' } }],
    ['a name that is no token', { a: { type: 'string', 'x-mcp-header': 'a b' } }],
    ['a name with a line break', { a: { type: 'string', 'x-mcp-header': 'a\r\nX: y' } }],
    ['type number', { a: { type: 'number', 'x-mcp-header': 'A' } }],
    ['type object', { a: { type: 'object', 'x-mcp-header': 'A' } }],
    [
      'the same name in other letters',
      { a: { type: 'string', 'x-mcp-header': 'A' }, b: { type: 'string', 'x-mcp-header': 'a' } },
    ],
    ['a place under items', { a: { type: 'array', items: { type: 'string', 'x-mcp-header': 'A' } } }],
    ['a place under anyOf', { a: { anyOf: [{ type: 'string', 'x-mcp-header': 'A' }] } }],
  ])('are invalid with %s', (_what, properties) => {
    expect(typeof readParamHeaders({ type: 'object', properties })).toBe('string');
  });

  it('leave alone what is data and not a schema', () => {
    const properties = { a: { type: 'object', default: { 'x-mcp-header': 'A' }, enum: [{ 'x-mcp-header': 1 }] } };
    expect(readParamHeaders({ type: 'object', properties })).toEqual([]);
    expect(readParamHeaders(undefined)).toEqual([]);
  });
});
