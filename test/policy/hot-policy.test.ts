/** A policy edited while clients are connected: they hear of it, calls obey it at once, counts go on. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, type TestClient, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startGateway, startReadyGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { denialOf, edit, type Json } from './gateway.ts';
import { grant } from './grants.ts';

const KINDS: readonly ClientKind[] = ['v1', 'v2-legacy', 'v2-modern'];
const CHANGED = 'notifications/tools/list_changed';
const UPDATED = 'notifications/resources/updated';
const reader = grant({ policy: { version: '1', default: 'allow' } });
const open: Json = { version: '1', default: 'allow' };
const closed: Json = { version: '1', default: 'deny', tools: { add: {} } };

let v1: HttpFixture;
let gateway: OwnGateway;
const clients = new Clients();

/** With grants or without any policy. */
const apply = (policy: Json | undefined, section: Json = { grants: { reader: reader.entry } }) =>
  edit(gateway, { v1: { url: v1.url, ...(policy ? { policy } : {}) } }, section);

beforeAll(async () => {
  v1 = await startV1Http();
  gateway = await startReadyGateway({ servers: { v1: { url: v1.url } } });
});
afterEach(async () => {
  await clients.close();
  await apply(open);
});
afterAll(async () => {
  await gateway?.close();
  await v1?.close();
});

const heard = (client: TestClient, what: string, before: number): Promise<unknown> =>
  until(() => client.heard(what).length > before, what);

describe.each(KINDS)('a %s client', (kind) => {
  it('is notified of a changed list, and its calls obey the new policy', async () => {
    await apply(open);
    const client = await clients.connect(kind, { http: gateway.url, headers: reader.headers });
    await client.listen();
    expect(await client.tools()).toContain('v1__echo');
    await apply(closed);
    await heard(client, CHANGED, 0);
    expect(await client.tools()).not.toContain('v1__echo');
    expect(denialOf(await client.call('v1__echo', { text: 'x' }))).toMatchObject({ rule: '(default deny)' });
    const before = client.heard(CHANGED).length;
    await apply(open);
    await heard(client, CHANGED, before);
    expect(textOf(await client.call('v1__echo', { text: 'again' }))).toBe('again');
  });

  it('gets no more updates of a resource that was denied', async () => {
    await apply(open);
    const client = await clients.connect(kind, { http: gateway.url, headers: reader.headers });
    await client.listen(['v1+fixture://counter']);
    // The server is subscribed to when it has answered that.
    const touchedUntilHeard = () =>
      until(() => {
        const before = client.heard(UPDATED).length;
        v1.world.touch();
        return until(() => client.heard(UPDATED).length > before, 'an update', 300).catch(() => false);
      }, 'an update');
    await touchedUntilHeard();
    await apply({ ...open, resources: { 'fixture://counter': { action: 'deny' } } });
    // A change of something else comes on the same stream, after what came before it.
    const another = async () => {
      const changes = client.heard(CHANGED).length;
      v1.world.addTool();
      await heard(client, CHANGED, changes);
    };
    await another();
    const before = client.heard(UPDATED).length;
    v1.world.touch();
    await another();
    expect(client.heard(UPDATED)).toHaveLength(before);
    await apply(open);
    await touchedUntilHeard();
  });
});

describe('the local user', () => {
  let own: OwnGateway;
  const applyLocal = (policy: Json | undefined, section: Json = {}) =>
    edit(own, { v1: { url: v1.url, ...(policy ? { policy } : {}) } }, section);

  beforeAll(async () => {
    own = await startReadyGateway({ servers: { v1: { url: v1.url } } });
  });
  afterEach(() => applyLocal(undefined));
  afterAll(() => own?.close());

  it.each(KINDS)('is notified of the first policy, with a %s client', async (kind) => {
    await applyLocal(undefined);
    const client = await clients.connect(kind, { http: own.url });
    await client.listen();
    expect(await client.tools()).toContain('v1__echo');
    await applyLocal(closed);
    // The stream of a modern client ends, or says so: either way it asks again.
    if (kind !== 'v2-modern') await heard(client, CHANGED, 0);
    expect(await client.tools()).not.toContain('v1__echo');
  });

  it('a broken edit keeps the old policy as a whole', async () => {
    await applyLocal(closed);
    const client = await clients.connect('v2-modern', { http: own.url });
    await expect(applyLocal({ ...open, tools: { echo: { requires: [] } } })).rejects.toThrow(/requires/);
    await expect(applyLocal(open, { hooks: [{ module: 'nowhere.ts' }] })).rejects.toThrow(/nowhere\.ts|module/);
    await expect(applyLocal(open, { lock: 'deny' })).rejects.toThrow(/switchboard\.lock\.json/);
    expect(denialOf(await client.call('v1__echo', { text: 'x' }))).toMatchObject({ rule: '(default deny)' });
  });

  const limited = (max: number): Json => ({
    ...open,
    tools: { echo: { limits: [{ counter: 'echoes', window: 'day', max, scope: 'server' }] } },
  });
  const rule = async (client: TestClient) => denialOf(await client.call('v1__echo', { text: 'x' }))?.code;

  it('has counts that continue after an edit, and after a restart on the same state', async () => {
    await applyLocal(limited(2));
    const client = await clients.connect('v1', { http: own.url });
    expect([await rule(client), await rule(client), await rule(client)]).toEqual([
      undefined,
      undefined,
      'SWB_RATE_LIMITED',
    ]);
    await applyLocal(limited(3));
    expect([await rule(client), await rule(client)]).toEqual([undefined, 'SWB_RATE_LIMITED']);
    await clients.close();

    const { folder } = own;
    await own.stop();
    own = await startGateway({ folder });
    await own.reaches('v1', 'ready');
    const again = await clients.connect('v1', { http: own.url });
    expect(await rule(again)).toBe('SWB_RATE_LIMITED');
  });
});
