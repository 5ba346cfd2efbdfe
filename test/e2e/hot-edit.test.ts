/** Edits of servers.json while the command runs: only what changed is touched, and a broken edit changes nothing. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { type StdioFixture, stdioFixture } from '../fixtures/mcp/stdio.ts';
import { Clients, type TestClient, textOf } from './clients.ts';
import { type ServedGateway, type Servers, serveGateway } from './gateway.ts';
import { until } from './until.ts';

let v1: HttpFixture;
let v2: HttpFixture;
let child: StdioFixture;
let gateway: ServedGateway;
let client: TestClient;
const clients = new Clients();

/** The servers the file begins with. */
const base = (): Servers => ({ steady: { url: v1.url }, child: entryOf(child) });

function entryOf({ target }: StdioFixture, env: Record<string, string> = {}): Record<string, unknown> {
  return { command: target.command, args: target.args, env: { ...target.env, ...env } };
}

const processOf = async (server: string): Promise<number> =>
  JSON.parse(textOf(await client.call(`${server}__whoami`))).process;

const lists = (tool: string, there = true): Promise<unknown> =>
  until(async () => (await client.tools()).includes(tool) === there, `${tool} to be ${there ? 'there' : 'gone'}`);

beforeAll(async () => {
  [v1, v2] = await Promise.all([startV1Http(), startV2Http()]);
  child = stdioFixture('v1');
  gateway = await serveGateway({ servers: base() });
  client = await clients.connect('v1', { http: gateway.url });
  await lists('child__echo');
  await lists('steady__echo');
});
afterEach(async () => {
  gateway.write(base());
  await lists('added__echo', false);
  await lists('child__echo');
});
afterAll(async () => {
  await clients.close();
  await gateway?.close();
  expect(child?.children()).toEqual([]);
  child?.close();
  await Promise.all([v1?.close(), v2?.close()]);
});

describe('an edit', () => {
  it('adds and removes servers, tells clients, and leaves the others alone', async () => {
    const pid = await processOf('child');
    await client.call('steady__echo', { text: 'a session of its own' });
    const sessions = v1.ledger.count('session:opened');
    const heard = client.heard('notifications/tools/list_changed').length;

    gateway.write({ ...base(), added: { url: v2.url } });
    await lists('added__echo');
    await until(() => client.heard('notifications/tools/list_changed').length > heard, 'a list change');
    expect(textOf(await client.call('added__echo', { text: 'new' }))).toBe('new');

    gateway.write(base());
    await lists('added__echo', false);
    await expect(client.call('added__echo', { text: 'gone' })).rejects.toThrow(/added__echo/);

    expect(await processOf('child')).toBe(pid);
    expect(textOf(await client.call('steady__echo', { text: 'same session' }))).toBe('same session');
    expect(v1.ledger.count('session:opened')).toBe(sessions);
  });

  it('restarts only the server it changed', async () => {
    const pid = await processOf('child');
    const sessions = v1.ledger.count('session:opened');
    gateway.write({ ...base(), child: entryOf(child, { EDITED: 'yes' }) });
    // The names stay while it restarts; only the process is another one.
    await until(async () => {
      const now = await processOf('child').catch(() => pid);
      return now !== pid;
    }, 'another process');
    expect(child.children()).toHaveLength(1);
    expect(v1.ledger.count('session:opened')).toBe(sessions);
  });

  it('does not interrupt a call that runs on a server it did not change', async () => {
    const started = v1.ledger.count('slow:started');
    const slow = client.call('steady__slow', { ms: 1_500 });
    await until(() => v1.ledger.count('slow:started') > started, 'the call to run');
    gateway.write({ ...base(), added: { url: v2.url } });
    await lists('added__echo');
    expect(textOf(await slow)).toBe('done');
  });

  it('with a mistake keeps the running set and logs where and why', async () => {
    const pid = await processOf('child');
    const before = gateway.stderr().length;
    gateway.writeText('{ "mcpServers": { "steady": { "url": "http://127.0.0.1:1/mcp", } , "child": }');
    await until(() => gateway.stderr().slice(before).includes('servers.json:1:'), 'the reason on stderr');
    expect(textOf(await client.call('steady__echo', { text: 'still here' }))).toBe('still here');

    const second = gateway.stderr().length;
    gateway.write({ ...base(), added: { url: v2.url, concurency: 3 } });
    await until(() => gateway.stderr().slice(second).includes('concurrency'), 'the nearest key on stderr');
    expect(await client.tools()).not.toContain('added__echo');
    expect(await processOf('child')).toBe(pid);
  });
});

describe('the command', () => {
  it('ends in order on SIGTERM, its children with it', async () => {
    const own = stdioFixture('v1');
    const other = await serveGateway({ servers: { child: entryOf(own) } });
    try {
      const guest = await clients.connect('v1', { http: other.url });
      await until(async () => (await guest.tools()).includes('child__echo'), 'the child');
      expect(own.children()).toHaveLength(1);
      await guest.close();
      expect(await other.end('SIGTERM')).toBe(0);
      expect(own.children()).toEqual([]);
    } finally {
      await other.close();
      own.close();
    }
  });
});
