/** A call that needs a login sends its person to log in, with a real authorization server and real clients. */
import { Client as ModernClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as V1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as V1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  ElicitationCompleteNotificationSchema,
  type UrlElicitationRequiredError,
} from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newKey } from '../../src/auth/key.ts';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type OauthMcp, startOauthMcp } from '../fixtures/mcp/oauth.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { PersonAtBrowser } from './person.ts';

const [ada, bob] = [newKey(), newKey()];

let oidc: Oidc;
let mail: OauthMcp;
let own: OwnGateway;

beforeAll(async () => {
  oidc = await startOidc();
  mail = await startOauthMcp(oidc.issuer);
});
afterAll(async () => {
  await mail.close();
  await oidc.close();
});

beforeEach(async () => {
  mail.ran.length = 0;
  own = await startGateway({
    servers: { mail: { url: mail.url } },
    gateway: {
      defaultPolicy: { version: '1', default: 'allow' },
      grants: { ada: { key: ada.stored }, bob: { key: bob.stored } },
    },
  });
  await own.gateway.settled();
});
afterEach(() => own.close());

const bearer = (key: string) => ({ requestInit: { headers: { authorization: `Bearer ${key}` } } });

interface Asked {
  url: string;
  message: string;
}

async function modern(key: string, open?: (asked: Asked) => Promise<void>): Promise<ModernClient> {
  const client = new ModernClient(
    { name: 'modern', version: '1' },
    { capabilities: open ? { elicitation: { form: {}, url: {} } } : {}, versionNegotiation: { mode: 'auto' } },
  );
  if (open) {
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      const { url, message } = params as unknown as Asked;
      await open({ url, message });
      return { action: 'accept' };
    });
  }
  await client.connect(new StreamableHTTPClientTransport(new URL(own.url), bearer(key)));
  return client;
}

const textOf = (result: object): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

describe('a client of 2026-07-28', () => {
  it('has its person log in, and its calls are answered as that person, once each', async () => {
    const asked: Asked[] = [];
    const client = await modern(ada.key, async (page) => {
      asked.push(page);
      await new PersonAtBrowser(oidc).logIn(page, 'ada@mail');
    });
    expect(textOf(await client.callTool({ name: 'mail__whoami', arguments: {} }))).toBe('You are ada@mail.');
    expect(mail.ran).toEqual(['whoami as ada@mail']);
    expect(asked).toHaveLength(1);
    // Logged in from now on, and seen by no other principal.
    await client.callTool({ name: 'mail__whoami', arguments: {} });
    expect(asked).toHaveLength(1);
    expect(await own.gateway.logins?.status()).toMatchObject([
      { principal: 'ada', server: 'mail', state: 'connected' },
    ]);
    await client.close();
  });

  it('waits for a person who takes longer than its first retry', async () => {
    let page: Asked | undefined;
    const client = await modern(ada.key, async (asked) => {
      page = asked;
    });
    const call = client.callTool({ name: 'mail__whoami', arguments: {} });
    await until(() => page !== undefined, 'the page is asked to be opened');
    await new PersonAtBrowser(oidc).logIn(page as unknown as Asked, 'ada@mail');
    expect(textOf(await call)).toBe('You are ada@mail.');
    expect(mail.ran).toEqual(['whoami as ada@mail']);
    await client.close();
  });

  it('that opens no pages reads where to log in, and the call goes through afterwards', async () => {
    const client = await modern(ada.key);
    const refused = await client.callTool({ name: 'mail__whoami', arguments: {} });
    expect(refused.isError).toBe(true);
    const text = textOf(refused);
    expect(text).toContain("'switchboard connections connect mail --grant ada'");
    const url = /http:\S+\/connect\/[\w-]{22}/.exec(text)?.[0] as string;
    await new PersonAtBrowser(oidc).logIn({ url, message: text }, 'ada@mail');
    expect(textOf(await client.callTool({ name: 'mail__whoami', arguments: {} }))).toBe('You are ada@mail.');
    await client.close();
  });
});

describe('a client of 2025-11-25', () => {
  it('gets error -32042 with the page, and hears when the person has logged in', async () => {
    const client = new V1Client({ name: 'v1', version: '1' }, { capabilities: { elicitation: { form: {}, url: {} } } });
    const completed: string[] = [];
    client.setNotificationHandler(ElicitationCompleteNotificationSchema, ({ params }) => {
      completed.push(params.elicitationId);
    });
    await client.connect(new V1Transport(new URL(own.url), bearer(ada.key)) as never);
    const call = () => client.callTool({ name: 'mail__whoami', arguments: {} });
    const error = (await call().catch((thrown: unknown) => thrown)) as UrlElicitationRequiredError;
    expect(error.code).toBe(-32042);
    const [page] = error.elicitations;
    await new PersonAtBrowser(oidc).logIn(page as Asked, 'ada@mail');
    await until(() => completed.length > 0, 'the client hears of the end');
    expect(completed).toEqual([page?.elicitationId]);
    expect(textOf(await call())).toBe('You are ada@mail.');
    expect(mail.ran).toEqual(['whoami as ada@mail']);
    await client.close();
  });
});

describe('an attacker with a grant', () => {
  it('does not get the account of a victim who follows the link, or finishes the login', async () => {
    const client = await modern(bob.key);
    const text = textOf(await client.callTool({ name: 'mail__whoami', arguments: {} }));
    const url = /http:\S+\/connect\/[\w-]{22}/.exec(text)?.[0] as string;
    // The victim opens the link that the attacker sent, and knows no code.
    const victim = new PersonAtBrowser(oidc);
    expect(await victim.open(url)).toContain('<bdi>bob</bdi>');
    expect(await victim.type(url, 'BBBB-BBBB')).toBeUndefined();
    // The attacker types the code, and sends on the address of the authorization server.
    const onward = await new PersonAtBrowser(oidc).typeCodeOf({ url, message: text });
    const back = await victim.followAs(onward as URL, 'victim@mail');
    expect(back.status).toBe(403);
    expect(await own.gateway.logins?.status()).toEqual([]);
    expect((await client.callTool({ name: 'mail__whoami', arguments: {} })).isError).toBe(true);
    await client.close();
  });
});
