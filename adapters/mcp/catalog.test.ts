import { describe, expect, it } from 'vitest';
import { SwitchboardError, UpstreamError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { startV2Http } from '../../test/fixtures/mcp/http.ts';
import { fakeCall, modernCaller } from '../testing/call.ts';
import { recordingLog } from '../testing/context.ts';
import { readList } from './catalog.ts';
import { connections, textOf, toolCall } from './testing/connected.ts';
import { startScripted } from './testing/scripted.ts';

const { connect, closing } = connections();

const reading = (pages: (cursor: unknown, nth: number) => string | Error, capabilities: JsonObject = { tools: {} }) => {
  const log = recordingLog();
  let asked = 0;
  return {
    log,
    asked: () => asked,
    list: () =>
      readList('tools', {
        name: 'fixture',
        log,
        capabilities,
        ask: async (_method, params) => {
          const page = pages(params.cursor, ++asked);
          if (page instanceof Error) throw page;
          return Buffer.from(page);
        },
      }),
  };
};

const tool = (name: string): string => `{"name":"${name}","inputSchema":{"type":"object"}}`;

describe('reading a list', () => {
  it('walks all pages and keeps every byte of every entry', async () => {
    const odd =
      '{"inputSchema": {"type":"object","maximum":12345678901234567890,"2":0,"1":1.0}, "name":"odd","x":null}';
    const { list } = reading((cursor) =>
      cursor === undefined
        ? `{"tools":[${tool('a')},${odd}],"nextCursor":"2","ttlMs":5000,"cacheScope":"public"}`
        : `{"nextCursor":"","tools":[${tool('b')}],"ttlMs":1000,"cacheScope":"private"}`,
    );
    const catalog = await list();
    expect(catalog.entries.map(({ key }) => key)).toEqual(['a', 'odd', 'b']);
    expect(catalog.entries[1]?.raw?.toString()).toBe(odd);
    expect(catalog).toMatchObject({ ttlMs: 1000, cacheScope: 'private' });
  });

  it('is empty where it is not declared, without asking, and where it is not served', async () => {
    const undeclared = reading(() => `{"tools":[${tool('a')}]}`, { prompts: {} });
    expect((await undeclared.list()).entries).toEqual([]);
    expect(undeclared.asked()).toBe(0);
    const unserved = reading(() => new UpstreamError({ code: -32601, message: 'Method not found' }));
    expect((await unserved.list()).entries).toEqual([]);
  });

  it('fails where a page fails, and where there is no list', async () => {
    const failing = reading((cursor) =>
      cursor === undefined
        ? `{"tools":[],"nextCursor":"2"}`
        : new UpstreamError({ code: -32601, message: 'Method not found' }),
    );
    await expect(failing.list()).rejects.toBeInstanceOf(UpstreamError);
    await expect(reading(() => '{"prompts":[]}').list()).rejects.toBeInstanceOf(SwitchboardError);
    await expect(reading(() => '{"tools":{}}').list()).rejects.toMatchObject({ code: 'SWB_UPSTREAM_PROTOCOL' });
  });

  it('stops at a cursor that comes again, and at a list without an end', async () => {
    const repeating = reading((_cursor, nth) => `{"tools":[${tool(`t${nth}`)}],"nextCursor":"same"}`);
    expect((await repeating.list()).entries.length).toBe(2);
    expect(repeating.log.lines[0]).toMatchObject({
      level: 'warn',
      message: expect.stringContaining('repeats a cursor'),
    });
    const endless = reading((_cursor, nth) => `{"tools":[${tool(`t${nth}`)}],"nextCursor":"${nth}"}`);
    expect((await endless.list()).entries.length).toBe(500);
    expect(endless.log.lines[0]).toMatchObject({ level: 'warn', message: expect.stringContaining('never ends') });
  });

  it('leaves out what cannot be named and what is named twice', async () => {
    const { list, log } = reading(
      () => `{"tools":[${tool('a')},{"title":"nameless"},7,{"name":""},{"name":"a","second":true}]}`,
    );
    const { entries } = await list();
    expect(entries.map(({ value }) => value)).toEqual([{ name: 'a', inputSchema: { type: 'object' } }]);
    expect(log.lines.map(({ fields }) => fields)).toMatchObject([{ entries: 3 }, { entries: 1 }]);
  });

  it('keeps to its bounds, and to a line or two of log, however much one page holds', async () => {
    const names = Array.from({ length: 100_000 }, (_, i) => `{"name":"${i}"}`).join(',');
    const many = reading(() => `{"tools":[${names}],"nextCursor":"2"}`);
    expect((await many.list()).entries.length).toBe(20_000);
    expect(many.asked()).toBe(1);
    const odd = reading(() => `{"tools":[${'1,'.repeat(500_000)}1]}`);
    expect((await odd.list()).entries).toEqual([]);
    expect([...many.log.lines, ...odd.log.lines].length).toBe(2);
  });

  it('passes on no bytes that are not UTF-8', async () => {
    const page = Buffer.from('{"tools":[{"name":"a","description":"?"},{"name":"b"}]}');
    page[page.indexOf('?')] = 0xff;
    const { entries } = await readList('tools', {
      name: 'fixture',
      log: recordingLog(),
      capabilities: { tools: {} },
      ask: async () => page,
    });
    expect(entries.map(({ raw }) => raw?.toString())).toEqual([undefined, '{"name":"b"}']);
    expect(entries[0]?.value.description).toBe('\ufffd');
  });

  it('passes on no half of a surrogate pair, and every whole one as it was sent', async () => {
    const described = (text: string): string => `{"name":"${text.length}","description":"${text}"}`;
    const texts = ['cut \\ud83d', '\\ud83d\\ude00', '\\\\ud83d'];
    const { entries } = await reading(() => `{"tools":[${texts.map(described)}]}`).list();
    expect(entries.map(({ value }) => value.description)).toEqual(['cut \ufffd', '😀', '\\ud83d']);
    expect(entries[1]?.raw?.toString()).toBe(described(texts[1] ?? ''));
  });
});

describe('headers from tool parameters', () => {
  it('are computed for a real modern server when the client has none', async () => {
    const { upstream } = await connect(closing(await startV2Http('modern')).url);
    const call = (region: string | undefined, options: object = {}) =>
      upstream.request(...toolCall('routed', region === undefined ? {} : { region }), fakeCall(options));
    expect(JSON.parse(textOf(await call('Zürich')))).toEqual({
      region: 'Zürich',
      header: `=?base64?${Buffer.from('Zürich').toString('base64')}?=`,
    });
    expect(JSON.parse(textOf(await call(undefined)))).toEqual({ header: null });
    // A modern client's own go through as they are, for the upstream to judge.
    const caller = modernCaller();
    await expect(call('a', { caller, paramHeaders: { 'mcp-param-region': 'b' } })).rejects.toMatchObject({
      rpcCode: -32020,
    });
    expect(JSON.parse(textOf(await call('a', { caller, paramHeaders: { 'mcp-param-region': 'a' } }))).header).toBe('a');
  });

  it('exclude a tool that declares them wrongly, with one warning, and no other', async () => {
    const schema = (declared: unknown) => ({
      type: 'object',
      properties: { x: { type: 'string', 'x-mcp-header': declared } },
    });
    const tools = [
      { name: 'good', inputSchema: schema('Good') },
      { name: 'bad', inputSchema: schema('not a token') },
    ];
    const script = (era: 'modern' | 'legacy') =>
      startScripted({
        era,
        on: ({ message, result }) => {
          if (message.method !== 'tools/list') return false;
          result({ resultType: 'complete', tools });
          return true;
        },
      });
    const modern = await connect(closing(await script('modern')).url);
    for (let i = 0; i < 2; i++) {
      const { entries } = await modern.upstream.catalog('tools', AbortSignal.timeout(30_000));
      expect(entries.map(({ key }) => key)).toEqual(['good']);
    }
    expect(modern.context.log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { fields: { tool: 'bad', reason: expect.stringContaining('token') } },
    ]);
    // Legacy servers know nothing of the annotation: it means nothing there.
    const legacy = await connect(closing(await script('legacy')).url);
    expect((await legacy.upstream.catalog('tools', AbortSignal.timeout(30_000))).entries.length).toBe(2);
  });

  it('are looked up again when the server says they do not match, and the call is sent once more', async () => {
    let declared = 'Old';
    let calls = 0;
    const server = closing(
      await startScripted({
        era: 'modern',
        on: ({ message, request, result, error }) => {
          if (message.method === 'tools/list') {
            const properties = { x: { type: 'string', 'x-mcp-header': declared } };
            result({ resultType: 'complete', tools: [{ name: 't', inputSchema: { type: 'object', properties } }] });
          } else if (message.method === 'tools/call') {
            calls++;
            if (request.headers['mcp-param-new'] === 'v') result({ resultType: 'complete', content: [] });
            else error(-32020, 'Header mismatch', 400);
          } else return false;
          return true;
        },
      }),
    );
    const { upstream } = await connect(server.url);
    await upstream.catalog('tools', AbortSignal.timeout(30_000));
    declared = 'New';
    await upstream.request(...toolCall('t', { x: 'v' }), fakeCall());
    expect(calls).toBe(2);
    await expect(upstream.request(...toolCall('t', { x: 'other' }), fakeCall())).rejects.toMatchObject({
      rpcCode: -32020,
    });
    expect(calls).toBe(3);
  });
});

describe('headers of every modern request', () => {
  it('say what it is, under the upstream’s own names', async () => {
    const server = closing(
      await startScripted({
        era: 'modern',
        on: ({ message, result }) => {
          if (message.id === undefined || message.method === 'tools/list') return false;
          result({ resultType: 'complete' });
          return true;
        },
      }),
    );
    const target = {
      transport: 'http' as const,
      url: server.url,
      headers: { Authorization: 'Bearer k', Accept: 'text/html', 'MCP-Method': 'forged' },
    };
    const { upstream } = await connect(target);
    await upstream.request('resources/read', { uri: 'a://ü' }, fakeCall());
    await upstream.request('prompts/get', { name: ' p' }, fakeCall());
    await upstream.request('tasks/get', { taskId: '1' }, fakeCall());
    const [read, get, task] = server.posted.slice(-3);
    expect(read?.headers).toMatchObject({
      'mcp-method': 'resources/read',
      'mcp-name': `=?base64?${Buffer.from('a://ü').toString('base64')}?=`,
      'mcp-protocol-version': '2026-07-28',
      authorization: 'Bearer k',
      accept: 'application/json, text/event-stream',
    });
    expect(get?.headers['mcp-name']).toBe(`=?base64?${Buffer.from(' p').toString('base64')}?=`);
    expect(task?.headers['mcp-name']).toBe('1');
    expect(task?.headers['mcp-method']).toBe('tasks/get');
    expect(read?.headers).not.toHaveProperty('mcp-session-id');
  });
});
