import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type RequestListener } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ReplicaAddress } from '../../../state/replicas.ts';
import { Forward } from './forward.ts';
import { Passage } from './passage.ts';

const KEY = Buffer.alloc(32, 7);
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Sides {
  url: URL;
  /** Why requests were served where they arrived. */
  here: string[];
  /** Passed on and not over. */
  open: Set<Forward>;
}

/** A server that passes every request on to the replica at this address. */
async function passOn(address: ReplicaAddress): Promise<Sides> {
  const passage = new Passage(KEY);
  const here: string[] = [];
  const open = new Set<Forward>();
  const server = createServer((req, res) => {
    const forward = new Forward({
      http: { req, res },
      to: 'other',
      address,
      path: req.url ?? '/',
      body: undefined,
      ids: () => [5],
      era: 'legacy',
      otherwise: (problem) => {
        here.push(problem);
        res.end('here');
      },
      over: () => open.delete(forward),
    });
    open.add(forward);
    forward.start(passage);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    passage.close();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`), here, open };
}

async function replica(serve: RequestListener): Promise<ReplicaAddress> {
  const passage = new Passage(KEY);
  closing.push(() => passage.close());
  return passage.listen({ host: '127.0.0.1', port: 0 }, serve);
}

/** An address where connections are taken and nothing is answered. */
async function silentAddress(): Promise<ReplicaAddress> {
  const server = createNetServer((socket) => socket.on('error', () => {}).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

describe('A request that another replica serves', () => {
  it('has its status, its headers and its body there, without what is about one connection', async () => {
    const seen: IncomingMessage['headers'][] = [];
    const address = await replica((req, res) => {
      seen.push(req.headers);
      res.writeHead(404, { 'x-of': 'the other', 'access-control-allow-origin': '*', 'content-length': 3 }).end('end');
    });
    const { url } = await passOn(address);
    const reply = await fetch(url, { headers: { 'mcp-session-id': 'a.b', origin: 'http://localhost' } });
    expect([reply.status, await reply.text()]).toEqual([404, 'end']);
    expect(reply.headers.get('x-of')).toBe('the other');
    expect(reply.headers.get('access-control-allow-origin')).toBeNull();
    expect(seen[0]).toMatchObject({ 'mcp-session-id': 'a.b' });
    expect(seen[0]?.origin).toBeUndefined();
  });

  it('streams: what is written there arrives before the reply ends', async () => {
    let end = (): void => {};
    const address = await replica((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write(': first\n\n');
      end = () => res.end(': last\n\n');
    });
    const { url } = await passOn(address);
    const reader = (await fetch(url)).body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe(': first\n\n');
    end();
    expect((await reader?.read())?.value).toBe(': last\n\n');
    expect((await reader?.read())?.done).toBe(true);
  });

  it('ends there when its client leaves', async () => {
    const ended = Promise.withResolvers<void>();
    const address = await replica((_req, res) => {
      res.on('close', () => ended.resolve());
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write(': first\n\n');
    });
    const { url, open } = await passOn(address);
    const abort = new AbortController();
    await (await fetch(url, { signal: abort.signal })).body?.getReader().read();
    expect(open.size).toBe(1);
    abort.abort();
    await ended.promise;
    expect(open.size).toBe(0);
  });

  it('waits there for a client that does not read', async () => {
    const chunk = Buffer.alloc(1 << 20, 'x');
    const total = 64;
    let written = 0;
    const waits = Promise.withResolvers<void>();
    const address = await replica((_req, res) => {
      const write = (): void => {
        while (written < total) {
          written++;
          if (res.write(chunk)) continue;
          // The first bytes always wait for the network: it is held up where nothing drains within a few turns.
          const held = setTimeout(() => waits.resolve(), 500);
          res.once('drain', () => {
            clearTimeout(held);
            write();
          });
          return;
        }
        res.end();
      };
      res.writeHead(200, { 'content-type': 'application/octet-stream' });
      write();
    });
    const { url } = await passOn(address);
    const [reply] = (await once(get(url), 'response')) as [IncomingMessage];
    reply.pause();
    await waits.promise;
    expect(written).toBeLessThan(total);
    let bytes = 0;
    for await (const each of reply) bytes += (each as Buffer).length;
    expect(bytes).toBe(total * chunk.length);
  });

  it('breaks off for its client where it breaks off there', async () => {
    const address = await replica((req, res) => {
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
      res.write('{"jsonrpc"', () => req.socket.destroy());
    });
    const { url } = await passOn(address);
    await expect(fetch(url).then((reply) => reply.text())).rejects.toThrow();
  });

  it('is answered as lost where the replica goes before it answers', async () => {
    const address = await replica((req) => req.socket.destroy());
    const { url, here, open } = await passOn(address);
    const reply = await fetch(url);
    expect(reply.status).toBe(502);
    expect(await reply.json()).toMatchObject({ id: 5, error: { data: { code: 'SWB_REPLICA_LOST' } } });
    expect([here, open.size]).toEqual([[], 0]);
  });

  it('is served where it arrived when nothing listens there', async () => {
    const address = await replica(() => {});
    await closing.pop()?.();
    const { url, here } = await passOn(address);
    expect(await (await fetch(url)).text()).toBe('here');
    expect(here).toEqual(['ECONNREFUSED']);
  });

  it('is answered as not begun when no connection opens in time', async () => {
    const { url, here, open } = await passOn(await silentAddress());
    const reply = await fetch(url);
    expect(reply.status).toBe(503);
    expect(await reply.json()).toMatchObject({ id: 5, error: { data: { code: 'SWB_REPLICA_AWAY' } } });
    expect([here, open.size]).toEqual([[], 0]);
  });

  it('does not leave once its client has gone, when the connection opens later', async () => {
    let served = 0;
    const address = await replica((_req, res) => {
      served++;
      res.end();
    });
    // In between, what a connection sends is kept back until the test lets it through.
    const gate = Promise.withResolvers<void>();
    const came = Promise.withResolvers<void>();
    const sockets = new Set<{ destroy(): void }>();
    const between = createNetServer(async (socket) => {
      sockets.add(socket.on('error', () => {}));
      came.resolve();
      await gate.promise;
      const onward = connect(address.port, '127.0.0.1').on('error', () => {});
      sockets.add(onward);
      socket.pipe(onward).pipe(socket);
    });
    between.listen(0, '127.0.0.1');
    await once(between, 'listening');
    closing.push(() => {
      for (const socket of sockets) socket.destroy();
      between.close();
    });
    const { url, open } = await passOn({ host: '127.0.0.1', port: (between.address() as AddressInfo).port });
    const asked = get(url).on('error', () => {});
    await came.promise;
    asked.destroy();
    while (open.size > 0) await new Promise(setImmediate);
    gate.resolve();
    // The next one comes through on the same way, after it.
    expect((await fetch(url)).status).toBe(200);
    expect(served).toBe(1);
  });
});
