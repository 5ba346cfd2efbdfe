import { describe, expect, it } from 'vitest';
import type { Entry } from '../../core/upstream.ts';
import { Relay } from '../relay.ts';
import { fakeCaller, fakeFederation, fakeServer, inbound, silent } from '../testing/fakes.ts';
import { requireParamHeaders } from './param-headers.ts';

const tool = (properties: object): Entry => ({
  key: 'x',
  value: { name: 'x', inputSchema: { type: 'object', properties } },
});
const mirrored = tool({ region: { type: 'string', 'x-mcp-header': 'Region' }, level: { type: 'integer' } });

describe('headers that mirror arguments', () => {
  it.each([
    ['agree', { region: 'eu' }, { 'mcp-param-region': 'eu' }],
    ['agree, encoded', { region: 'ü' }, { 'mcp-param-region': '=?base64?w7w=?=' }],
    ['are not due', { level: 1 }, {}],
    ['are not known', { region: 'eu' }, { 'mcp-param-region': 'eu', 'mcp-param-other': '1' }],
  ])('that %s are accepted', (_what, args, sent) => {
    expect(() => requireParamHeaders(mirrored, { arguments: args }, sent)).not.toThrow();
  });

  it.each([
    ['disagree', { region: 'eu' }, { 'mcp-param-region': 'us' }],
    ['are missing', { region: 'eu' }, {}],
    ['have no counterpart', {}, { 'mcp-param-region': 'eu' }],
    ['are not what they say', { region: 'eu' }, { 'mcp-param-region': '=?base64?!!!?=' }],
  ])('that %s are refused', (_what, args, sent) => {
    expect(() => requireParamHeaders(mirrored, { arguments: args }, sent)).toThrow(
      expect.objectContaining({ code: 'SWB_HEADER_MISMATCH', rpcCode: -32020, httpStatus: 400 }),
    );
  });

  it('are not required where the declaration is invalid', () => {
    const invalid = tool({ a: { type: 'string', 'x-mcp-header': 'A' }, b: { type: 'string', 'x-mcp-header': 'a' } });
    expect(() => requireParamHeaders(invalid, { arguments: { a: '1' } }, {})).not.toThrow();
  });

  it('are compared before the call leaves, and only for clients that send headers', async () => {
    let calls = 0;
    const federation = fakeFederation([
      fakeServer('one', 'legacy', async () => {
        calls++;
        return { value: {} };
      }),
    ]);
    const { all } = federation;
    const resolve = all.resolve.bind(all);
    const view = {
      ...all,
      resolve: (kind: 'tools' | 'prompts' | 'agents', name: string) => {
        const route = resolve(kind, name);
        return route && { ...route, entry: mirrored };
      },
    };
    const relay = new Relay({ federation, log: silent, drainMs: 50 });
    const params = { name: 'one__x', arguments: { region: 'eu' } };
    const request = inbound(view, fakeCaller('modern'), 'tools/call', params);
    await expect(relay.handle({ ...request, paramHeaders: {} }).result).rejects.toMatchObject({ rpcCode: -32020 });
    expect(calls).toBe(0);
    await relay.handle(request).result;
    expect(calls).toBe(1);
  });
});
