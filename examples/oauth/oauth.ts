/**
 * `npm run example:oauth`: a company's identity provider, the gateway, a mail server with accounts of its own, and a client whose
 * person logs in to both. All of it is real, and on loopback. With `--demo` this script is the person too, and it ends by itself.
 * @module
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { type Curtain, perform } from '../demo/curtain.ts';
import { startGateway } from '../demo/gateway.ts';
import { bold, dim, heading, note, reply, request, say, title } from '../demo/screen.ts';
import { connect } from './client.ts';
import { startLoginServer } from './login-server.ts';
import { MAIL_SCOPE, startMail } from './mail-server.ts';
import { type Answers, realPerson, scriptedPerson } from './people.ts';

const LIMIT_MS = 120_000;
const CLIENT_ID = 'switchboard';
const CLIENT_SECRET = 'known-to-the-gateway-and-the-company';

interface Stage {
  company: string;
  mailLogin: string;
  mail: string;
  /** The gateway's endpoint. */
  url: string;
}

const { values } = parseArgs({ options: { demo: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
if (values.help) {
  process.stdout.write('npm run example:oauth               you are the person at the browser\n');
  process.stdout.write('npm run example:oauth -- --demo     the script is, and it ends by itself\n');
} else {
  const isDemo = values.demo === true;
  await perform((curtain) => play(curtain, isDemo), isDemo ? LIMIT_MS : undefined);
}

async function play(curtain: Curtain, isDemo: boolean): Promise<void> {
  title(bold('Logging in: to the gateway with the company’s account, and to a server by the call that needs it'));
  const stage = await setStage(curtain);
  say(`The company’s identity provider   ${stage.company}   ${dim('ada / company, ben / company')}`);
  say(`The mail server’s login           ${stage.mailLogin}   ${dim('ada@mail / mail, ben@mail / mail')}`);
  say(`The mail server                   ${stage.mail}`);
  say(`The gateway                       ${stage.url}`);
  if (!isDemo) note('You are Ada. End this with Ctrl+C.');

  heading(1, 'A client without a token', 'It is refused, and told where to log in.');
  await showChallenge(stage.url);

  heading(
    2,
    'Ada logs in to the gateway',
    'Her client registers at the gateway, she allows it, and the company says who she is.',
  );
  const browser = isDemo ? scriptedPerson('Ada', accountsOf('ada', stage)) : realPerson();
  const client = await curtain.own(
    () => connect(stage.url, browser),
    (connected) => connected.close(),
  );
  reply(`The client is connected. Its calls are those of ${client.principal}`);

  heading(3, 'A call that needs her mail account', 'It has not run: Ada logs in at the mail server, and it goes on.');
  request('mail__inbox');
  reply(await client.call('mail__inbox'));

  heading(4, 'The next call', 'The gateway has her token for the mail server in its vault.');
  request('mail__inbox');
  reply(await client.call('mail__inbox'));

  heading(5, 'Ben calls the same tool', 'The script is Ben. Ada’s login is nothing to him: he has to log in himself.');
  const ben = await curtain.own(
    () => connect(stage.url, scriptedPerson('Ben', accountsOf('ben', stage))),
    (connected) => connected.close(),
  );
  request('mail__inbox');
  reply(await ben.call('mail__inbox'));

  say();
  title(bold('That was all. docs/auth.md has the rest.'));
}

async function setStage(curtain: Curtain): Promise<Stage> {
  // The address that people type is part of everything: tokens are made for it.
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const company = await curtain.own(
    () =>
      startLoginServer({
        name: 'The company',
        accounts: {
          ada: { password: 'company', groups: ['engineers'] },
          ben: { password: 'company', groups: ['engineers'] },
        },
        clients: [
          {
            client_id: CLIENT_ID,
            client_secret: CLIENT_SECRET,
            redirect_uris: [`${origin}/authorize/callback`],
            grant_types: ['authorization_code'],
            response_types: ['code'],
          },
        ],
      }),
    (server) => server.close(),
  );
  const mailLogin = await curtain.own(
    () =>
      startLoginServer({
        name: 'Mail',
        accounts: { 'ada@mail': { password: 'mail' }, 'ben@mail': { password: 'mail' } },
        scopes: [MAIL_SCOPE],
      }),
    (server) => server.close(),
  );
  const mail = await curtain.own(
    () => startMail(mailLogin.issuer),
    (server) => server.close(),
  );
  const { url } = await curtain.own(
    () => startGateway(configOf({ port, origin, company: company.issuer, mail: mail.url })),
    (running) => running.close(),
  );
  return { company: company.issuer, mailLogin: mailLogin.issuer, mail: mail.url, url };
}

function configOf({ port, origin, company, mail }: { port: number; origin: string; company: string; mail: string }) {
  const grants = [{ claim: 'groups', value: 'engineers', grant: 'team' }];
  return {
    gateway: {
      port,
      publicUrl: origin,
      stateDir: 'state',
      logLevel: 'error',
      auth: {
        // Programs of the company may bring its tokens themselves; everybody else logs in by way of the gateway.
        issuers: [{ issuer: company, grants }],
        bridge: { login: { issuer: company, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, grants } },
      },
      grants: { team: { policy: { version: '1', default: 'allow' } } },
    },
    // Nothing is said about the mail server's login: its 401 leads to it.
    mcpServers: { mail: { url: mail } },
  };
}

function accountsOf(name: string, { company, mailLogin }: Stage): Answers {
  return {
    [company]: { account: name, password: 'company' },
    [mailLogin]: { account: `${name}@mail`, password: 'mail' },
  };
}

/** What every client reads first, and needs no configuration for. */
async function showChallenge(url: string): Promise<void> {
  request(`POST ${url}`);
  const refused = await fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
  await refused.body?.cancel();
  const challenge = refused.headers.get('www-authenticate') ?? '';
  reply(`${refused.status}  WWW-Authenticate: ${challenge}`);
  const address = /resource_metadata="([^"]*)"/.exec(challenge)?.[1];
  if (refused.status !== 401 || address === undefined) throw new Error('The gateway did not say where to log in.');
  request(`GET ${address}`);
  const metadata = (await (await fetch(address)).json()) as { authorization_servers: string[] };
  reply(`authorization_servers: ${metadata.authorization_servers.join(', ')}`);
  note('The first is the gateway itself: it takes clients that the company’s provider does not know.');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
