import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readScrape } from '../../../test/telemetry/scrape.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { CHANNELS, type EventMap, type EventName } from '../events.ts';
import { GatewayMetrics } from './gateway-metrics.ts';
import type { Metric } from './instruments.ts';
import { prometheusText } from './prometheus.ts';
import type { MetricSources } from './sources.ts';

const INSTANCE = 'metrics-under-test';

const SOURCES: MetricSources = {
  servers: () => [
    {
      ...{ name: 'mail', kind: 'mcp', state: 'ready', transport: 'streamable-http', era: 'modern' },
      queue: { running: 3, concurrency: 16, waiting: 5, principals: 2, longest: 4 },
    },
    { name: 'graph', kind: undefined, state: 'degraded', transport: undefined, era: undefined, queue: undefined },
  ],
  relay: () => ({ running: 7, suspended: 1, runs: 2, tasks: 3 }),
  endpoint: () => ({ sessions: 4, streams: 5, connections: 6 }),
  approvals: () => 8,
};

let metrics: GatewayMetrics;
beforeEach(() => {
  metrics = new GatewayMetrics(INSTANCE, SOURCES);
});
afterEach(() => metrics.close());

/** What a test says of an event is all that metrics may look at. */
const tell = <N extends EventName>(name: N, event: Partial<EventMap[N]>, instance = INSTANCE): void =>
  CHANNELS[name].publish({ instance, ...event } as EventMap[N]);

const finished = (event: object): void =>
  tell('finished', {
    ...{ method: 'tools/call', server: 'mail', about: 'mail', name: 'mail__send', toolError: false },
    ...{ durationMs: 30, queueMs: 10, error: undefined, caller: { protocolVersion: '2026-07-28' } as never },
    ...event,
  });

function named(name: string): Metric {
  const found = metrics.collect().find((metric) => metric.name === name);
  if (!found) throw new Error(`There is no ${name}.`);
  return found;
}

const points = (name: string): unknown[] =>
  named(name).points.map(({ labels, value }) => ({
    labels,
    value: typeof value === 'number' ? value : [value.count, Math.round(value.sum * 1_000) / 1_000],
  }));

/** Series in which something was counted. */
const counted = (name: string): unknown[] => points(name).filter((point) => (point as { value: unknown }).value !== 0);

const SEND = {
  'mcp.method.name': 'tools/call',
  'gen_ai.operation.name': 'execute_tool',
  'gen_ai.tool.name': 'mail__send',
  'switchboard.server': 'mail',
  'mcp.protocol.version': '2026-07-28',
};

describe('metrics of a gateway', () => {
  it('count requests of clients in seconds, by what they are about and how they ended', () => {
    finished({});
    finished({ durationMs: 70 });
    finished({ error: new SwitchboardError('SWB_QUEUE_FULL', 'Full.'), server: undefined });
    finished({ toolError: true });
    expect(points('mcp.server.operation.duration')).toEqual([
      { labels: SEND, value: [2, 0.1] },
      {
        labels: { ...SEND, 'error.type': 'SWB_QUEUE_FULL', 'rpc.response.status_code': '-31002' },
        value: [1, 0.03],
      },
      { labels: { ...SEND, 'error.type': 'tool_error' }, value: [1, 0.03] },
    ]);
    // The one that was sent to no server has waited for none.
    expect(points('switchboard.queue.wait.duration')).toEqual([
      { labels: { 'switchboard.server': 'mail' }, value: [3, 0.03] },
    ]);
  });

  it('count requests to servers under the server’s own names, with the network', () => {
    tell('returned', {
      ...{ server: 'mail', method: 'tools/call', name: 'send', transport: 'stdio', protocolVersion: '2025-11-25' },
      ...{ durationMs: 20, toolError: false, error: undefined },
    });
    expect(points('mcp.client.operation.duration')).toEqual([
      {
        labels: {
          ...{ ...SEND, 'gen_ai.tool.name': 'send', 'mcp.protocol.version': '2025-11-25' },
          'network.transport': 'pipe',
        },
        value: [1, 0.02],
      },
    ]);
  });

  it('bound what clients and servers choose', () => {
    finished({ method: 'made/up', name: undefined, server: undefined, about: undefined });
    tell('ask', { server: 'mail', method: 'made/up' });
    expect(points('mcp.server.operation.duration')).toEqual([
      { labels: { 'mcp.method.name': '_OTHER', 'mcp.protocol.version': '2026-07-28' }, value: [1, 0.03] },
    ]);
    expect(counted('switchboard.asks')).toEqual([
      { labels: { 'switchboard.server': 'mail', 'mcp.method.name': '_OTHER' }, value: 1 },
    ]);
  });

  it('name document and rule of what was denied, and not of what was allowed', () => {
    const decision = { server: 'mail', section: 'tools', name: 'send', policy: 'gateway', rule: '/tools/send' };
    for (const effect of ['allow', 'deny', 'approve'] as const) tell('decision', { ...decision, effect });
    expect(points('switchboard.policy.decisions')).toEqual([
      { labels: { effect: 'allow', 'switchboard.server': 'mail', section: 'tools' }, value: 1 },
      ...['deny', 'approve'].map((effect) => ({
        labels: { effect, 'switchboard.server': 'mail', section: 'tools', policy: 'gateway', rule: '/tools/send' },
        value: 1,
      })),
    ]);
  });

  it('count what webhooks were told, and why they could not be', () => {
    tell('webhook', { failure: undefined });
    tell('webhook', { failure: undefined });
    tell('webhook', { failure: 'redirect' });
    expect(counted('switchboard.webhooks')).toEqual([
      { labels: { outcome: 'ok' }, value: 2 },
      { labels: { outcome: 'redirect' }, value: 1 },
    ]);
    expect(points('switchboard.webhooks')).toContainEqual({ labels: { outcome: 'timeout' }, value: 0 });
  });

  it('count approvals, changed lists and states', () => {
    tell('approval', { state: 'pending' });
    tell('approval', { state: 'approved' });
    tell('list', { server: 'mail', list: 'tools' });
    tell('upstream', { server: 'graph', state: 'degraded', connected: false });
    expect(counted('switchboard.approvals')).toEqual([
      { labels: { state: 'pending' }, value: 1 },
      { labels: { state: 'approved' }, value: 1 },
    ]);
    expect(points('switchboard.list.changes')).toEqual([
      { labels: { 'switchboard.server': 'mail', list: 'tools' }, value: 1 },
    ]);
    expect(counted('switchboard.server.state.changes')).toEqual([
      { labels: { 'switchboard.server': 'graph', state: 'degraded' }, value: 1 },
    ]);
  });

  it('count requests by how they ended, those that policy, the queue or their client ended apart', () => {
    finished({});
    finished({ toolError: true });
    for (const code of [
      'SWB_DENIED',
      'SWB_RATE_LIMITED',
      'SWB_APPROVAL_DECIDED',
      'SWB_INSUFFICIENT_SCOPE',
      'SWB_LOGIN_NEEDED',
      'SWB_CANCELLED',
      'SWB_QUEUE_TIMEOUT',
      'SWB_CALL_TIMEOUT',
    ] as const)
      finished({ error: new SwitchboardError(code, 'No.') });
    finished({ server: undefined, about: undefined });
    expect(counted('switchboard.requests')).toEqual(
      expect.arrayContaining([
        { labels: { outcome: 'ok' }, value: 1 },
        ...Object.entries({ ok: 1, tool_error: 1, denied: 5, cancelled: 1, queue_full: 1, failed: 1 }).map(
          ([outcome, value]) => ({ labels: { 'switchboard.server': 'mail', outcome }, value }),
        ),
      ]),
    );
  });

  it('begin with 0 what is known beforehand, for servers that come later as well, and for so many that all others have room', () => {
    const zeros = (name: string, labels: object): boolean =>
      points(name).some((point) => JSON.stringify(point) === JSON.stringify({ labels, value: 0 }));
    for (const server of ['mail', 'graph']) {
      for (const outcome of ['ok', 'failed', 'queue_full'])
        expect(zeros('switchboard.requests', { 'switchboard.server': server, outcome })).toBe(true);
      expect(zeros('switchboard.server.state.changes', { 'switchboard.server': server, state: 'degraded' })).toBe(true);
    }
    expect(zeros('switchboard.approvals', { state: 'pending' })).toBe(true);
    tell('upstream', { server: 'late', state: 'connecting', connected: false });
    expect(zeros('switchboard.requests', { 'switchboard.server': 'late', outcome: 'failed' })).toBe(true);
    for (let n = 0; n < 3_000; n++) tell('upstream', { server: `s${n}`, state: 'connecting', connected: false });
    expect(named('switchboard.requests').points.length).toBeLessThan(1_010);
  });

  it('count the life of a session and of a connection once, when it ends', () => {
    tell('session', { state: 'opened', session: 1, protocolVersion: '2025-11-25' });
    expect(points('mcp.server.session.duration')).toEqual([]);
    for (let n = 0; n < 2; n++) tell('session', { state: 'closed', session: 1, protocolVersion: '2025-11-25' });
    tell('session', { state: 'closed', session: 2, protocolVersion: '2025-11-25' });
    expect(named('mcp.server.session.duration').points).toMatchObject([
      { labels: { 'mcp.protocol.version': '2025-11-25' }, value: { count: 1 } },
    ]);
    // It was ready when counting began, and goes away twice.
    for (let n = 0; n < 2; n++)
      tell('upstream', { server: 'mail', state: 'degraded', connected: false, transport: 'streamable-http' });
    expect(named('mcp.client.session.duration').points).toMatchObject([
      { labels: { 'switchboard.server': 'mail', 'network.transport': 'tcp' }, value: { count: 1 } },
    ]);
  });

  it('read queues, servers and what waits when they are asked for', () => {
    const ofMail = { 'switchboard.server': 'mail' };
    expect(points('switchboard.server.up')).toEqual([
      { labels: ofMail, value: 1 },
      { labels: { 'switchboard.server': 'graph' }, value: 0 },
    ]);
    expect(points('switchboard.server.info')).toEqual([
      { labels: { ...ofMail, kind: 'mcp', transport: 'streamable-http', era: 'modern', state: 'ready' }, value: 1 },
      { labels: { 'switchboard.server': 'graph', state: 'degraded' }, value: 1 },
    ]);
    const queue = Object.entries({ running: 3, limit: 16, waiting: 5, principals: 2, longest: 4 });
    for (const [name, value] of queue) expect(points(`switchboard.queue.${name}`)).toEqual([{ labels: ofMail, value }]);
    const loads = Object.entries({
      ...{ 'requests.running': 7, 'calls.suspended': 1, 'runs.running': 2, 'tasks.awaited': 3 },
      ...{ 'approvals.waiting': 8, sessions: 4, streams: 5, connections: 6 },
    });
    for (const [name, value] of loads) expect(points(`switchboard.${name}`)).toEqual([{ labels: {}, value }]);
  });

  it('are of this gateway alone, and end with it', () => {
    tell('list', { server: 'mail', list: 'tools' }, 'another-gateway');
    expect(points('switchboard.list.changes')).toEqual([]);
    metrics.close();
    tell('list', { server: 'mail', list: 'tools' });
    expect(points('switchboard.list.changes')).toEqual([]);
    expect(CHANNELS.list.hasSubscribers).toBe(false);
  });

  it('are Prometheus text, whatever names hold', () => {
    finished({ name: 'say "hi"\\\nnow' });
    const families = readScrape(prometheusText({ metrics: metrics.collect(), since: metrics.since }));
    const [bucket] = families.get('mcp_server_operation_duration_seconds')?.samples ?? [];
    expect(bucket?.labels.gen_ai_tool_name).toBe('say \\"hi\\"\\\\\\nnow');
    expect(families.get('process_memory_usage_bytes')?.samples[0]?.value).toBeGreaterThan(1e6);
    expect(families.get('switchboard_asks_total')?.type).toBe('counter');
  });
});
