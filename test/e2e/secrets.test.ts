/** Configured secrets of a server reach that server only: not clients, not the log, not other servers. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { type ClientKind, Clients, textOf } from './clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { EVERYTHING } from './upstreams/everything.ts';

const UPSTREAM_TOKEN = 'upstream-token-7c1d4e';
const CHILD_SECRET = 'child-secret-5b0a99';
const CLIENT_SECRET = 'client-secret-e2f610';
const GATEWAY_SECRET = 'gateway-secret-4d77aa';

let v1: HttpFixture;
let v2: HttpFixture;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  process.env.E2E_UNRELATED = GATEWAY_SECRET;
  gateway = await startReadyGateway({
    servers: {
      v1: { url: v1.url, headers: { Authorization: `Bearer \${TOKEN}`, 'X-Team': 'blue' } },
      v2: { url: v2.url, headers: { Authorization: `Bearer \${TOKEN}` } },
      plain: { url: v1.url },
      child: { ...EVERYTHING, env: { SECRET: `\${CHILD_SECRET}` } },
    },
    env: { TOKEN: UPSTREAM_TOKEN, CHILD_SECRET },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  delete process.env.E2E_UNRELATED;
  await gateway?.close();
  await Promise.all([v1?.close(), v2?.close()]);
});

interface Seen {
  headers: Record<string, string>;
}

describe.each<ClientKind>(['v1', 'v2-modern'])('for a %s client', (kind) => {
  const connect = () =>
    clients.connect(kind, {
      http: gateway.url,
      headers: {
        'x-secret': CLIENT_SECRET,
        authorization: `Bearer ${CLIENT_SECRET}`,
        cookie: `session=${CLIENT_SECRET}`,
      },
    });

  it('headers of a server reach that server', async () => {
    const client = await connect();
    for (const server of ['v1', 'v2']) {
      const seen = JSON.parse(textOf(await client.call(`${server}__whoami`))) as Seen;
      expect(seen.headers.authorization).toBe(`Bearer ${UPSTREAM_TOKEN}`);
    }
    const plain = textOf(await client.call('plain__whoami'));
    expect(plain).not.toContain(UPSTREAM_TOKEN);
    expect(plain).not.toContain('x-team');
  });

  it('headers of the client reach no server', async () => {
    const client = await connect();
    for (const server of ['v1', 'v2', 'plain']) {
      expect(textOf(await client.call(`${server}__whoami`)), server).not.toContain(CLIENT_SECRET);
    }
  });

  it('neither appears in a result or in the log', async () => {
    const client = await connect();
    const told = [
      await client.call('listServers'),
      await client.request('tools/list'),
      await client.call('plain__nope').catch((error: Error) => error.message),
      await client.call('connectServer', { url: `http://user:${CLIENT_SECRET}@127.0.0.1:9/mcp` }),
    ];
    for (const secret of [UPSTREAM_TOKEN, CHILD_SECRET, CLIENT_SECRET]) {
      expect(JSON.stringify(told)).not.toContain(secret);
      expect(gateway.log()).not.toContain(secret);
    }
  });
});

it('a child gets its own environment, and not the gateway’s', async () => {
  const client = await clients.connect('v1', { http: gateway.url });
  const environment = JSON.parse(textOf(await client.call('child__get-env')));
  expect(environment).toMatchObject({ SECRET: CHILD_SECRET });
  expect(JSON.stringify(environment)).not.toContain(GATEWAY_SECRET);
});
