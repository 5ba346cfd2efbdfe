/**
 * Requests in the first moments, while servers still connect: clients list tools right after they have started the
 * gateway, and some of them never list again (LangChain and Google ADK had 6 tools of 30 for good).
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MastraFixture } from '../fixtures/mastra.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { borrowMastra } from '../fixtures/shared.ts';
import { type ClientKind, Clients, type ToolResult, textOf } from './clients.ts';
import { type Gated, gated } from './gated.ts';
import { gatewayFolder, type OwnGateway, startGateway, stdioCommand } from './gateway.ts';
import { modernRequest, type RawReply, send } from './raw.ts';
import { until } from './until.ts';

const LONG = { httpMs: 60_000, stdioMs: 60_000 };

let one: HttpFixture;
let two: HttpFixture;
let gate: Gated;
let gateway: OwnGateway | undefined;
const clients = new Clients();

beforeAll(async () => {
  [one, two] = await Promise.all([startV1Http(), startV2Http('modern')]);
});
afterEach(async () => {
  await clients.close();
  await gateway?.close();
  await gate?.close();
});
afterAll(() => Promise.all([one?.close(), two?.close()]));

/** `ready` is connected, `slow` waits at the gate. */
async function start(firstList: object, slow = two): Promise<OwnGateway> {
  gate = await gated(slow.url);
  const servers = { ready: { url: one.url, kind: 'mcp' }, slow: { url: gate.url, kind: 'mcp' } };
  gateway = await startGateway({ servers, gateway: { firstList } });
  await gateway.reaches('ready', 'ready');
  await until(() => gate.waiting() > 0, 'the gateway to connect');
  return gateway;
}

const ask = (at: string | URL, method: string, params: Record<string, unknown> = {}): Promise<RawReply['message']> =>
  send(at, modernRequest(method, params)).then(({ message }) => message);

const call = (at: string | URL, name: string, args: object = {}) => ask(at, 'tools/call', { name, arguments: args });

const names = ({ result }: RawReply['message']): string[] =>
  ((result?.tools ?? []) as { name: string }[]).map((tool) => tool.name);

/** Resolves with 'waits' when it is not over once another request has been answered after it. */
async function state(request: Promise<unknown>, at: string): Promise<'over' | 'waits'> {
  await call(at, 'ready__echo', { text: 'x' });
  return Promise.race([request.then(() => 'over' as const), Promise.resolve('waits' as const)]);
}

describe('a list in the first moments', () => {
  it('waits over HTTP until every server of its view is ready', async () => {
    const { url, at } = await start(LONG);
    const lists = [url, at('/servers/slow/mcp')].map((address) => ask(address, 'tools/list'));
    expect(await state(Promise.race(lists), url)).toBe('waits');
    // A server's own endpoint waits for that server alone.
    expect(names(await ask(at('/servers/ready/mcp'), 'tools/list'))).toContain('echo');
    gate.open();
    const [merged, own] = await Promise.all(lists);
    expect(names(merged as RawReply['message'])).toEqual(expect.arrayContaining(['ready__echo', 'slow__echo']));
    expect(names(own as RawReply['message'])).toContain('echo');
  });

  it.each<ClientKind>(['v1', 'v2-legacy', 'v2-modern'])(
    'waits for a %s client that starts the gateway on stdio',
    async (kind) => {
      gate = await gated(two.url);
      const folder = gatewayFolder({
        servers: { ready: { url: one.url, kind: 'mcp' }, slow: { url: gate.url, kind: 'mcp' } },
      });
      try {
        const client = await clients.connect(kind, { stdio: stdioCommand(folder) });
        const listing = client.tools();
        const echo = client.call('slow__echo', { text: 'first' });
        await until(() => gate.waiting() > 0, 'the gateway to connect');
        gate.open();
        expect(await listing).toEqual(expect.arrayContaining(['listServers', 'ready__echo', 'slow__echo']));
        expect(textOf(await echo)).toContain('first');
      } finally {
        await clients.close();
        folder.remove();
      }
    },
  );

  it('is answered without a server that does not answer in time, is not fresh then, and is once all is known', async () => {
    const { url, reaches } = await start({ httpMs: 1_500, stdioMs: 1_500 }, one);
    const listed = await ask(url, 'tools/list');
    expect(names(listed)).toContain('ready__echo');
    expect(names(listed)).not.toContain('slow__echo');
    expect(listed.result?.ttlMs).toBe(0);
    // No request waits twice for the same server.
    const started = performance.now();
    expect((await ask(url, 'tools/list')).result?.ttlMs).toBe(0);
    expect(performance.now() - started).toBeLessThan(1_000);
    gate.open();
    await reaches('slow', 'ready');
    const later = await ask(url, 'tools/list');
    expect(names(later)).toContain('slow__echo');
    expect(later.result?.ttlMs).toBeGreaterThan(0);
  });

  it('does not wait for a server that has failed, that is disabled, or where waiting is switched off', async () => {
    const refusing = await startV1Http();
    await refusing.close();
    const servers = {
      ready: { url: one.url, kind: 'mcp' },
      dead: { url: refusing.url, kind: 'mcp' },
      off: { url: one.url, disabled: true },
    };
    gateway = await startGateway({ servers, gateway: { firstList: LONG } });
    expect(names(await ask(gateway.url, 'tools/list'))).toContain('ready__echo');
    expect(gateway.status('dead').state).toBe('degraded');
    await gateway.close();
    const { url } = await start({ httpMs: 0, stdioMs: 0 });
    expect((await ask(url, 'tools/list')).result?.ttlMs).toBe(0);
    expect((await call(url, 'slow__echo')).error?.data).toMatchObject({ reason: 'it is still connecting' });
  });

  it('ends with the gateway', async () => {
    const { url, stop } = await start(LONG);
    const list = ask(url, 'tools/list');
    const calling = call(url, 'slow__echo', { text: 'x' });
    expect(await state(Promise.race([list, calling]), url)).toBe('waits');
    await stop();
    for (const { error } of await Promise.all([list, calling]))
      expect(error?.data).toMatchObject({ code: 'SWB_SHUTTING_DOWN' });
  });

  it('ends with its client, and the call does not reach the server afterwards', async () => {
    const { url, reaches } = await start(LONG);
    const client = await clients.connect('v1', { http: url });
    const before = two.ledger.count('slow:started');
    const abort = new AbortController();
    const calling = client.call('slow__slow', {}, { signal: abort.signal });
    expect(await state(calling, url)).toBe('waits');
    abort.abort();
    await expect(calling).rejects.toThrow();
    gate.open();
    await reaches('slow', 'ready');
    expect(textOf((await call(url, 'slow__echo', { text: 'y' })).result as unknown as ToolResult)).toBe('y');
    expect(two.ledger.count('slow:started')).toBe(before);
  });
});

describe('a request that names a server which connects for the first time', () => {
  it('waits for it, even when lists no longer do, and others do not', async () => {
    const { url } = await start({ httpMs: 0, stdioMs: 60_000 });
    const waiting = [
      call(url, 'slow__echo', { text: 'x' }),
      ask(url, 'prompts/get', { name: 'slow__greet', arguments: { name: 'Ada' } }),
      ask(url, 'resources/read', { uri: 'slow+fixture://notes/1' }),
    ];
    expect(await state(Promise.race(waiting), url)).toBe('waits');
    expect((await call(url, 'nothing__echo')).error?.data).toMatchObject({ code: 'SWB_UNKNOWN_TOOL' });
    gate.open();
    for (const { result, error } of await Promise.all(waiting)) expect(result ?? error).toHaveProperty('resultType');
  });
});

describe('agents of a server that connects for the first time', () => {
  let mastra: MastraFixture;
  beforeAll(async () => {
    mastra = await borrowMastra();
  });
  afterAll(() => mastra?.stop());

  it('are waited for by listAgents, describeAgent and callAgent', async () => {
    gate = await gated(mastra.url);
    const servers = { ready: { url: one.url, kind: 'mcp' }, agents: { url: gate.url, kind: 'mastra' } };
    gateway = await startGateway({ servers, gateway: { firstList: LONG } });
    const { url } = gateway;
    await gateway.reaches('ready', 'ready');
    const waiting = [
      call(url, 'listAgents'),
      call(url, 'listAgents', { server: 'agents' }),
      call(url, 'describeAgent', { agent: 'agents/echo' }),
      call(url, 'callAgent', { agent: 'agents/echo', message: 'hello' }),
      call(url, 'callAgent', { agent: 'echo', message: 'hello' }),
    ];
    expect(await state(Promise.race(waiting), url)).toBe('waits');
    expect((await call(url, 'listAgents', { server: 'ready' })).result?.structuredContent).toMatchObject({
      agents: [],
    });
    // The state of servers is what listServers is for: it says so at once.
    const listed = (await call(url, 'listServers')).result as unknown as ToolResult;
    expect(textOf(listed)).toContain('2 servers, 1 ready, 1 still connecting for the first time.');
    gate.open();
    for (const { result } of await Promise.all(waiting)) {
      expect(result).not.toHaveProperty('isError', true);
      expect(JSON.stringify(result?.structuredContent)).toContain('agents/echo');
    }
  });
});
