/** What clients and servers put into `_meta` arrives, in all pairings of eras: trace context and keys of a client's or server's own. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { type ModernTasksHttp, startModernTasks } from '../fixtures/tasks/http-modern.ts';
import { type HttpServer, startV1Sessions } from '../fixtures/tasks/http-v1.ts';
import { createV1TaskServer } from '../fixtures/tasks/v1.ts';

let v1: HttpFixture;
let v2: HttpFixture;
let tasks1: HttpServer;
let tasks2: ModernTasksHttp;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [v1, v2, tasks1, tasks2] = await Promise.all([
    startV1Http(),
    startV2Http('modern'),
    startV1Sessions(createV1TaskServer),
    startModernTasks(),
  ]);
  gateway = await startReadyGateway({
    servers: {
      legacy: { url: v1.url },
      modern: { url: v2.url },
      legacytasks: { url: tasks1.url },
      moderntasks: { url: tasks2.url },
    },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v1?.close(), v2?.close(), tasks1?.close(), tasks2?.close()]);
});

const META = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'vendor=opaque',
  baggage: 'user=ada',
  'example.com/own': { deep: [1, null, 'x'], 'io.modelcontextprotocol/clientInfo': 'not ours' },
};

const ENVELOPE = 'io.modelcontextprotocol/protocolVersion';

describe.each<ClientKind>(['v1', 'v2-modern'])('what a %s client puts into _meta', (kind) => {
  it.each(['legacy', 'modern'])('arrives at the %s server, in both views', async (server) => {
    for (const [url, name] of [
      [gateway.url, `${server}__whoami`],
      [gateway.at(`/servers/${server}/mcp`), 'whoami'],
    ] as const) {
      const client = await clients.connect(kind, { http: url });
      const result = await client.request('tools/call', { name, arguments: {}, _meta: META });
      const { meta, envelope } = JSON.parse(textOf(result as never)) as Record<string, Record<string, unknown>>;
      expect(meta).toMatchObject(META);
      // The envelope is for servers that have one.
      if (server === 'legacy') expect(Object.keys(meta ?? {})).not.toContain(ENVELOPE);
      else expect(envelope).toHaveProperty([ENVELOPE], '2026-07-28');
    }
  });

  it('and what a server puts into the _meta of a result arrives at the client', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    for (const server of kind === 'v1' ? ['moderntasks'] : ['legacytasks']) {
      const result = await client.request('tools/call', { name: `${server}__report`, arguments: {} });
      expect(result._meta).toMatchObject({ 'fixture/own': true });
    }
  });
});
