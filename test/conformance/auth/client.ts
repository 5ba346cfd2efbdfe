/**
 * `node test/conformance/auth/client.ts URL`: the client under test of the suite's scenarios about authorization. Starts a
 * gateway with the URL as its one upstream, and two principals at once call through it, one of each era; each logs in when the
 * gateway says that it has to, by following the authorization URL as a browser would.
 * @module
 */

import { SwitchboardError } from '../../../src/core/errors.ts';
import type { Authenticator, Identity } from '../../../src/core/identity.ts';
import { noteSubjectToken } from '../../../src/core/subject-tokens.ts';
import { freePort } from '../../../src/core/testing/free-port.ts';
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';
import type { EndClient } from '../client/end-client.ts';
import { LegacyEndClient } from '../client/legacy.ts';
import { ModernEndClient } from '../client/modern.ts';
import { startGateway } from '../gateway.ts';
import { entryFor, ONE_AFTER_ANOTHER } from './scenarios.ts';

const SERVER = 'mock';
/** Logins of one principal for one request. */
const MAX_LOGINS = 2;

const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? '';
const context: JsonObject = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const [serverUrl = ''] = process.argv.slice(2);

const people = new Map<string, Identity>();
for (const principal of ['ada', 'bob']) {
  const identity: Identity = Object.freeze({ principal, grant: undefined, claims: {} });
  if (typeof context.idp_id_token === 'string') {
    noteSubjectToken(identity, { token: context.idp_id_token, type: 'urn:ietf:params:oauth:token-type:id_token' });
  }
  people.set(principal, identity);
}

const auth: Authenticator = {
  authenticate({ headers }) {
    const identity = people.get(String(headers['x-user']));
    if (!identity) throw new SwitchboardError('SWB_UNAUTHENTICATED', 'Nobody.');
    return identity;
  },
  isValid: () => true,
};

const { gateway, origin } = await startGateway(
  await freePort(),
  { [SERVER]: serverUrl },
  { entry: entryFor(scenario, context), parts: { auth } },
);
const { logins } = gateway;
if (!logins) throw new Error('the gateway has no logins');

/** The mock issuer remembers the challenge of one login: from its beginning to its end, each has it alone. */
let turn: Promise<unknown> = Promise.resolve();
function logIn(identity: Identity): Promise<void> {
  const mine = turn.then(async () => {
    if (!(await logins?.needed(identity, SERVER))) return;
    const begun = await logins?.begin(identity, SERVER, { redirectUri: `${origin}/connect/callback` });
    if (!begun) return;
    const answer = await fetch(begun.authorizationUrl, { redirect: 'manual' });
    const back = new URL(answer.headers.get('location') ?? '');
    await logins?.finish(begun.state, back.searchParams);
  });
  turn = mine.catch(() => {});
  return mine;
}

/** The result of a request; a login is made where the gateway asks for one. */
async function withLogin(identity: Identity, request: () => Promise<JsonObject>, isDone = isFine): Promise<JsonObject> {
  for (let n = 0; ; n++) {
    const result = await request().catch((error: Error) => error);
    if (!(result instanceof Error) && isDone(result)) return result;
    const needed = await logins?.needed(identity, SERVER);
    if (!needed || n === MAX_LOGINS) throw result instanceof Error ? result : new Error(JSON.stringify(result));
    await logIn(identity);
    await gateway.federation.settled();
    await connected();
  }
}

const isFine = ({ isError }: JsonObject): boolean => isError !== true;
const listsTools = ({ tools }: JsonObject): boolean => Array.isArray(tools) && tools.length > 0;

/** The gateway connects as soon as a person has logged in. */
async function connected(): Promise<void> {
  for (let n = 0; n < 100 && gateway.federation.member(SERVER)?.state !== 'ready'; n++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function drive(client: EndClient, identity: Identity): Promise<void> {
  await client.open();
  const { tools } = await withLogin(identity, () => client.request('tools/list'), listsTools);
  for (const { name } of tools as { name: string }[]) {
    await withLogin(identity, () => client.request('tools/call', { name, arguments: {} }));
  }
  await client.close();
}

const url = `${origin}/servers/${SERVER}/mcp`;
const as = (principal: string) => ({ 'x-user': principal });
try {
  const ada = drive(new LegacyEndClient(url, as('ada')), people.get('ada') as Identity);
  if (ONE_AFTER_ANOTHER.has(scenario)) await ada.catch(() => {});
  const bob = drive(new ModernEndClient(url, as('bob')), people.get('bob') as Identity);
  const driven = await Promise.allSettled([ada, bob]);
  for (const outcome of driven) if (outcome.status === 'rejected') throw outcome.reason;
} finally {
  await gateway.close();
}
