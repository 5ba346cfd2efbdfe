/** Shadow mode: everything goes on as before, and the audit says what would have been denied. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { audited } from './gateway.ts';

const policy = {
  version: '1',
  mode: 'shadow',
  default: 'deny',
  hide: ['big'],
  tools: {
    echo: { deny_if: [{ path: 'args.text', op: 'contains', value: 'drop' }], redact: ['args.text'] },
    add: { limits: [{ counter: 'adds', window: 'day', max: 0 }], approve: true, schema: { required: ['c'] } },
  },
};

let v1: HttpFixture;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  v1 = await startV1Http();
  gateway = await startReadyGateway({
    servers: { v1: { url: v1.url, policy } },
    gateway: {
      audit: true,
      hooks: [{ use: 'rewrite-arguments', mode: 'shadow', options: { rules: [{ tools: ['whoami'], set: { x: 1 } }] } }],
    },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await v1?.close();
});

describe.each(['v1', 'v2-modern'] satisfies ClientKind[])('to a %s client a document in shadow mode', (kind) => {
  it('denies, hides, redacts, counts and approves nothing, and is recorded', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    expect(await client.tools()).toEqual(expect.arrayContaining(['v1__big', 'v1__fail', 'v1__echo']));
    expect(textOf(await client.call('v1__echo', { text: 'drop it' }))).toBe('drop it');
    expect(textOf(await client.call('v1__add', { a: 1, b: 2 }))).toBe('3');
    expect(textOf(await client.call('v1__big', { bytes: 2 }))).toBe('xx');
    expect(JSON.parse(textOf(await client.call('v1__whoami')))).toHaveProperty('process');
    const era = kind === 'v1' ? 'legacy' : 'modern';
    const shadowOf = async (name: string) => {
      const line = await audited(gateway, (record) => record.name === name && record.era === era);
      expect(line).toMatchObject({ verdict: 'shadow', outcome: 'ok' });
      return line.shadow;
    };
    expect(await shadowOf('echo')).toEqual(['server:v1#/tools/echo/deny_if/args.text-contains']);
    expect(await shadowOf('add')).toEqual(['server:v1#/tools/add/schema']);
    expect(await shadowOf('big')).toEqual(['server:v1#(hidden)']);
    expect(await shadowOf('whoami')).toEqual(['server:v1#(default deny)', 'hooks#(hook rewrite-arguments)']);
  });
});
