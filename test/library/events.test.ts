/** What a program sees of its gateway through `gateway.on` and the diagnostics channels. */
import diagnostics from 'node:diagnostics_channel';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  createGateway,
  type EventMap,
  type EventName,
  type Gateway,
  type GatewayOptions,
  subscribe,
} from '../../src/index.ts';
import { connectClient } from '../e2e/clients.ts';
import { type EverythingServer, startEverything } from '../e2e/upstreams/everything.ts';

const NAMES: EventName[] = [
  ...(['request', 'decision', 'queued', 'left', 'finished', 'concluded', 'upstream'] as const),
  ...(['session', 'ask', 'approval', 'list'] as const),
];

let everything: EverythingServer;
const open: { close(): Promise<void> | void }[] = [];

beforeAll(async () => {
  everything = await startEverything();
});
afterAll(() => everything?.kill());
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function made(options: GatewayOptions = {}): Promise<Gateway> {
  const servers = { everything: { url: everything.url, concurrency: 1 } };
  const gateway = await createGateway({ servers, logLevel: 'silent', port: 0, ...options });
  open.push(gateway);
  await gateway.settled();
  return gateway;
}

type Seen = { [N in EventName]: { name: N; event: EventMap[N] } }[EventName];

/** The reference server asks for roots some time after it has been connected, whatever call runs then. */
const isForRoots = ({ name, event }: Seen): boolean => name === 'ask' && event.method === 'roots/list';

/** Everything the gateway publishes from now on, in order, but what no test has caused. */
function recording(gateway: Gateway): Seen[] {
  const seen: Seen[] = [];
  for (const name of NAMES) {
    const stop = gateway.on(name, (event) => {
      if (!isForRoots({ name, event } as Seen)) seen.push({ name, event } as Seen);
    });
    open.push({ close: stop });
  }
  return seen;
}

/** Those of requests. A server lists something else whenever it likes. */
const ofRequests = (seen: readonly Seen[]): Seen[] => seen.filter(({ event }) => 'call' in event);

const of = <N extends EventName>(seen: readonly Seen[], name: N): EventMap[N][] =>
  seen.filter((one) => one.name === name).map(({ event }) => event as EventMap[N]);

const echo = { name: 'everything__echo', arguments: { message: 'hi' } };

describe('events of one request', () => {
  it('come in order, under one number, with durations in milliseconds', async () => {
    const gateway = await made();
    const seen = recording(gateway);
    await gateway.call('tools/call', echo);
    const own = ofRequests(seen);
    expect(own.map(({ name }) => name)).toEqual(['request', 'decision', 'left', 'concluded', 'finished']);
    const [{ call } = { call: undefined }] = of(seen, 'request');
    expect(call).toBeGreaterThan(0);
    for (const { event } of own) expect(event).toMatchObject({ instance: gateway.instance, call });
    expect(of(seen, 'request')).toMatchObject([{ method: 'tools/call', principal: 'local', era: 'legacy' }]);
    expect(of(seen, 'decision')).toMatchObject([{ effect: 'allow', server: 'everything', name: 'echo' }]);
    expect(of(seen, 'left')).toMatchObject([{ server: 'everything', method: 'tools/call', queueMs: 0 }]);
    expect(of(seen, 'concluded')).toMatchObject([{ verdict: 'allow', outcome: 'ok', arguments: { message: 'hi' } }]);
    const [finished] = of(seen, 'finished');
    expect(finished).toMatchObject({ method: 'tools/call', server: 'everything', error: undefined });
    expect(finished?.durationMs).toBeGreaterThan(0);
  });

  it('say who decided against it, and that it never left', async () => {
    const gateway = await made({
      policy: { version: '1', default: 'allow', tools: { everything__echo: { action: 'deny', reason: 'No.' } } },
    });
    const seen = recording(gateway);
    await gateway.call('tools/call', echo);
    expect(ofRequests(seen).map(({ name }) => name)).toEqual(['request', 'decision', 'concluded', 'finished']);
    const rule = '/tools/everything__echo/action';
    expect(of(seen, 'decision')).toMatchObject([{ effect: 'deny', policy: 'gateway', rule }]);
    expect(of(seen, 'concluded')).toMatchObject([{ verdict: 'deny', outcome: 'denied', errorCode: 'SWB_DENIED' }]);
    expect(of(seen, 'finished')).toMatchObject([{ server: undefined, error: { code: 'SWB_DENIED' } }]);
  });

  it('report waiting for a place', async () => {
    const gateway = await made();
    const seen = recording(gateway);
    await Promise.all([gateway.call('tools/call', echo), gateway.call('tools/call', echo)]);
    const [first, second] = of(seen, 'request').map(({ call }) => call);
    expect(of(seen, 'queued')).toMatchObject([{ call: second, server: 'everything', waiting: 1 }]);
    const waits = of(seen, 'left').map(({ call, queueMs }) => [call, queueMs > 0]);
    expect(waits).toEqual([
      [first, false],
      [second, true],
    ]);
  });

  it('report what a server asks of the client, of a suspended call too', async () => {
    const gateway = await made();
    const { url } = await gateway.listen();
    const seen = recording(gateway);
    for (const kind of ['v1', 'v2-modern'] as const) {
      const elicit = () => ({ action: 'decline' });
      const client = await connectClient(kind, { http: url }, { elicit });
      await client.call('everything__trigger-elicitation-request');
      await client.close();
    }
    const asks = of(seen, 'ask');
    expect(asks).toMatchObject(Array(2).fill({ server: 'everything', method: 'elicitation/create' }));
    for (const { call } of asks) expect(of(seen, 'left').some((left) => left.call === call)).toBe(true);
  });
});

describe('events of the gateway', () => {
  it('report sessions, without their ids', async () => {
    const gateway = await made();
    const { url } = await gateway.listen();
    const seen = recording(gateway);
    const client = await connectClient('v1', { http: url });
    await client.close();
    await gateway.close();
    const [begun, ended] = of(seen, 'session');
    expect(begun).toMatchObject({ state: 'opened', principal: 'local', protocolVersion: '2025-11-25' });
    expect(ended).toMatchObject({ state: 'closed', session: begun?.session });
  });

  it('report states and lists of servers', async () => {
    const states: unknown[] = [];
    const lists: unknown[] = [];
    const stops = [
      subscribe('upstream', ({ server, state }) => states.push([server, state])),
      subscribe('list', ({ server, list }) => lists.push([server, list])),
    ];
    for (const stop of stops) open.push({ close: stop });
    const gateway = await made();
    expect(states).toContainEqual(['everything', 'ready']);
    await expect.poll(() => lists).toContainEqual(['everything', 'tools']);
    await gateway.reload({ servers: {} });
    expect(states.at(-1)).toEqual(['everything', 'stopped']);
  });

  it('report an approval from request to use', async () => {
    const gateway = await made({
      policy: { version: '1', default: 'allow', tools: { everything__echo: { action: 'require_approval' } } },
    });
    const seen = recording(gateway);
    await gateway.call('tools/call', echo);
    expect(of(seen, 'decision')).toMatchObject([{ effect: 'approve' }]);
    expect(of(seen, 'approval')).toMatchObject([{ state: 'pending', name: 'echo', server: 'everything' }]);
  });

  it('reach the listeners of their own gateway, and every subscriber of the channel', async () => {
    const [one, other] = [await made(), await made()];
    const seen = [recording(one), recording(other)];
    const all: string[] = [];
    const receive = (event: unknown): void => void all.push((event as { instance: string }).instance);
    diagnostics.subscribe('switchboard:finished', receive);
    open.push({ close: () => void diagnostics.unsubscribe('switchboard:finished', receive) });
    await one.call('tools/call', echo);
    await other.call('ping');
    expect(seen.map((events) => of(events, 'finished').map(({ method }) => method))).toEqual([
      ['tools/call'],
      ['ping'],
    ]);
    expect(all).toEqual([one.instance, other.instance]);
  });

  it('are not published to a listener that has stopped', async () => {
    const gateway = await made();
    const methods: string[] = [];
    const stop = gateway.on('finished', ({ method }) => methods.push(method));
    await gateway.call('ping');
    stop();
    await gateway.call('ping');
    expect(methods).toEqual(['ping']);
  });
});
