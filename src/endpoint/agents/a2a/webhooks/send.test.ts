import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createNetworkGuard, type Resolve } from '../../../../policy/network-guard/network-guard.ts';
import { Places } from './places.ts';
import { Sender, type SendTimes } from './send.ts';

const TIMES: SendTimes = { attemptMs: 10_000, giveUpMs: 60_000, backoffBaseMs: 10, backoffCapMs: 20 };
const NOTICE = { body: '{"statusUpdate":{}}', contentType: 'application/a2a+json' };

const closes: (() => Promise<unknown>)[] = [];
const closeAll = () => Promise.all(closes.splice(0).map((close) => close()));

async function listen(answer: RequestListener): Promise<{ port: number; requests: () => number }> {
  let requests = 0;
  const server = createServer((req, res) => {
    requests++;
    answer(req, res);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closes.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, requests: () => requests };
}

interface Sending {
  times?: Partial<SendTimes>;
  resolve?: Resolve;
  allowPrivate?: string[];
  goesOn?: () => Promise<boolean>;
  signal?: AbortSignal;
  /** From now on. */
  deadlineMs?: number;
}

function send(url: string, sending: Sending = {}) {
  const { times, resolve, allowPrivate = ['127.0.0.1'], goesOn = async () => true } = sending;
  const sender = new Sender({
    guard: () => createNetworkGuard({ allowPrivate, ...(resolve ? { resolve } : {}) }),
    places: new Places({ most: 2, ofPrincipal: 1 }),
    times: { ...TIMES, ...times },
  });
  const { signal = new AbortController().signal, deadlineMs = 60_000 } = sending;
  const deadline = Date.now() + deadlineMs;
  return sender.send({ url, token: '' }, NOTICE, { principal: 'ada', signal, deadline, goesOn });
}

describe('a notice', () => {
  afterEach(closeAll);

  it('is sent again until it is taken, while the receiver says that it may be better soon', async () => {
    const statuses = [503, 429, 408, 500, 202];
    const { port, requests } = await listen((_, res) => void res.writeHead(statuses[requests() - 1] ?? 500).end());
    expect(await send(`http://127.0.0.1:${port}/`)).toEqual({ failure: undefined, status: 202, attempts: 5 });
  });

  it.each([400, 401, 404, 410, 413])('is sent once to a receiver that answers %i', async (status) => {
    const { port, requests } = await listen((_, res) => void res.writeHead(status).end());
    expect(await send(`http://127.0.0.1:${port}/`)).toEqual({ failure: 'status', status, attempts: 1 });
    expect(requests()).toBe(1);
  });

  it('is given up after its deadline, and sent once even then', async () => {
    const { port, requests } = await listen((_, res) => void res.writeHead(500).end());
    const sent = await send(`http://127.0.0.1:${port}/`, { deadlineMs: 0 });
    expect(sent).toEqual({ failure: 'status', status: 500, attempts: 1 });
    expect(requests()).toBe(1);
  });

  it('waits for a receiver that does not answer no longer than an attempt may take', async () => {
    const { port } = await listen(() => {});
    const sent = await send(`http://127.0.0.1:${port}/`, { times: { attemptMs: 50 }, deadlineMs: 0 });
    expect(sent).toEqual({ failure: 'timeout', status: undefined, attempts: 1 });
  });

  it('is taken by a receiver whose answer never ends', async () => {
    const { port } = await listen((_, res) => void res.writeHead(200).write('x'));
    expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ failure: undefined, status: 200 });
  });

  it.each(['127.0.0.1', '10.0.0.1', '169.254.169.254', '::1', 'fd00::1'])(
    'connects to nothing where the name leads to a private address',
    async (address) => {
      const { port, requests } = await listen((_, res) => void res.end());
      const resolve: Resolve = async () => [{ address, family: address.includes(':') ? 6 : 4 }];
      const url = `http://hooks.example:${port}/`;
      expect(await send(url, { resolve, allowPrivate: [] })).toMatchObject({ failure: 'refused', attempts: 1 });
      expect(requests()).toBe(0);
    },
  );

  it('goes to the address that was checked, also where the name has another one the next moment', async () => {
    const { port, requests } = await listen((_, res) => void res.end());
    const addresses = ['127.0.0.1', '10.255.255.1'];
    const resolve: Resolve = async () => [{ address: addresses.shift() ?? '10.255.255.1', family: 4 }];
    const allowPrivate = [`hooks.example:${port}`];
    expect(await send(`http://hooks.example:${port}/`, { resolve, allowPrivate })).toMatchObject({
      failure: undefined,
    });
    expect(requests()).toBe(1);
  });

  it('is sent again where the name could not be resolved', async () => {
    const { port } = await listen((_, res) => void res.end());
    let asked = 0;
    const resolve: Resolve = async () => {
      if (asked++ === 0) throw new Error('EAI_AGAIN');
      return [{ address: '127.0.0.1', family: 4 }];
    };
    const allowPrivate = [`hooks.example:${port}`];
    const sent = await send(`http://hooks.example:${port}/`, { resolve, allowPrivate });
    expect(sent).toEqual({ failure: undefined, status: 200, attempts: 2 });
  });

  it('is not sent again once the webhook is gone, nor once this process ends', async () => {
    const { port, requests } = await listen((_, res) => void res.writeHead(503).end());
    const url = `http://127.0.0.1:${port}/`;
    expect(await send(url, { goesOn: async () => requests() < 2 })).toMatchObject({ failure: 'ended', attempts: 2 });
    const ending = new AbortController();
    const sending = send(url, {
      signal: ending.signal,
      times: { backoffBaseMs: 60_000, backoffCapMs: 60_000 },
      deadlineMs: 600_000,
    });
    await expect.poll(requests).toBe(3);
    ending.abort();
    expect(await sending).toMatchObject({ failure: 'ended' });
    expect(requests()).toBe(3);
  });
});

it('a notice that waits for a place asks whether it may be sent when it has one', async () => {
  const places = new Places({ most: 1, ofPrincipal: 1 });
  const { signal } = new AbortController();
  const giveBack = await places.take('bob', signal);
  const guard = () => createNetworkGuard({ allowPrivate: [] });
  const sender = new Sender({ guard, places, times: TIMES });
  let isHeld = true;
  const sending = sender.send({ url: 'http://127.0.0.1:1/', token: '' }, NOTICE, {
    ...{ principal: 'ada', signal, deadline: Date.now() + 60_000 },
    goesOn: async () => isHeld,
  });
  isHeld = false;
  giveBack?.();
  expect(await sending).toEqual({ failure: 'ended', status: undefined, attempts: 0 });
  expect(await places.take('bob', signal)).toBeDefined();
});

it('a place is given back where it cannot be asked whether a notice may be sent', async () => {
  const places = new Places({ most: 1, ofPrincipal: 1 });
  const { signal } = new AbortController();
  const sender = new Sender({ guard: () => createNetworkGuard({ allowPrivate: [] }), places, times: TIMES });
  const sending = sender.send({ url: 'http://127.0.0.1:1/', token: '' }, NOTICE, {
    ...{ principal: 'ada', signal, deadline: Date.now() + 60_000 },
    goesOn: () => Promise.reject(new Error('The state is away.')),
  });
  await expect(sending).rejects.toThrow(/away/);
  expect(await places.take('bob', signal)).toBeDefined();
});

describe('places for requests to webhooks', () => {
  it('are taken in turns: nobody waits for one who has many to send', async () => {
    const places = new Places({ most: 2, ofPrincipal: 1 });
    const { signal } = new AbortController();
    const first = await places.take('greedy', signal);
    const order: string[] = [];
    const waits = ['greedy', 'greedy', 'ada'].map(async (principal) => {
      const giveBack = await places.take(principal, signal);
      order.push(principal);
      giveBack?.();
    });
    await expect.poll(() => order).toEqual(['ada']);
    first?.();
    await Promise.all(waits);
    expect(order).toEqual(['ada', 'greedy', 'greedy']);
  });

  it('are not held by one who has left', async () => {
    const places = new Places({ most: 1, ofPrincipal: 1 });
    const leaving = new AbortController();
    const first = await places.take('ada', leaving.signal);
    const waits = places.take('bob', leaving.signal);
    leaving.abort();
    expect(await waits).toBeUndefined();
    first?.();
    expect(await places.take('bob', new AbortController().signal)).toBeDefined();
  });
});
