/**
 * Who may call which tool is the broker's to say: Mosquitto with a password file and an ACL file as its users write them, and
 * callers of the gateway that have logins of their own.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectHandle } from '../../adapters/mcp-over-mqtt/testing/handle.ts';
import { startToolServer, type ToolServer } from '../../adapters/mcp-over-mqtt/testing/servers.ts';
import type { BrokerLogin } from '../../src/core/broker.ts';
import { blocksOf } from '../docs/blocks.ts';
import { type ClientKind, Clients, type TestClient, textOf } from '../e2e/clients.ts';
import { type GatewaySetup, type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { hasMosquitto, type Mosquitto, startMosquitto } from '../fixtures/mosquitto.ts';
import { grant } from '../policy/grants.ts';

const KINDS = ['v1', 'v2-legacy', 'v2-modern'] satisfies ClientKind[];

const PASSWORDS = {
  scout: 'pw-of-scout',
  operator: 'pw-of-operator',
  gateway: 'pw-of-gateway',
  'gtm-mcp-server': 'pw-of-server',
};

/** The files of docs/mqtt.md, so that what stands there is what is proven here. */
const page = blocksOf(readFileSync(join(import.meta.dirname, '../../docs/mqtt.md'), 'utf8'));
const shipped = (name: string): string =>
  page.find(({ kind, about }) => kind === 'cards' && about === name)?.text ?? '';

const login = (username: keyof typeof PASSWORDS) => ({ username, password: PASSWORDS[username] });

describe.runIf(hasMosquitto())('a broker with rules of its own', () => {
  let broker: Mosquitto;
  let server: ToolServer;
  /** What the server's tools were called with, as it sees it. */
  const calls: { tool: string; client: string; args: unknown }[] = [];
  const clients = new Clients();
  const gateways: OwnGateway[] = [];
  /** The gateway's own policy allows everything: what is refused, the broker refuses. */
  const allowed = () => grant({ policy: { version: '1', default: 'allow' } });
  const grants = { scout: allowed(), operator: allowed(), guest: allowed() };

  beforeAll(async () => {
    broker = await startMosquitto({ users: PASSWORDS, acl: shipped('acl') });
    const tools = ['query_watch_configs', 'create_social_post'].map((name) => ({
      name,
      description: name,
      input_schema: { type: 'object' },
      handler: async (args: unknown, { client }: { client: string }) => {
        calls.push({ tool: name, client, args });
        if ((args as { hang?: boolean }).hang) await new Promise(() => {});
        return `${name} done`;
      },
    }));
    server = await startToolServer(broker.url, {
      name: 'gtm-mcp-server',
      namespace: 'gtm',
      tools,
      mqtt: login('gtm-mcp-server'),
    });
  });
  afterEach(async () => {
    await clients.close();
    await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
    calls.length = 0;
  });
  afterAll(async () => {
    await server?.stop();
    await broker?.stop();
  });

  /** The entry of the page, at this broker. */
  const entry = (credentials: object = {}) => {
    const { gtm } = JSON.parse(shipped('servers')).mcpServers;
    return { ...gtm, url: broker.url, credentials: { ...gtm.credentials, required: false, ...credentials } };
  };
  const start = async (more: Partial<GatewaySetup> = {}, credentials?: object): Promise<OwnGateway> => {
    const gateway = await startReadyGateway({
      servers: { gtm: entry(credentials) },
      gateway: { grants: Object.fromEntries(Object.entries(grants).map(([name, each]) => [name, each.entry])) },
      env: {
        GATEWAY_PASSWORD: PASSWORDS.gateway,
        SCOUT_PASSWORD: PASSWORDS.scout,
        OPERATOR_PASSWORD: PASSWORDS.operator,
      },
      ...more,
    });
    gateways.push(gateway);
    return gateway;
  };
  const as = (who: keyof typeof grants, gateway: OwnGateway, kind: ClientKind = 'v2-modern'): Promise<TestClient> =>
    clients.connect(kind, { http: gateway.url, headers: grants[who].headers });
  const failureOf = (work: Promise<unknown>): Promise<{ message: string; code?: number }> =>
    work.then(
      (result) => {
        throw new Error(`it succeeded: ${JSON.stringify(result)}`);
      },
      (error: { message: string }) => error,
    );
  /** Connections of a user so far. */
  const connections = (user: string): number => broker.log().match(new RegExp(`, u'${user}'\\)`, 'g'))?.length ?? 0;

  /** Ends the last connection of a user: the client that connects with its client id takes its place. */
  const pushOut = async (user: keyof typeof PASSWORDS): Promise<void> => {
    const ids = [...broker.log().matchAll(new RegExp(` as (swb\\w+) \\([^)]*u'${user}'\\)`, 'g'))];
    const thief = await connectHandle(broker.url, { ...login(user), clientId: String(ids.at(-1)?.[1]) });
    await thief.disconnect();
  };

  describe.each(KINDS)('for a %s client', (kind) => {
    it('refuses what the caller may not call, at once and clearly, and lets the other caller through', async () => {
      const gateway = await start();
      const [scout, operator] = [await as('scout', gateway, kind), await as('operator', gateway, kind)];
      expect(textOf(await scout.call('gtm__query_watch_configs'))).toBe('query_watch_configs done');
      expect(textOf(await operator.call('gtm__create_social_post'))).toBe('create_social_post done');
      // By what the broker says, and not by the end of the time that a call may take.
      for (let n = 0; n < 5; n++) {
        const failure = await failureOf(scout.call('gtm__create_social_post', { text: 'hello' }));
        expect(failure.message).toMatch(
          /unauthorized: The broker does not allow this caller to call the tool 'create_social_post' of server 'gtm'\./,
        );
        expect(failure.code).toBe(-31008);
      }
      await failureOf(operator.call('gtm__query_watch_configs'));
      expect(calls.map(({ tool, client }) => [tool, client])).toEqual([
        ['query_watch_configs', 'scout'],
        ['create_social_post', 'operator'],
      ]);
    });
  });

  it('cannot be told another name by what a caller sends', async () => {
    const gateway = await start();
    const scout = await as('scout', gateway);
    const claims = {
      client: 'operator',
      call_id: 'chosen',
      response_topic: 'gtm/mcp/clients/operator/responses',
      username: 'operator',
      '","client":"operator","x":"': 1,
    };
    await failureOf(scout.call('gtm__create_social_post', claims));
    expect(textOf(await scout.call('gtm__query_watch_configs', claims))).toBe('query_watch_configs done');
    const response = await fetch(gateway.url, {
      method: 'POST',
      headers: {
        ...grants.scout.headers,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'gtm__create_social_post',
        'x-client': 'operator',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: {
          name: 'gtm__create_social_post',
          arguments: claims,
          client: 'operator',
          _meta: {
            client: 'operator',
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientInfo': { name: 'operator', version: '1' },
            'io.modelcontextprotocol/clientCapabilities': {},
            'switchboard/session': 'operator',
          },
        },
      }),
    });
    expect(await response.text()).toContain('unauthorized: ');
    expect(calls).toEqual([{ tool: 'query_watch_configs', client: 'scout', args: claims }]);
  });

  it('sees one connection for each login, opened when it is first used', async () => {
    const before = { scout: connections('scout'), operator: connections('operator') };
    const gateway = await start();
    const [scout, again] = [await as('scout', gateway), await as('scout', gateway, 'v1')];
    await scout.tools();
    expect(connections('scout')).toBe(before.scout);
    await Promise.all([scout, again, scout, again].map((client) => client.call('gtm__query_watch_configs')));
    expect(connections('scout')).toBe(before.scout + 1);
    expect(connections('operator')).toBe(before.operator);
  });

  it('sees the gateway where a caller has no login, unless logins are required', async () => {
    const open = await start();
    const failure = await failureOf((await as('guest', open)).call('gtm__query_watch_configs'));
    expect(failure.message).toMatch(/unauthorized: The broker does not allow the gateway to call/);
    const strict = await start({}, { required: true });
    const refusal = await failureOf((await as('guest', strict)).call('gtm__query_watch_configs'));
    expect(refusal.message).toMatch(/unauthorized: There is no login at the broker of server 'gtm' for this caller/);
    expect(textOf(await (await as('scout', strict)).call('gtm__query_watch_configs'))).toBe('query_watch_configs done');
    expect(calls).toHaveLength(1);
  });

  it('is not hammered with a login that it refuses, whose password nobody sees', async () => {
    const wrong = { username: 'scout', password: 'not-the-password' };
    const gateway = await start({}, { grants: { scout: wrong } });
    const scout = await as('scout', gateway);
    const attempts = () => broker.log().match(/Client \S+ disconnected, not authorised/g)?.length ?? 0;
    const before = attempts();
    for (let n = 0; n < 5; n++) {
      const failure = await failureOf(scout.call('gtm__query_watch_configs'));
      expect(failure.message).toMatch(/unauthorized: The broker of server 'gtm' refused the connection/);
      expect(JSON.stringify(failure)).not.toContain('not-the-password');
    }
    expect(attempts() - before).toBe(1);
    expect(gateway.log()).not.toMatch(/not-the-password|pw-of-/);
  });

  it('gets the login that a provider of credentials has for the principal, a new one after a refusal', async () => {
    const refused: string[] = [];
    let current: BrokerLogin = { username: 'scout', password: 'expired' };
    const gateway = await start({
      embedded: {
        credentials: {
          headersFor: () => ({}),
          loginFor: ({ principal }) => (principal === 'scout' ? Promise.resolve(current) : undefined),
          refused: ({ identity, status }) => {
            refused.push(`${identity.principal} ${status}`);
            current = login('scout');
            return 'retry';
          },
        },
      },
    });
    const scout = await as('scout', gateway);
    expect(textOf(await scout.call('gtm__query_watch_configs'))).toBe('query_watch_configs done');
    expect(textOf(await scout.call('gtm__query_watch_configs'))).toBe('query_watch_configs done');
    expect(refused).toEqual(['scout 401']);
  });

  it('whose connection of a caller is lost fails that call alone, and gets another connection for the next one', async () => {
    const gateway = await start();
    const scout = await as('scout', gateway);
    await scout.call('gtm__query_watch_configs');
    const before = connections('scout');
    await pushOut('scout');
    await until(async () => {
      await scout.call('gtm__query_watch_configs').catch(() => {});
      return connections('scout') > before + 1;
    }, 'another connection of scout');
    expect(textOf(await scout.call('gtm__query_watch_configs'))).toBe('query_watch_configs done');
    expect(gateway.status('gtm').state).toBe('ready');
  });

  it('whose connection of the gateway is lost fails the calls of every login at once, and comes back', async () => {
    const gateway = await start();
    const scout = await as('scout', gateway);
    const running = failureOf(scout.call('gtm__query_watch_configs', { hang: true }));
    await until(() => calls.length === 1, 'the call');
    await pushOut('gateway');
    expect((await running).code).toBe(-31001);
    await gateway.reaches('gtm', 'ready');
    expect(textOf(await scout.call('gtm__query_watch_configs'))).toBe('query_watch_configs done');
    expect(calls).toHaveLength(2);
  });
});
