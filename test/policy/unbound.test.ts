/** Nothing is configured: the server judges arguments, and a policy that comes later binds at once. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { auditLines, denialOf, edit } from './gateway.ts';

const KINDS: readonly ClientKind[] = ['v1', 'v2-legacy', 'v2-modern'];

let legacy: HttpFixture;
let modern: HttpFixture;
let gateway: OwnGateway;
const clients = new Clients();

const servers = (policy?: object) =>
  Object.fromEntries(
    Object.entries({ legacy, modern }).map(([name, { url }]) => [name, { url, ...(policy ? { policy } : {}) }]),
  );

beforeAll(async () => {
  legacy = await startV1Http();
  modern = await startV2Http('modern');
  gateway = await startReadyGateway({ servers: servers() });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all([legacy?.close(), modern?.close()]);
});

describe.each(KINDS.flatMap((kind) => (['legacy', 'modern'] as const).map((server) => [kind, server] as const)))(
  'a %s client of a %s server without any policy',
  (kind, server) => {
    it('gets the argument errors of the server and results, and leaves no audit', async () => {
      const client = await clients.connect(kind, { http: gateway.url });
      const invalid = await client.call(`${server}__add`, { a: 'one', b: 2 });
      expect(invalid.isError).toBe(true);
      expect(denialOf(invalid)).toBeUndefined();
      expect(textOf(invalid)).toMatch(/Invalid arguments for tool add/);
      expect(textOf(await client.call(`${server}__add`, { a: 1, b: 2 }))).toContain('3');
      expect(auditLines(gateway)).toEqual([]);
    });

    it('is bound by a policy added while it is connected, and free again afterwards', async () => {
      const client = await clients.connect(kind, { http: gateway.url });
      const add = async () => denialOf(await client.call(`${server}__add`, { a: 1, b: 2 }));
      expect(await add()).toBeUndefined();
      await edit(gateway, servers({ version: '1', default: 'deny', tools: { add: { action: 'deny' } } }), {});
      expect(await add()).toMatchObject({ code: 'SWB_DENIED', rule: '/tools/add/action' });
      await edit(gateway, servers(), {});
      expect(await add()).toBeUndefined();
    });
  },
);
