/** Metrics: what is counted for real calls, as a scraper and as a collector read it, and who may read it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHANNELS } from '../../src/observe/events.ts';
import { Clients } from '../e2e/clients.ts';
import { type OwnGateway, serveGateway, startReadyGateway } from '../e2e/gateway.ts';
import { modernRequest, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { startVerbatim, type VerbatimServer } from '../e2e/verbatim.ts';
import { startReceiver } from './receiver.ts';
import { type Family, readScrape } from './scrape.ts';

let upstream: VerbatimServer;
beforeAll(async () => {
  upstream = await startVerbatim('modern');
});
afterAll(() => upstream?.close());

/** Where the listener for metrics is, as the log says it. */
const listenerOf = (gateway: OwnGateway): string => /"metrics":"([^"]+)"/.exec(gateway.log())?.[1] ?? '';

async function scrape(url: string | URL, headers: Record<string, string> = {}): Promise<Map<string, Family>> {
  const response = await fetch(url, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return readScrape(await response.text());
}

const samples = (families: Map<string, Family>, family: string, suffix = '') =>
  (families.get(family)?.samples ?? []).filter(({ name }) => name === family + suffix);

describe('the listener for metrics', () => {
  let gateway: OwnGateway;
  const clients = new Clients();
  beforeAll(async () => {
    gateway = await startReadyGateway({
      servers: { up: { url: upstream.url, policy: { version: '1', default: 'allow', tools: {} } } },
      gateway: {
        metrics: { port: 0 },
        policy: {
          version: '1',
          default: 'allow',
          tools: { up__verbatim: { deny_if: [{ conditions: [{ path: 'args.no', op: 'eq', value: true }] }] } },
        },
      },
    });
  });
  afterAll(async () => {
    await clients.close();
    await gateway?.close();
  });

  it('counts calls by method, tool, server and error, and nothing that clients make up', async () => {
    const client = await clients.connect('v2-legacy', { http: gateway.url });
    await client.call('up__verbatim', {});
    await client.call('up__verbatim', { no: true });
    for (const name of ['made_up_1', 'made_up_2']) await send(gateway.url, modernRequest('tools/call', { name }));
    await send(gateway.url, modernRequest('made/up'));
    const families = await scrape(listenerOf(gateway));
    const calls = samples(families, 'mcp_server_operation_duration_seconds', '_count').filter(
      ({ labels }) => labels.mcp_method_name === 'tools/call',
    );
    const tool = {
      mcp_method_name: 'tools/call',
      gen_ai_operation_name: 'execute_tool',
      gen_ai_tool_name: 'up__verbatim',
      switchboard_server: 'up',
      mcp_protocol_version: '2025-11-25',
    };
    expect(calls.map(({ labels, value }) => ({ ...labels, value }))).toEqual([
      { ...tool, value: 1 },
      { ...tool, error_type: 'SWB_DENIED', rpc_response_status_code: '-31017', value: 1 },
      {
        mcp_method_name: 'tools/call',
        gen_ai_operation_name: 'execute_tool',
        error_type: 'SWB_UNKNOWN_TOOL',
        rpc_response_status_code: '-32602',
        mcp_protocol_version: '2026-07-28',
        value: 2,
      },
    ]);
    expect(samples(families, 'mcp_client_operation_duration_seconds', '_count')).toMatchObject([
      { labels: { gen_ai_tool_name: 'verbatim', switchboard_server: 'up', network_transport: 'tcp' }, value: 1 },
    ]);
    expect(samples(families, 'switchboard_policy_decisions_total')).toContainEqual({
      name: 'switchboard_policy_decisions_total',
      labels: expect.objectContaining({ effect: 'deny', switchboard_server: 'up', rule: expect.any(String) }),
      value: 1,
    });
    expect(JSON.stringify([...families])).not.toMatch(/made.up/);
  });

  it('says how servers, their queues, sessions and streams are', async () => {
    const families = await scrape(listenerOf(gateway));
    const value = (family: string) => samples(families, family).map(({ value: is }) => is);
    expect(value('switchboard_server_up')).toEqual([1]);
    expect(samples(families, 'switchboard_server_info')).toMatchObject([
      {
        labels: { switchboard_server: 'up', kind: 'mcp', era: 'modern', state: 'ready', transport: 'streamable-http' },
      },
    ]);
    expect(value('switchboard_queue_waiting')).toEqual([0]);
    expect(value('switchboard_queue_principals')).toEqual([0]);
    expect(value('switchboard_sessions')).toEqual([1]);
    expect(value('switchboard_approvals_waiting')).toEqual([0]);
    expect(value('process_uptime_seconds')[0]).toBeGreaterThan(0);
  });

  it('tells the life of a session when it ends', async () => {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
    const opened = await send(gateway.url, { body });
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
    expect((await send(gateway.url, { method: 'DELETE', headers })).status).toBe(204);
    await until(async () => {
      const families = await scrape(listenerOf(gateway));
      const [ended] = samples(families, 'mcp_server_session_duration_seconds', '_count');
      return ended?.value === 1 && ended.labels.mcp_protocol_version === '2025-11-25';
    }, 'the end of the session');
  });

  it('says how the gateway is, and has nothing else', async () => {
    const at = (path: string) => fetch(new URL(path, listenerOf(gateway)));
    expect(await (await at('/healthz')).json()).toEqual({ status: 'ok' });
    expect(await (await at('/readyz')).json()).toEqual({ ready: true, servers: { ready: 1 } });
    expect((await at('/mcp')).status).toBe(404);
    expect((await fetch(listenerOf(gateway), { method: 'POST', body: '{}' })).status).toBe(405);
  });

  it('refuses names that a web page could have rebound to it', async () => {
    const { host } = new URL(listenerOf(gateway));
    const { request } = await import('node:http');
    const status = await new Promise((resolve, reject) => {
      const asked = request(
        listenerOf(gateway),
        { headers: { host: host.replace('127.0.0.1', 'evil.example') } },
        (reply) => {
          reply.resume();
          resolve(reply.statusCode);
        },
      );
      asked.on('error', reject).end();
    });
    expect(status).toBe(403);
  });
});

describe('metrics at the endpoint', () => {
  it('are for the admin token alone, and are counted once somebody has read them', async () => {
    const adminToken = 'an-admin-token-of-32-characters-x';
    const gateway = await startReadyGateway({ servers: { up: { url: upstream.url } }, gateway: { adminToken } });
    try {
      expect(CHANNELS.returned.hasSubscribers).toBe(false);
      expect((await fetch(gateway.at('/metrics'))).status).toBe(401);
      expect(
        (await fetch(gateway.at('/metrics'), { headers: { authorization: 'Bearer wrong-token-of-16-chars' } })).status,
      ).toBe(401);
      expect(CHANNELS.returned.hasSubscribers).toBe(false);
      const headers = { authorization: `Bearer ${adminToken}` };
      await scrape(gateway.at('/metrics'), headers);
      await send(gateway.url, modernRequest('tools/call', { name: 'up__verbatim', arguments: {} }));
      const families = await scrape(gateway.at('/metrics'), headers);
      expect(samples(families, 'mcp_client_operation_duration_seconds', '_count')).toMatchObject([{ value: 1 }]);
    } finally {
      await gateway.close();
    }
    expect(CHANNELS.returned.hasSubscribers).toBe(false);
    expect(CHANNELS.finished.hasSubscribers).toBe(false);
  });
});

describe('metrics by OTLP', () => {
  it('are exported as the standard variables say, with the traces of the same process', async () => {
    const receiver = await startReceiver();
    const gateway = await serveGateway({
      servers: { up: { url: upstream.url } },
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=of-the-collector',
        OTEL_SERVICE_NAME: 'my-gateway',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
        OTEL_METRIC_EXPORT_INTERVAL: '200',
        OTEL_BSP_SCHEDULE_DELAY: '50',
      },
    });
    try {
      await until(async () => {
        await send(gateway.url, modernRequest('tools/call', { name: 'up__verbatim', arguments: {} }));
        return receiver.spans.some(({ kind }) => kind === 'CLIENT');
      }, 'a call with its span');
      const point = await until(() => {
        const metric = receiver.metrics().find(({ name }) => name === 'mcp.client.operation.duration');
        return (
          metric?.unit === 's' && metric.points.find(({ attributes }) => attributes['gen_ai.tool.name'] === 'verbatim')
        );
      }, 'a metric');
      expect(point.bounds).toEqual([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]);
      expect(point.counts?.reduce((sum, count) => sum + count, 0)).toBe(point.count);
      expect(receiver.resources).not.toEqual([]);
      for (const resource of receiver.resources)
        expect(resource).toMatchObject({ 'service.name': 'my-gateway', 'deployment.environment.name': 'test' });
      for (const head of receiver.heads) expect(head['x-collector-key']).toBe('of-the-collector');
    } finally {
      await gateway.close();
      await receiver.close();
    }
  });
});
