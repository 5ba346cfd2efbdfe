import { describe, expect, it } from 'vitest';
import { ADAPTERS } from '../../../adapters/index.ts';
import { absentOrigin, startWebSite } from '../../../adapters/testing/faults.ts';
import type { Adapter, DetectContext, NetworkGuard } from '../../core/adapter.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { detectAdapter } from './detect.ts';

const URL_ = new URL('http://server.example/mcp');

interface Probe extends Adapter {
  signal: AbortSignal | undefined;
}

/** Says what `verdict` says after `afterMs`; never, when that is `'never'`. */
function probe(kind: string, verdict: boolean | 'never' | Error, afterMs = 0): Probe {
  const adapter: Probe = {
    ...(ADAPTERS.find((each) => each.kind === kind) as Adapter),
    signal: undefined,
    async detect(_url, context) {
      adapter.signal = context.signal;
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      if (verdict instanceof Error) throw verdict;
      return verdict === 'never' ? new Promise<boolean>(() => {}) : verdict;
    },
    connect: () => Promise.reject(new Error('not here')),
  };
  return adapter;
}

const context = (overrides: Partial<DetectContext> = {}): DetectContext => ({
  headers: {},
  guard: undefined,
  signal: new AbortController().signal,
  ...overrides,
});

describe('detectAdapter', () => {
  it.each(['mcp', 'mastra', 'langgraph'])('finds the one kind that detects itself: %s', async (kind) => {
    const adapters = (['mcp', 'langgraph', 'mastra'] as const).map((each) => probe(each, each === kind));
    expect(await detectAdapter(URL_, adapters, context())).toMatchObject({ kind: kind });
  });

  it('prefers mastra to langgraph to mcp, in whatever order they resolve', async () => {
    const all = [probe('mcp', true), probe('langgraph', true, 10), probe('mastra', true, 20)];
    expect(await detectAdapter(URL_, all, context())).toMatchObject({ kind: 'mastra' });
    expect(await detectAdapter(URL_, [probe('mcp', true), probe('langgraph', true, 10)], context())).toMatchObject({
      kind: 'langgraph',
    });
  });

  it('does not wait for kinds that could no longer win, and aborts their probes', async () => {
    const slow = probe('mcp', 'never');
    expect(await detectAdapter(URL_, [slow, probe('mastra', true)], context())).toMatchObject({ kind: 'mastra' });
    expect(slow.signal?.aborted).toBe(true);
  });

  it('waits a short while for a silent kind of a higher rank after another matched', async () => {
    const slow = probe('mastra', 'never');
    expect(await detectAdapter(URL_, [slow, probe('mcp', true)], context(), { graceMs: 20 })).toMatchObject({
      kind: 'mcp',
    });
    expect(slow.signal?.aborted).toBe(true);
  });

  it('rejects with advice when no adapter matches, within the deadline', async () => {
    const adapters = [probe('mastra', 'never'), probe('langgraph', new Error('boom')), probe('mcp', false)];
    const site = await startWebSite();
    try {
      const failed = detectAdapter(new URL(site.origin), adapters, context(), { timeoutMs: 20 });
      await expect(failed).rejects.toMatchObject({ code: 'SWB_CONNECT_FAILED' });
      await expect(failed).rejects.toThrow(/includes the path/);
      await expect(detectAdapter(new URL(site.origin), [], context())).rejects.toMatchObject({
        code: 'SWB_CONNECT_FAILED',
      });
    } finally {
      await site.close();
    }
  });

  it('rejects with the words of a server that refuses to be asked, and with the usual advice for any other status', async () => {
    const site = await startWebSite();
    const refuses = (code: 'SWB_UPSTREAM_AUTH' | 'SWB_UPSTREAM_HTTP'): Adapter => ({
      ...probe('mcp', false),
      async detect(_url, { refused }) {
        refused?.(new SwitchboardError(code, 'The server at this URL forbids this (HTTP 403): "Not here".'));
        return false;
      },
    });
    try {
      const asked = (adapter: Adapter) => detectAdapter(new URL(site.origin), [adapter], context());
      await expect(asked(refuses('SWB_UPSTREAM_AUTH'))).rejects.toMatchObject({
        code: 'SWB_CONNECT_FAILED',
        message: 'The server at this URL forbids this (HTTP 403): "Not here".',
      });
      await expect(asked(refuses('SWB_UPSTREAM_HTTP'))).rejects.toThrow(/^No MCP server answers at this URL/);
    } finally {
      await site.close();
    }
  });

  it('reports that nothing answers, and uses the guard’s resolver only', async () => {
    const absent = new URL(await absentOrigin());
    const failed = detectAdapter(absent, [probe('mcp', false)], context());
    await expect(failed).rejects.toMatchObject({ code: 'SWB_CONNECT_FAILED' });
    await expect(failed).rejects.toThrow(/^Nothing answers at this URL: it (refuses|closed) /);

    const asked: string[] = [];
    const guard: NetworkGuard = {
      check: async () => {},
      lookup: (host, _options, done) => {
        asked.push(host);
        done(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), '', 4);
      },
    };
    const nameless = detectAdapter(URL_, [probe('mcp', false)], context({ guard }));
    await expect(nameless).rejects.toThrow('Nothing answers at this URL: its host name is unknown.');
    expect(asked).toEqual(['server.example']);
  });

  it('asks the guard first, and no adapter when it refuses', async () => {
    const adapter = probe('mcp', true);
    const refused = new SwitchboardError('SWB_URL_REFUSED', 'No.');
    const guard = { lookup: () => {}, check: () => Promise.reject(refused) };
    await expect(detectAdapter(URL_, [adapter], context({ guard }))).rejects.toBe(refused);
    expect(adapter.signal).toBeUndefined();
  });

  it('ends with the reason of the signal when that aborts', async () => {
    const controller = new AbortController();
    const adapter = probe('mcp', 'never');
    const detecting = detectAdapter(URL_, [adapter], context({ signal: controller.signal }));
    const reason = new Error('cancelled');
    controller.abort(reason);
    await expect(detecting).rejects.toBe(reason);
    expect(adapter.signal?.aborted ?? true).toBe(true);
    await expect(detectAdapter(URL_, [adapter], context({ signal: controller.signal }))).rejects.toBe(reason);
  });
});
