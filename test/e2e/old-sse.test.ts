/**
 * Clients of the old HTTP+SSE transport when their stream drops, when the gateway starts again, and behind a proxy's path.
 * They connect again by themselves and do not initialize again; official servers answer them, and so does the gateway
 * (it used to answer "Send 'initialize' first" for ever).
 */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/core/testing/free-port.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { type ClientKind, Clients, type TestClient, textOf } from './clients.ts';
import { type Gated, gated } from './gated.ts';
import { type OwnGateway, startGateway, startReadyGateway } from './gateway.ts';
import { until } from './until.ts';

const KINDS = ['v1', 'v2-legacy'] satisfies ClientKind[];

let upstream: HttpFixture;
let gateway: OwnGateway;
let proxy: Gated;
const clients = new Clients();

beforeAll(async () => {
  upstream = await startV1Http();
});
afterEach(async () => {
  await clients.close();
  await proxy?.close();
  await gateway?.close();
});
afterAll(() => upstream?.close());

const echo = async (client: TestClient): Promise<string> => textOf(await client.call('s__echo', { text: 'back' }));

/** Resolves once a call of the client succeeds again. */
const recovers = (client: TestClient): Promise<string> =>
  until(() => echo(client).catch(() => undefined), 'the client to recover');

describe.each(KINDS)('a %s client', (kind) => {
  async function connect(port = 0): Promise<TestClient> {
    gateway = await startReadyGateway({ servers: { s: { url: upstream.url } }, gateway: { port } });
    proxy = await gated(gateway.url);
    proxy.open();
    return clients.connect(kind, { sse: new URL('/sse', proxy.url) });
  }

  it('goes on after its stream has dropped', async () => {
    const client = await connect();
    expect(await echo(client)).toBe('back');
    proxy.drop();
    expect(await recovers(client)).toBe('back');
    expect(await client.tools()).toContain('s__echo');
  });

  it('goes on after the gateway has started again', async () => {
    const client = await connect(await freePort());
    expect(await echo(client)).toBe('back');
    const first = gateway;
    await first.stop();
    gateway = await startGateway({ folder: first.folder });
    expect(await recovers(client)).toBe('back');
    await first.close();
  });

  it.each(['/sse', '/servers/s/sse'])('works at %s behind a proxy that puts a path in front', async (path) => {
    gateway = await startReadyGateway({ servers: { s: { url: upstream.url } } });
    const { port } = new URL(gateway.url);
    const front = createServer((req, res) => {
      if (!req.url?.startsWith('/base/path/')) {
        res.writeHead(404).end();
        return;
      }
      const onward = request(
        { port, host: '127.0.0.1', method: req.method, path: req.url.slice('/base/path'.length), headers: req.headers },
        (reply) => {
          res.writeHead(reply.statusCode ?? 502, reply.headers);
          reply.pipe(res);
        },
      );
      onward.on('error', () => res.destroy());
      res.on('close', () => onward.destroy());
      req.pipe(onward);
    }).listen(0, '127.0.0.1');
    await once(front, 'listening');
    try {
      const address = `http://127.0.0.1:${(front.address() as AddressInfo).port}/base/path${path}`;
      const client = await clients.connect(kind, { sse: address });
      const name = path === '/sse' ? 's__echo' : 'echo';
      expect(textOf(await client.call(name, { text: 'through' }))).toBe('through');
    } finally {
      await clients.close();
      front.closeAllConnections();
      front.close();
    }
  });
});
