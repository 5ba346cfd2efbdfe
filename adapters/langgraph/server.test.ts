/** Connecting to servers of all sorts, telling them apart, and listing what they have. */
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SwitchboardError } from '../../src/core/errors.ts';
import type { Change } from '../../src/core/upstream.ts';
import { fakeCall } from '../testing/call.ts';
import { fakeContext, fakeDetectContext } from '../testing/context.ts';
import { langgraphAdapter } from './index.ts';
import {
  type Answer,
  assistant,
  call,
  connect,
  endAll,
  failure,
  frame,
  json,
  type Routes,
  STREAM,
  serve,
  streamed,
  text,
} from './testing/scripted-server.ts';

afterEach(endAll);

describe('connecting', () => {
  const fails = async (routes: Routes): Promise<SwitchboardError> => failure(connect(routes));

  it.each([
    [
      'a page for people',
      { 'GET /info': (r: ServerResponse) => r.writeHead(200, { 'content-type': 'text/html' }).end('<p>') },
    ],
    ['another API', { 'GET /info': json({ version: '1', name: 'something' }) }],
    ['no list of assistants', { 'POST /assistants/search': json({ items: [] }) }],
    ['assistants that are none', { 'POST /assistants/search': json([{ id: 1 }]) }],
  ] as [string, Routes][])('to %s is a protocol error', async (_, routes) => {
    expect(await fails(routes)).toMatchObject({ code: 'SWB_UPSTREAM_PROTOCOL' });
  });

  it('reports a redirect, a refusal and a failing server', async () => {
    expect(await fails({ 'GET /info': text('', 308, { location: 'http://elsewhere/' }) })).toMatchObject({
      code: 'SWB_UPSTREAM_HTTP',
      message: expect.not.stringContaining('elsewhere'),
    });
    expect(await fails({ 'POST /assistants/search': text('no', 403) })).toMatchObject({ code: 'SWB_UPSTREAM_AUTH' });
    expect(await fails({ 'GET /info': text('down at 10.0.0.1', 503) })).toMatchObject({
      code: 'SWB_UPSTREAM_HTTP',
      message: "Server 'fixture' answered HTTP 503: down at [address]",
    });
  });

  it('works without /info, and pings by other means', async () => {
    const { upstream, seen } = await connect({ 'GET /info': text('404 Not Found', 404) });
    expect(upstream.protocolVersion).toBe('unknown');
    await upstream.ping(AbortSignal.timeout(30_000));
    expect(seen.at(-1)).toBe('POST /assistants/search');
  });

  it('needs a URL', async () => {
    const target = { transport: 'stdio', command: 'x', args: [], env: {}, cwd: undefined } as const;
    expect(await failure(langgraphAdapter.connect(fakeContext(target)))).toMatchObject({ code: 'SWB_CONFIG' });
  });
});

describe('detecting', () => {
  const detect = async (routes: Routes): Promise<boolean> =>
    langgraphAdapter.detect(new URL((await serve(routes)).url), fakeDetectContext());

  it('recognises the Python server', async () => {
    expect(await detect({ 'GET /info': json({ version: '0.14.1', langgraph_py_version: '1.2.11', flags: {} }) })).toBe(
      true,
    );
    expect(await detect({ 'GET /info': json({ version: '0.2.0', flags: { assistants: true, crons: true } }) })).toBe(
      true,
    );
  });

  it('recognises a server without /info by its error for a missing assistant', async () => {
    const none = { 'GET /info': text('404 Not Found', 404), 'GET /ok': json({ ok: true }) };
    const path = 'GET /assistants/00000000-0000-5000-8000-000000000000';
    expect(await detect({ ...none, [path]: text('Assistant not found', 404) })).toBe(true);
    expect(await detect({ ...none, [path]: text('Not Found', 404) })).toBe(false);
    expect(await detect({ 'GET /info': text('404 Not Found', 404), 'GET /ok': json({ status: 'up' }) })).toBe(false);
  });

  it('rejects servers that are only similar', async () => {
    expect(await detect({ 'GET /info': json({ version: '1.0.0', flags: { beta: true } }) })).toBe(false);
    expect(await detect({ 'GET /info': text('no', 401) })).toBe(false);
  });
});

describe('listing agents', () => {
  const paged =
    (all: unknown[]): Answer =>
    (response, request, body) => {
      const { limit, offset = 0 } = JSON.parse(body);
      json(all.slice(offset, offset + limit), 200, { 'x-pagination-total': '5', 'x-pagination-next': '7' })(
        response,
        request,
        body,
      );
    };

  it('walks pages until one is short, whatever the paging headers say', async () => {
    const all = Array.from({ length: 200 }, (_, i) => assistant(i));
    const { upstream, seen } = await connect({ 'POST /assistants/search': paged(all) });
    const { entries } = await upstream.catalog('agents', AbortSignal.timeout(30_000));
    expect(entries).toHaveLength(200);
    expect(seen.filter((key) => key === 'POST /assistants/search')).toHaveLength(1 + 3);
  });

  it('stops at its bound, and lists nothing twice', async () => {
    const { upstream, seen } = await connect({
      'POST /assistants/search': json(Array.from({ length: 100 }, (_, i) => assistant(i))),
    });
    const { entries } = await upstream.catalog('agents', AbortSignal.timeout(30_000));
    expect(entries).toHaveLength(100);
    expect(seen.filter((key) => key === 'POST /assistants/search')).toHaveLength(1 + 50);
  });

  it('keeps a key when another assistant of the graph is added', async () => {
    const first = assistant(1);
    const second = { ...assistant(2), graph_id: 'graph-1', metadata: {} };
    for (const all of [[first], [second, first]]) {
      const { upstream } = await connect({ 'POST /assistants/search': paged(all) });
      const { entries } = await upstream.catalog('agents', AbortSignal.timeout(30_000));
      expect(entries.find(({ value }) => value.assistant_id === 'id-1')?.key).toBe('graph-1');
    }
  });

  it('reports changes by polling', async () => {
    let all = [assistant(1)];
    const { upstream, seen } = await connect({ 'POST /assistants/search': (...args) => paged(all)(...args) });
    await upstream.catalog('agents', AbortSignal.timeout(30_000));
    const changes: Change[] = [];
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const subscription = upstream.listen({ lists: true }, (change) => changes.push(change));
      const lists = (): number => seen.filter((key) => key === 'POST /assistants/search').length;
      const listed = async (): Promise<void> => {
        const before = lists();
        await vi.waitFor(async () => {
          await vi.advanceTimersByTimeAsync(1_000);
          expect(lists()).toBeGreaterThan(before);
        });
      };
      // The second one is asked for when the first one has been compared.
      for (let i = 0; i < 2; i++) await listed();
      expect(changes).toEqual([]);
      all = [assistant(1), assistant(2)];
      await listed();
      await vi.waitFor(() => expect(changes).toEqual([{ type: 'list', kind: 'agents' }]));
      subscription.close();
      const looked = lists();
      await vi.advanceTimersByTimeAsync(120_000);
      // What was asked before this would have been there before it.
      await upstream.ping(AbortSignal.timeout(30_000));
      expect(lists()).toBe(looked);
    } finally {
      vi.useRealTimers();
    }
  });
});

it('supports no requests but those of agents', async () => {
  const { upstream } = await connect({});
  expect(await failure(upstream.request('tools/call', { name: 'x' }, fakeCall()))).toMatchObject({
    code: 'SWB_NOT_SUPPORTED',
  });
});

it('lists assistants with odd ids under names that forge nothing, and calls every one of them', async () => {
  const ids = ['two\nlines', '..', 'x'.repeat(5_000), '', 'a/b?c', 'plain'];
  const odd = ids.map((id) => ({ ...assistant(1), assistant_id: id, graph_id: id, name: id }));
  const { upstream, bodies } = await connect({
    'POST /assistants/search': json(odd),
    [STREAM]: streamed(frame('values', { messages: [{ type: 'ai', content: 'hi' }] })),
  });
  const { entries } = await upstream.catalog('agents', AbortSignal.timeout(30_000));
  expect(entries).toHaveLength(ids.length - 1);
  for (const { key, value } of entries) {
    expect(key).toMatch(/^[\w.-]{1,100}$/);
    expect(JSON.stringify(value)).not.toMatch(/\\n/);
    expect(JSON.stringify(value).length).toBeLessThan(2_000);
    await call(upstream, { agent: key });
  }
  // No path can hold this id: what the list has is what there is to tell.
  const dots = entries.find(({ value }) => value.title === '..')?.key;
  const described = await upstream.request('agents/describe', { agent: dots }, fakeCall());
  expect(described).toMatchObject({ value: { name: dots, title: '..' } });
  expect(bodies.map((body) => body.assistant_id).sort()).toEqual(ids.filter((id) => id !== '').sort());
});

it('tells assistants of one name apart, and the oldest keeps the name', async () => {
  const made = (id: string, created_at: string) => ({
    ...assistant(1),
    assistant_id: id,
    name: 'Helper',
    metadata: {},
    created_at,
  });
  const older = made('id-old', '2026-01-01');
  const newer = made('id-new', '2026-02-02');
  for (const all of [
    [assistant(1), older],
    [newer, assistant(1), older],
  ]) {
    const { upstream } = await connect({ 'POST /assistants/search': json(all) });
    const { entries } = await upstream.catalog('agents', AbortSignal.timeout(30_000));
    expect(entries.find(({ value }) => value.assistant_id === 'id-old')?.key).toBe('graph-1.helper');
    const other = entries.find(({ value }) => value.assistant_id === 'id-new');
    if (all.length === 3) expect(other?.key).toMatch(/^graph-1\.helper-[\da-f]{8}$/);
  }
});
