/** Where documents come from and how they are combined: a server's (inline or a file), the gateway's, a grant's, the default. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, textOf } from '../e2e/clients.ts';
import { gatewayFolder, type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { denialOf } from './gateway.ts';
import { grant } from './grants.ts';

const KINDS: readonly ClientKind[] = ['v1', 'v2-legacy', 'v2-modern'];

const grants = {
  wide: grant({ policy: { version: '1', default: 'allow' } }),
  narrow: grant({ policy: { version: '1', default: 'deny', tools: { v1__echo: {}, v1__fail: {}, 'v2__[ab]*': {} } } }),
  one: grant({ servers: ['v1'], policy: { version: '1', default: 'deny', tools: { echo: {} } } }),
  bare: grant(),
};

let v1: HttpFixture;
let v2: HttpFixture;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  const servers = {
    v1: {
      url: v1.url,
      policy: { version: '1', default: 'allow', tools: { boom: { action: 'deny', reason: 'It explodes.' } } },
    },
    v2: { url: v2.url, policy: 'v2.policy.json' },
  };
  const section = {
    policy: { version: '1', default: 'allow', tools: { v1__fail: { action: 'deny' } }, hide: ['*__big'] },
    defaultPolicy: { version: '1', default: 'deny', tools: { listServers: {}, v2__add: {} } },
    grants: Object.fromEntries(Object.entries(grants).map(([name, { entry }]) => [name, entry])),
  };
  const { folder } = gatewayFolder({ servers, gateway: section });
  const file = {
    version: '1',
    default: 'deny',
    tools: { add: {}, echo: {}, big: {}, boom: { deny_if: [{ conditions: [] }] } },
  };
  writeFileSync(join(folder, 'v2.policy.json'), JSON.stringify(file));
  gateway = await startGateway({ folder });
  await Promise.all([gateway.reaches('v1', 'ready'), gateway.reaches('v2', 'ready')]);
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v1?.close(), v2?.close()]);
});

describe.each(KINDS)('for a %s client', (kind) => {
  const as = (name: keyof typeof grants, path = '/mcp') =>
    clients.connect(kind, { http: gateway.at(path), headers: grants[name].headers });

  it('a server’s documents speak of its own names, inline and from a file', async () => {
    const client = await as('wide');
    const tools = await client.tools();
    expect(tools.filter((name) => name.startsWith('v2__')).toSorted()).toEqual(['v2__add', 'v2__boom', 'v2__echo']);
    expect(tools).toContain('v1__boom');
    const boom = await client.call('v1__boom');
    expect(denialOf(boom)).toEqual({
      code: 'SWB_DENIED',
      policy: 'server:v1',
      rule: '/tools/boom/action',
      reason: 'It explodes.',
    });
    expect(textOf(boom)).toBe('It explodes.');
    expect(denialOf(await client.call('v2__boom'))).toMatchObject({
      policy: 'server:v2',
      rule: '/tools/boom/deny_if/0',
    });
    expect(denialOf(await client.call('v2__whoami'))).toMatchObject({ policy: 'server:v2', rule: '(default deny)' });
  });

  it('the gateway’s speaks of namespaced names, and what it denies no grant gives back', async () => {
    const client = await as('narrow');
    expect(denialOf(await client.call('v1__fail'))).toMatchObject({
      policy: 'gateway',
      rule: '/tools/v1__fail/action',
    });
    await expect(client.call('v1__big', { bytes: 1 })).rejects.toThrow(/Unknown tool/);
    await expect(client.call('v2__big', { bytes: 1 })).rejects.toThrow(/Unknown tool/);
  });

  it('a grant’s narrows what the others allow', async () => {
    const client = await as('narrow');
    // `v1__fail` is listed because a rule that always denies says why.
    expect((await client.tools()).toSorted()).toEqual(['v1__echo', 'v1__fail', 'v2__add', 'v2__boom']);
    expect(textOf(await client.call('v2__add', { a: 1, b: 2 }))).toBe('3');
    expect(denialOf(await client.call('v2__echo', { text: 'x' }))).toMatchObject({ policy: 'grant:narrow' });
  });

  it('a grant of one server may have a document of that server’s names, and knows of no other server', async () => {
    const client = await as('one');
    expect(await client.tools()).toEqual(['v1__echo']);
    expect(textOf(await client.call('v1__echo', { text: 'mine' }))).toBe('mine');
    await expect(client.call('v2__echo', { text: 'x' })).rejects.toThrow(/Unknown tool: 'v2__echo'/);
    expect(denialOf(await client.call('listServers'))).toMatchObject({ policy: 'grant:one', rule: '(default deny)' });
  });

  it('a grant without one gets the default', async () => {
    const client = await as('bare');
    expect(await client.tools()).toEqual(expect.arrayContaining(['listServers', 'v2__add']));
    expect(await client.tools()).toHaveLength(2);
    expect(denialOf(await client.call('v1__echo', { text: 'x' }))).toMatchObject({ policy: 'default' });
  });

  it('the endpoint of one server obeys them all, under the server’s names', async () => {
    const client = await as('narrow', '/servers/v1/mcp');
    expect((await client.tools()).toSorted()).toEqual(['echo', 'fail']);
    expect(denialOf(await client.call('fail'))).toMatchObject({ policy: 'gateway' });
    expect(denialOf(await client.call('add', { a: 1, b: 2 }))).toMatchObject({ policy: 'grant:narrow' });
    await expect(client.call('big', { bytes: 1 })).rejects.toThrow(/Unknown tool: 'big'/);
    await expect(as('one', '/servers/v2/mcp')).rejects.toThrow();
  });
});
