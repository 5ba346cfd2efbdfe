import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ReplicaAddress } from '../../../state/replicas.ts';
import { Passage } from './passage.ts';

const KEY = Buffer.alloc(32, 7);
const open: Passage[] = [];

afterEach(() => {
  vi.useRealTimers();
  for (const each of open.splice(0)) each.close();
});

function passage(key = KEY): Passage {
  const made = new Passage(key);
  open.push(made);
  return made;
}

const listen = (at: Passage, serve: RequestListener): Promise<ReplicaAddress> =>
  at.listen({ host: '127.0.0.1', port: 0 }, serve);

/** One request, resolved with its reply. */
const ask = (from: Passage, to: ReplicaAddress): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    from.send(
      to,
      { method: 'POST', path: '/mcp', body: '{}' },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData: (_controller, chunk) => {
          text += chunk;
        },
        onResponseEnd: () => resolve(text),
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });

describe('The connections between replicas', () => {
  it('serve one request after the other', async () => {
    const [from, to] = [passage(), passage()];
    const sockets = new Set<unknown>();
    const address = await listen(to, (req, res) => {
      sockets.add(req.socket);
      res.end('done');
    });
    for (let i = 0; i < 20; i++) expect(await ask(from, address)).toBe('done');
    expect(sockets.size).toBe(1);
  });

  it('are as many as requests are under way, of one TLS session', async () => {
    const [from, to] = [passage(), passage()];
    const sockets = new Set<TLSSocket>();
    let waiting: (() => void)[] = [];
    const address = await listen(to, (req, res) => {
      sockets.add(req.socket as TLSSocket);
      waiting.push(() => res.end('done'));
      if (waiting.length < 4) return;
      for (const answer of waiting) answer();
      waiting = [];
    });
    const first = ask(from, address);
    while (sockets.size < 1) await new Promise(setImmediate);
    const others = Array.from({ length: 3 }, () => ask(from, address));
    expect(await Promise.all([first, ...others])).toEqual(Array(4).fill('done'));
    expect(await Promise.all(Array.from({ length: 4 }, () => ask(from, address)))).toEqual(Array(4).fill('done'));
    expect(sockets.size).toBe(4);
    expect([...sockets].map((socket) => socket.isSessionReused())).toEqual([false, true, true, true]);
  });

  it('fail for an address that is none, the first time and later', async () => {
    const from = passage();
    for (let i = 0; i < 2; i++) {
      const failed = await new Promise<Error>((resolve) => {
        const handler = { onResponseError: (_controller: unknown, error: Error) => resolve(error) };
        from.send({ host: '10.0.0.256', port: 1 }, { method: 'GET', path: '/' }, handler);
      });
      expect(failed.message).toMatch(/URL/i);
    }
    expect(await from.isAlive({ host: '10.0.0.256', port: 1 }, 1_000)).toBe(false);
  });

  it('open with the key that all replicas have, and no other', async () => {
    const to = passage();
    let served = 0;
    const address = await listen(to, (_req, res) => {
      served++;
      res.end('done');
    });
    await expect(ask(passage(Buffer.alloc(32, 8)), address)).rejects.toMatchObject({ code: expect.any(String) });
    expect(served).toBe(0);
    expect(await ask(passage(), address)).toBe('done');
  });

  it('open no more when they were closed: a request fails at once, also one that the first use held up', async () => {
    const [from, fresh, to] = [passage(), passage(), passage()];
    let served = 0;
    const address = await listen(to, (_req, res) => {
      served++;
      res.end('done');
    });
    expect(await ask(from, address)).toBe('done');
    from.close();
    const heldUp = ask(fresh, address);
    fresh.close();
    for (const asked of [ask(from, address), heldUp]) await expect(asked).rejects.toMatchObject({ code: 'ENDING' });
    let failed = false;
    const handler = {
      onResponseError: () => {
        failed = true;
      },
    };
    from.send(address, { method: 'GET', path: '/mcp' }, handler);
    expect([failed, served]).toEqual([true, 1]);
  });

  it('that are being opened to a replica that hangs end when they are closed', async () => {
    const hangs = createServer();
    hangs.listen(0, '127.0.0.1');
    await once(hangs, 'listening');
    try {
      const from = passage();
      // The time in which it would be given up does not pass.
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const accepted = once(hangs, 'connection') as Promise<[Socket]>;
      const asked = ask(from, { host: '127.0.0.1', port: (hangs.address() as AddressInfo).port });
      const refused = expect(asked).rejects.toThrow();
      const [socket] = await accepted;
      socket.on('error', () => {}).resume();
      from.close();
      if (!socket.closed) await once(socket, 'close');
      await refused;
    } finally {
      hangs.close();
    }
  });
});
