/** Servers that come and go at run time, with notifications to every connected client. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { Clients, type TestClient, textOf } from './clients.ts';
import { FIXTURES_ALLOWED, type OwnGateway, startGateway, startReadyGateway, stdioCommand } from './gateway.ts';
import { expectNoLeak } from './leaks.ts';
import { until } from './until.ts';

const CHANGED = 'notifications/tools/list_changed';

let first: HttpFixture;
let guest: HttpFixture;
const clients = new Clients();

beforeAll(async () => {
  [first, guest] = await Promise.all([startV1Http(), startV2Http()]);
});
afterEach(() => clients.close());
afterAll(() => Promise.all([first?.close(), guest?.close()]));

/** Resolves when the client has received more than `before` notifications of changes. */
const hears = (client: TestClient, before: number): Promise<unknown> =>
  until(() => client.heard(CHANGED).length > before, 'a list change');

describe('a server connected at run time', () => {
  let gateway: OwnGateway;

  beforeAll(async () => {
    gateway = await startReadyGateway({ servers: { first: { url: first.url } }, gateway: FIXTURES_ALLOWED });
  });
  afterAll(() => gateway?.close());

  it('joins, is used and leaves, and clients of both eras are notified', async () => {
    const watchers: Record<string, TestClient> = {
      'a legacy session': await clients.connect('v1', { http: gateway.url }),
      'an old SSE client': await clients.connect('v1', { sse: gateway.at('/sse') }),
      'a modern listener': await clients.connect('v2-modern', { http: gateway.url }),
      'a legacy client of SDK v2': await clients.connect('v2-legacy', { http: gateway.url }),
    };
    for (const [who, client] of Object.entries(watchers)) {
      expect(client.capabilities, who).toMatchObject({ tools: { listChanged: true } });
      await client.listen();
    }
    const actor = await clients.connect('v2-auto', { http: gateway.url });

    const connected = await actor.call('connectServer', { url: guest.url, name: 'guest' });
    expect(connected.structuredContent).toMatchObject({
      name: 'guest',
      status: 'connected',
      kind: 'mcp',
      state: 'ready',
    });
    expectNoLeak(connected);
    for (const [who, client] of Object.entries(watchers)) {
      await hears(client, 0);
      expect(await client.tools(), who).toContain('guest__echo');
      expect(textOf(await client.call('guest__echo', { text: who }))).toBe(who);
    }

    const before = Object.values(watchers).map((client) => client.heard(CHANGED).length);
    const again = await actor.call('connectServer', { url: guest.url });
    expect(again.structuredContent).toMatchObject({ name: 'guest', status: 'already-connected' });
    const gone = await actor.call('disconnectServer', { name: 'guest' });
    expect(gone.isError).not.toBe(true);
    for (const [index, [who, client]] of Object.entries(watchers).entries()) {
      await hears(client, before[index] ?? 0);
      expect(await client.tools(), who).not.toContain('guest__echo');
      await expect(client.call('guest__echo', { text: 'gone' }), who).rejects.toThrow(/guest__echo/);
    }
    expect(guest.sessions()).toBe(0);
  });

  it('is announced to clients on stdio too', async () => {
    const folder = await startGateway({ servers: { first: { url: first.url } }, gateway: FIXTURES_ALLOWED });
    // Only its folder is needed: the client starts the gateway.
    await folder.stop();
    try {
      for (const kind of ['v1', 'v2-modern'] as const) {
        const client = await clients.connect(kind, { stdio: stdioCommand(folder) });
        await client.listen();
        await until(async () => (await client.tools()).includes('first__echo'), 'the first server');
        const before = client.heard(CHANGED).length;
        await client.call('connectServer', { url: guest.url, name: 'guest' });
        await hears(client, before);
        expect(textOf(await client.call('guest__echo', { text: 'over a pipe' }))).toBe('over a pipe');
        await client.call('disconnectServer', { name: 'guest' });
        await until(async () => !(await client.tools()).includes('guest__echo'), 'the guest to leave');
        await client.close();
      }
    } finally {
      await folder.close();
    }
  });

  it('cannot take the place of a configured one, nor can that be disconnected', async () => {
    const client = await clients.connect('v2-modern', { http: gateway.url });
    const taken = await client.call('connectServer', { url: guest.url, name: 'first' });
    expect(taken.isError).toBe(true);
    expect(textOf(taken)).toMatch(/'first' belongs to another server/);
    const kept = await client.call('disconnectServer', { name: 'first' });
    expect(kept.isError).toBe(true);
    expect(textOf(kept)).toMatch(/configur/);
    expect(textOf(await client.call('first__echo', { text: 'still here' }))).toBe('still here');
  });
});

describe('connectServer', () => {
  it('connects to private addresses only if configured, never to metadata addresses, and starts no command', async () => {
    const gateway = await startGateway();
    try {
      const client = await clients.connect('v1', { http: gateway.url });
      for (const url of [
        guest.url,
        guest.url.replace('127.0.0.1', 'localhost'),
        guest.url.replace('127.0.0.1', '[::ffff:127.0.0.1]'),
        guest.url.replace('127.0.0.1', '0x7f000001'),
        'http://169.254.169.254/latest/meta-data',
        'file:///etc/passwd',
        'stdio:node',
      ]) {
        const refused = await client.call('connectServer', { url });
        expect(refused.isError, url).toBe(true);
        expect(textOf(refused), url).not.toMatch(/refused the connection|not reachable/);
      }
      const unknown = await client.call('connectServer', { url: 'http://example.invalid', command: 'node' });
      expect(unknown.isError).toBe(true);
      expect(textOf(unknown)).toContain('command');
      expect((await client.tools()).filter((name) => name.includes('__'))).toEqual([]);
      expect(guest.sessions()).toBe(0);
    } finally {
      await gateway.close();
    }
  });

  it('refuses the metadata address even where private ones are allowed', async () => {
    const gateway = await startGateway({ gateway: { connect: { allowPrivate: ['*'] } } });
    try {
      const client = await clients.connect('v2-modern', { http: gateway.url });
      const refused = await client.call('connectServer', { url: 'http://169.254.169.254/mcp' });
      expect(refused.isError).toBe(true);
      expect(JSON.stringify(refused.structuredContent ?? refused._meta ?? {}) + textOf(refused)).toMatch(
        /link-local|metadata|refused/i,
      );
    } finally {
      await gateway.close();
    }
  });
});

describe('a restart', () => {
  it('keeps servers connected at run time, and forgets those that were disconnected', async () => {
    const settings = { servers: { first: { url: first.url } }, gateway: FIXTURES_ALLOWED };
    const before = await startReadyGateway(settings);
    const client = await clients.connect('v2-modern', { http: before.url });
    const connected = await client.call('connectServer', {
      url: guest.url,
      name: 'guest',
      headers: { 'x-key': 'hush-hush' },
    });
    expect(connected.structuredContent).toMatchObject({ survivesRestart: true });
    expect(before.log()).not.toContain('hush-hush');
    await clients.close();
    await before.stop();

    const after = await startGateway({ ...settings, folder: before.folder });
    const secondClient = await clients.connect('v1', { http: after.url });
    await after.reaches('guest', 'ready');
    const who = await secondClient.call('guest__whoami');
    expect(textOf(who)).toContain('hush-hush');
    await secondClient.call('disconnectServer', { name: 'guest' });
    await clients.close();
    await after.stop();

    const last = await startGateway({ ...settings, folder: before.folder });
    try {
      await last.reaches('first', 'ready');
      const thirdClient = await clients.connect('v1', { http: last.url });
      expect(await thirdClient.tools()).not.toContain('guest__echo');
    } finally {
      await clients.close();
      await last.close();
    }
  });
});
