import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HttpOrigin } from '../../../adapters/shared/origin.ts';
import { createNetworkGuard } from './network-guard.ts';
import { answers, guardFor } from './testing/guards.ts';

describe('the network guard on real sockets', () => {
  let server: Server | undefined;
  const origins: HttpOrigin[] = [];

  afterEach(async () => {
    for (const origin of origins.splice(0)) await origin.close();
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
    server = undefined;
  });

  async function listen(): Promise<{ port: number; hits: () => number }> {
    let hits = 0;
    server = createServer((_request, response) => {
      hits++;
      response.setHeader('connection', 'close').end('here');
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return { port: (server.address() as AddressInfo).port, hits: () => hits };
  }

  const get = (origin: string, guard: ReturnType<typeof guardFor>) => {
    const http = new HttpOrigin({ origin, name: 'probe', maxReplyBytes: 1_000, guard, credentials: undefined });
    origins.push(http);
    return http;
  };

  it('refuses an address as host although no name is looked up', async () => {
    const { port, hits } = await listen();
    for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1']) {
      const origin = new URL(`http://${host}:${port}`).origin;
      await expect(
        get(origin, guardFor()).collect({ method: 'GET', path: '/', headers: {} }),
        host,
      ).rejects.toMatchObject({ code: 'SWB_URL_REFUSED' });
    }
    expect(hits()).toBe(0);
  });

  it('connects to the checked address, whatever the system resolves the name to', async () => {
    const { port, hits } = await listen();
    const guard = guardFor(answers('127.0.0.1'), [`nowhere.invalid:${port}`]);
    const http = get(`http://nowhere.invalid:${port}`, guard);
    const reply = await http.collect({ method: 'GET', path: '/', headers: {} });
    expect(reply.body.toString()).toBe('here');
    expect(hits()).toBe(1);
  });

  it('checks every new socket again', async () => {
    const { port, hits } = await listen();
    let address = '127.0.0.1';
    const guard = guardFor(async () => [{ address, family: 4 }], [`nowhere.invalid:${port}`]);
    const http = get(`http://nowhere.invalid:${port}`, guard);
    await http.collect({ method: 'GET', path: '/', headers: {} });
    address = '169.254.169.254';
    await expect(http.collect({ method: 'GET', path: '/', headers: {} })).rejects.toMatchObject({
      code: 'SWB_URL_REFUSED',
    });
    expect(hits()).toBe(1);
  });

  it('uses the system resolver when none is given', async () => {
    const { port } = await listen();
    await expect(
      createNetworkGuard({ allowPrivate: [] }).check(new URL(`http://localhost:${port}`)),
    ).rejects.toMatchObject({ data: { reason: 'private' } });
    const guard = createNetworkGuard({ allowPrivate: ['localhost'] });
    const reply = await get(`http://localhost:${port}`, guard).collect({ method: 'GET', path: '/', headers: {} });
    expect(reply.status).toBe(200);
  });
});
