/** What limits count: whose, which tools together, how much, and in which window. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClientKind, Clients, type TestClient } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { denialOf, edit, type Json } from './gateway.ts';
import { grant } from './grants.ts';

const NOW = Date.UTC(2026, 10, 20, 12, 0, 17, 250);
const wide = { policy: { version: '1', default: 'allow' } };
const grants = { ada: grant(wide), bob: grant(wide) };

let v1: HttpFixture;
let v2: HttpFixture;
let gateway: OwnGateway;
let day = 0;
const clients = new Clients();

const section = (more: Json = {}): Json => ({
  grants: Object.fromEntries(Object.entries(grants).map(([name, { entry }]) => [name, entry])),
  ...more,
});

/** Both servers have this document; another day begins, so that nothing is counted yet. */
async function limited(policy: Json, more: Json = {}): Promise<void> {
  vi.setSystemTime(NOW + ++day * 86_400_000);
  const document = { version: '1', default: 'allow', ...policy };
  await edit(gateway, { v1: { url: v1.url, policy: document }, v2: { url: v2.url, policy: document } }, section(more));
}

beforeAll(async () => {
  // Before the gateway is made: it keeps the clock it finds. Only the date stands still, no timer does.
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
  [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  gateway = await startReadyGateway({ servers: { v1: { url: v1.url }, v2: { url: v2.url } }, gateway: section() });
});
afterEach(() => clients.close());
afterAll(async () => {
  vi.useRealTimers();
  await gateway?.close();
  await Promise.all([v1?.close(), v2?.close()]);
});

const as = (name: keyof typeof grants, kind: ClientKind = 'v1'): Promise<TestClient> =>
  clients.connect(kind, { http: gateway.url, headers: grants[name].headers });

/** Whether the call was let through. */
const passes = async (client: TestClient, name: string, args: Json = { text: 'x' }): Promise<boolean> => {
  const denial = denialOf(await client.call(name, args));
  if (denial) expect(denial.code).toBe('SWB_RATE_LIMITED');
  return denial === undefined;
};

const once = (more: Json = {}): Json => ({ limits: [{ counter: 'c', window: 'minute', max: 1, ...more }] });

describe('the scope of a limit', () => {
  it('grant: each has its own, however many sessions and at whichever endpoint', async () => {
    await limited({ tools: { echo: once() } });
    const ada = await as('ada');
    expect([await passes(ada, 'v1__echo'), await passes(ada, 'v1__echo')]).toEqual([true, false]);
    expect(await passes(await as('ada', 'v2-modern'), 'v1__echo')).toBe(false);
    const own = await clients.connect('v2-legacy', {
      http: gateway.at('/servers/v1/mcp'),
      headers: grants.ada.headers,
    });
    expect(await passes(own, 'echo')).toBe(false);
    expect(await passes(await as('bob'), 'v1__echo')).toBe(true);
    expect(await passes(ada, 'v2__echo')).toBe(true);
  });

  it('session: each has its own', async () => {
    await limited({ tools: { echo: once({ scope: 'session' }) } });
    const [one, other] = [await as('ada'), await as('ada', 'v2-legacy')];
    expect([await passes(one, 'v1__echo'), await passes(one, 'v1__echo')]).toEqual([true, false]);
    expect(await passes(other, 'v1__echo')).toBe(true);
  });

  it('server: all who call it share one, and another server has another', async () => {
    await limited({ tools: { echo: once({ scope: 'server' }) } });
    const [ada, bob] = [await as('ada'), await as('bob', 'v2-modern')];
    expect([await passes(ada, 'v1__echo'), await passes(bob, 'v1__echo')]).toEqual([true, false]);
    expect(await passes(bob, 'v2__echo')).toBe(true);
  });

  it('global: one for all servers and callers', async () => {
    await limited({ tools: { echo: once({ scope: 'global' }) } });
    const [ada, bob] = [await as('ada'), await as('bob', 'v2-modern')];
    expect([await passes(ada, 'v1__echo'), await passes(bob, 'v2__echo')]).toEqual([true, false]);
  });
});

describe('what is counted', () => {
  it('tools that share a counter share the count', async () => {
    await limited({ tools: { echo: once({ max: 2 }), fail: once({ max: 2 }) } });
    const ada = await as('ada');
    const passed = [];
    for (const name of ['v1__echo', 'v1__fail', 'v1__echo', 'v1__fail']) passed.push(await passes(ada, name));
    expect(passed).toEqual([true, true, false, false]);
  });

  it('all_tools counts every tool of the server, and nothing else', async () => {
    await limited({ all_tools: once({ max: 2 }) });
    const ada = await as('ada', 'v2-modern');
    await ada.request('prompts/get', { name: 'v1__greet', arguments: { name: 'x' } });
    await ada.tools();
    expect([await passes(ada, 'v1__echo'), await passes(ada, 'v1__touch', {})]).toEqual([true, true]);
    expect(await passes(ada, 'v1__fail', {})).toBe(false);
  });

  it('increment_from adds the value of an argument, and what cannot be counted is denied', async () => {
    await limited({
      tools: { add: { limits: [{ counter: 'sum', window: 'minute', max: 10, increment_from: 'args.a' }] } },
    });
    const ada = await as('ada');
    const add = (a: number) => passes(ada, 'v1__add', { a, b: 0 });
    expect([await add(6), await add(5), await add(4), await add(0), await add(0.5)]).toEqual([
      true,
      false,
      true,
      true,
      false,
    ]);
    const tooMuch = denialOf(await ada.call('v1__add', { a: 11, b: 0 }));
    expect(tooMuch).toMatchObject({ code: 'SWB_RATE_LIMITED' });
    expect(tooMuch).not.toHaveProperty('retryAfterMs');
    const negative = denialOf(await ada.call('v1__add', { a: -5, b: 0 }));
    expect(negative).toMatchObject({ code: 'SWB_DENIED', rule: '/tools/add/limits/sum' });
    expect(await add(1)).toBe(false);
  });

  it('all documents count, and one that has no room takes nothing from the others', async () => {
    const policy = { version: '1', default: 'allow', tools: { v1__echo: once({ counter: 'g', max: 1 }) } };
    await limited(
      { tools: { echo: once({ max: 2, counter: 's' }), fail: once({ max: 2, counter: 's' }) } },
      { policy },
    );
    const ada = await as('ada');
    expect([await passes(ada, 'v1__echo'), await passes(ada, 'v1__echo')]).toEqual([true, false]);
    // The server's own count has one left.
    expect([await passes(ada, 'v1__fail'), await passes(ada, 'v1__fail')]).toEqual([true, false]);
  });

  it('prompts and resources have limits too, told as errors with the time to come back', async () => {
    await limited({ prompts: { greet: once() }, resources: { 'fixture://notes/{id}': once({ counter: 'notes' }) } });
    for (const [server, kind] of [
      ['v1', 'v1'],
      ['v2', 'v2-modern'],
    ] as const) {
      const ada = await as('ada', kind);
      const get = () => ada.request('prompts/get', { name: `${server}__greet`, arguments: { name: 'x' } });
      const read = (id: number) => ada.request('resources/read', { uri: `${server}+fixture://notes/${id}` });
      await get();
      await read(1);
      const limit = { data: { code: 'SWB_RATE_LIMITED', retryAfterMs: 42_750, resetsAt: Date.now() + 42_750 } };
      await expect(get()).rejects.toMatchObject(limit);
      // Every expansion of a template is what its rule is about.
      await expect(read(2)).rejects.toMatchObject(limit);
    }
  });
});

describe('the window', () => {
  it.each([
    ['second', 750],
    ['minute', 42_750],
    ['hour', 59 * 60_000 + 42_750],
    ['day', undefined],
  ] as const)('a %s begins at a full unit of UTC', async (window, left) => {
    await limited({ tools: { echo: once({ window, counter: window }) } });
    const ada = await as('ada');
    const midnight = Math.ceil(Date.now() / 86_400_000) * 86_400_000;
    const retryAfterMs = left ?? midnight - Date.now();
    expect(await passes(ada, 'v1__echo')).toBe(true);
    const denial = denialOf(await ada.call('v1__echo', { text: 'x' }));
    expect(denial).toMatchObject({ retryAfterMs, resetsAt: Date.now() + retryAfterMs });
    vi.setSystemTime(Date.now() + retryAfterMs - 1);
    expect(await passes(ada, 'v1__echo')).toBe(false);
    vi.setSystemTime(Date.now() + 1);
    expect(await passes(ada, 'v1__echo')).toBe(true);
  });

  it('slides with sliding: true', async () => {
    await limited({ tools: { echo: once({ sliding: true, max: 2 }) } });
    const ada = await as('ada');
    expect(await passes(ada, 'v1__echo')).toBe(true);
    vi.setSystemTime(Date.now() + 50_000);
    expect([await passes(ada, 'v1__echo'), await passes(ada, 'v1__echo')]).toEqual([true, false]);
    vi.setSystemTime(Date.now() + 11_000);
    expect([await passes(ada, 'v1__echo'), await passes(ada, 'v1__echo')]).toEqual([true, false]);
  });
});
