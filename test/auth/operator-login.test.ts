/** Operators log in to the pages at a real provider: the flow, who is let in, what their name stands in, and when it ends. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { operatorLogin } from '../../src/auth/operators/login.ts';
import { freePort } from '../../src/core/testing/free-port.ts';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { modern } from '../attacks/talk.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { auditLines } from '../policy/gateway.ts';
import {
  ADMIN_TOKEN,
  CLIENT,
  clientAt,
  type OperatorGateway,
  operatorGateway,
  Person,
  withClaims,
} from './operator.ts';

const PEOPLE = {
  ada: { groups: ['platform'], preferred_username: 'ada.l', email: 'ada@acme.example' },
  vic: { groups: ['support'], preferred_username: 'vic' },
  bob: { groups: ['sales'], preferred_username: 'bob' },
  kim: { preferred_username: 'kim' },
};
const RULES = {
  admins: [{ claim: 'groups', value: 'platform' }],
  viewers: [{ claim: 'groups', value: 'support' }],
};
/** As the configuration reads them. */
const RULES_READ = { admins: [{ claim: 'groups', values: ['platform'] }], viewers: [] };
const POLICY = { version: '1', default: 'allow', tools: { v__pay: { approve: true, approver: 'operator' } } };

let company: Oidc;
let upstream: RecordingUpstream;
let gateway: OperatorGateway;

beforeAll(async () => {
  const port = await freePort();
  upstream = await startRecording({ tools: ['pay'] });
  company = await startOidc({ clients: [clientAt(`http://127.0.0.1:${port}`)], more: withClaims(PEOPLE) });
  gateway = await operatorGateway(
    { issuer: company.issuer, ...RULES },
    { port, servers: { v: { url: upstream.url, kind: 'mcp' } }, gateway: { policy: POLICY } },
  );
  await gateway.reaches('v', 'ready');
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([company?.close(), upstream?.close()]);
});

const person = (): Person => new Person(gateway.origin, company);

const logLine = (message: string) =>
  gateway
    .log()
    .split('\n')
    .filter((line) => line.includes(message))
    .map((line) => JSON.parse(line));

/** Lines of the audit about operators. */
const operations = async () =>
  (await auditLines(gateway)).filter((line) => 'operator' in line) as Record<string, unknown>[];

describe('an operator', () => {
  it('is sent to the provider with state, nonce and a proof key, and nothing of the way back can be read in the browser', async () => {
    const ada = person();
    const { json, headers } = await ada.ask('api/login/begin', {});
    const asked = Object.fromEntries(new URL(json.url).searchParams);
    expect(asked).toMatchObject({
      response_type: 'code',
      client_id: 'pages',
      redirect_uri: `${gateway.origin}/admin/login/callback`,
      scope: 'openid',
      code_challenge_method: 'S256',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    });
    const [cookie = ''] = headers.getSetCookie();
    expect(cookie).toMatch(/^swb-admin-login\d+=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=900$/);
    expect(cookie).not.toContain(asked.state);
    const [, , , payload = ''] = /=([^;]*)/.exec(cookie)?.[1]?.split('.') ?? [];
    expect(Buffer.from(payload, 'base64url').toString('latin1')).not.toContain(asked.nonce);
  });

  it('is let in by a claim, known by name, and logged out again', async () => {
    const ada = person();
    const back = await ada.arrive('ada');
    expect([back.status, back.headers.get('location')]).toEqual([
      303,
      expect.stringMatching(/^\.\.\/#login=[\w-]{43}$/),
    ]);
    const { status, json, headers } = await ada.enter(back);
    expect([status, json.name, json.mayChange]).toEqual([200, 'ada.l', true]);
    expect(headers.getSetCookie()[0]).toMatch(/^swb-admin\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect((await ada.ask('api/session')).json).toEqual({ open: true, name: 'ada.l', mayChange: true });
    expect((await ada.ask('api/servers')).status).toBe(200);
    expect((await ada.ask('api/logout', {})).status).toBe(200);
    expect((await ada.ask('api/servers')).status).toBe(401);
    expect(logLine('An operator has logged in.').at(-1)).toMatchObject({
      principal: `${company.issuer}#ada`,
      person: 'ada.l',
    });
  });

  it('is offered to log out at the provider, too, which then sends the browser back to the pages', async () => {
    const ada = person();
    await ada.logIn('ada');
    const { json } = await ada.ask('api/logout', {});
    expect(json.provider.at).toBe(new URL(company.issuer).host);
    const url = new URL(json.provider.url);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: 'pages',
      post_logout_redirect_uri: `${gateway.origin}/admin/`,
    });
    const asked = await ada.browser.visit(url);
    const [, action = ''] = /action="([^"]+)"/.exec(asked.text) ?? [];
    const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(asked.text) ?? [];
    const body = new URLSearchParams({ xsrf, logout: 'yes' });
    const left = await ada.browser.visit(action, { method: 'POST', body });
    expect(left.next?.href).toBe(`${gateway.origin}/admin/`);
  });

  it('is offered nothing where gateway.admin.login.providerLogout is off, or the provider does not answer', async () => {
    const options = { ...CLIENT, issuer: company.issuer, scopes: ['openid'], ...RULES_READ, publicUrl: gateway.origin };
    const guard = () => ({}) as never;
    const login = (more: object) =>
      operatorLogin({
        ...options,
        ...{ providerLogout: true, secret: Buffer.alloc(32), store: {} as never, guard },
        ...more,
      });
    expect(await login({}).endSession()).toContain('client_id=pages');
    expect(await login({ providerLogout: false }).endSession()).toBeUndefined();
    company.down = true;
    try {
      expect(await login({}).endSession()).toBeUndefined();
    } finally {
      company.down = false;
    }
  });

  it('approves under their own name, whatever the request says, and the audit has who it was', async () => {
    const [ada, holder] = [person(), person()];
    await ada.logIn('ada');
    const call = (): Promise<unknown> =>
      modern(gateway.url, undefined, 'tools/call', { name: 'v__pay', arguments: { amount: Math.random() } });
    const waiting = async (): Promise<string> => (await ada.ask('approvals?state=pending')).json.approvals[0].id;
    await call();
    const first = await waiting();
    const approved = await ada.ask(`approvals/${first}/approve`, { by: 'the auditor', note: 'fine' });
    expect(approved.json.approval).toMatchObject({
      state: 'approved',
      by: `ada.l (${company.issuer}#ada)`,
      note: 'fine',
    });
    await call();
    const second = await waiting();
    const authorization = `Bearer ${ADMIN_TOKEN}`;
    const denied = await holder.ask(`approvals/${second}/deny`, { by: 'the night shift' }, { authorization });
    expect(denied.json.approval.by).toBe('the night shift');
    await expect
      .poll(async () => (await operations()).filter(({ action }) => String(action).startsWith('approvals/')))
      .toMatchObject([
        {
          operator: `${company.issuer}#ada`,
          person: 'ada.l',
          action: 'approvals/:id/approve',
          target: first,
          outcome: 'ok',
        },
        { operator: 'admin', action: 'approvals/:id/deny', target: second, outcome: 'ok' },
      ]);
    expect(logLine('An operator has changed something.').at(-1)).toMatchObject({ principal: 'admin', target: second });
  });

  it('who may only look sees everything and changes nothing, and the audit has the attempt', async () => {
    const vic = person();
    expect((await vic.logIn('vic')).json).toMatchObject({ name: 'vic', mayChange: false });
    for (const path of ['api/servers', 'api/calls', 'api/access', 'api/grants', 'approvals', 'api/connections']) {
      expect((await vic.ask(path)).status, path).toBe(200);
    }
    const changes: [string, object][] = [
      ['api/servers/v/restart', {}],
      ['api/servers/v/disconnect', {}],
      ['api/connect', { url: 'http://127.0.0.1:1/mcp' }],
      ['api/try', { method: 'tools/call', params: { name: 'v__pay', arguments: {} } }],
      ['api/complete', {}],
      ['api/recording', { minutes: 1 }],
      ['api/policy/try', {}],
      ['api/grants', { name: 'own' }],
      ['api/definitions/accept', { server: 'v' }],
      ['approvals/apr_1/approve', {}],
      ['api/connections/connect', { server: 'v' }],
    ];
    for (const [path, body] of changes) {
      const { status, json } = await vic.ask(path, body);
      expect([path, status, json.error.code]).toEqual([path, 403, 'SWB_FORBIDDEN']);
    }
    expect(upstream.calls('pay')).toEqual([]);
    await expect
      .poll(async () => (await operations()).filter(({ person, outcome }) => person === 'vic' && outcome === 'denied'))
      .toContainEqual(expect.objectContaining({ action: 'api/try'.slice(4), errorCode: 'SWB_FORBIDDEN' }));
    expect((await vic.ask('api/logout', {})).status).toBe(200);
    expect((await vic.ask('api/servers')).status).toBe(401);
  });

  it('with the admin token is let in as before, under no name', async () => {
    const holder = person();
    const { status, json } = await holder.ask('api/login', { token: ADMIN_TOKEN });
    expect([status, json.mayChange, 'name' in json]).toEqual([200, true, false]);
    holder.key = json.key;
    expect((await holder.ask('api/servers')).status).toBe(200);
    expect((await holder.ask('api/logout', {})).json).toEqual({});
    expect((await holder.ask('api/login')).json).toEqual({
      provider: { at: new URL(company.issuer).host, pages: `${gateway.origin}/admin/` },
    });
  });
});

describe('a person whom no claim makes an operator', () => {
  it.each([
    ['with other groups', 'bob', 'no rule of gateway.admin.login'],
    ['without the claim', 'kim', 'lacks claims'],
  ])('%s gets a page that says so and no session, and log and audit say it', async (_what, account, words) => {
    const stranger = person();
    const back = await stranger.arrive(account);
    expect([back.status, back.next]).toEqual([403, undefined]);
    expect(back.text).toContain('you are no operator of this gateway');
    expect(back.text).toContain(account);
    expect(back.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(back.headers.getSetCookie()).toEqual([expect.stringMatching(/^swb-admin-login\d+=; .*Max-Age=0/)]);
    expect((await stranger.ask('api/servers')).status).toBe(401);
    expect((await stranger.enter(back)).status).toBe(403);
    const line = logLine(words).at(-1);
    expect(line).toMatchObject({ principal: `${company.issuer}#${account}`, person: account });
    expect(JSON.stringify(line)).not.toContain('sales');
    await expect
      .poll(operations)
      .toContainEqual(
        expect.objectContaining({ operator: `${company.issuer}#${account}`, action: 'login', outcome: 'denied' }),
      );
  });

  it('who says no at the provider is told so, and can begin again', async () => {
    const ada = person();
    const state = (await ada.begin()).searchParams.get('state') ?? '';
    const back = new URL(`${gateway.origin}/admin/login/callback`);
    back.search = String(new URLSearchParams({ error: 'access_denied', state, iss: company.issuer }));
    const { status, text } = await ada.browser.visit(back);
    expect([status, /did not log you in/.test(text)]).toEqual([403, true]);
    expect((await ada.logIn('ada')).status).toBe(200);
  });
});

it('behind a proxy that ends TLS both cookies are __Host- and Secure, and others of these names open nothing', async () => {
  const own = await startOidc({ clients: [clientAt('https://gateway.example')], more: withClaims(PEOPLE) });
  const behind = await operatorGateway(
    { issuer: own.issuer, ...RULES },
    { gateway: { publicUrl: 'https://gateway.example', allowedHosts: ['gateway.example'] } },
  );
  const { port } = new URL(behind.url);
  /** As the proxy passes it on. */
  const ask = async (path: string, headers: Record<string, string>, body?: object) => {
    const type = body && { origin: 'https://gateway.example', 'content-type': 'application/json' };
    const sent = request({ port, host: '127.0.0.1', path, method: body ? 'POST' : 'GET' });
    for (const [name, value] of Object.entries({ host: 'gateway.example', ...type, ...headers }))
      sent.setHeader(name, value);
    sent.end(body && JSON.stringify(body));
    const [reply] = (await once(sent, 'response')) as [IncomingMessage];
    const text = Buffer.concat(await reply.toArray()).toString();
    return { status: reply.statusCode, cookie: reply.headers['set-cookie']?.[0] ?? '', headers: reply.headers, text };
  };
  const pair = (cookie: string): string => cookie.split(';', 1)[0] ?? '';
  try {
    const begun = await ask('/admin/api/login/begin', {}, {});
    expect(begun.cookie).toMatch(
      /^__Host-swb-admin-login=[^;]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=900; Secure$/,
    );
    const { pathname, search } = await own.login(JSON.parse(begun.text).url, 'ada');
    const plain = pair(begun.cookie).replace('__Host-', '');
    expect((await ask(pathname + search, { cookie: plain })).status).toBe(403);
    const back = await ask(pathname + search, { cookie: pair(begun.cookie) });
    expect([back.status, back.cookie]).toEqual([303, expect.stringMatching(/^__Host-swb-admin-login=.*; Secure$/)]);
    const link = /#login=(.*)$/.exec(back.headers.location ?? '')?.[1];
    const opened = await ask('/admin/api/login', { cookie: pair(back.cookie) }, { link });
    expect(opened.cookie).toMatch(/^__Host-swb-admin=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
    const session = { cookie: pair(opened.cookie), 'x-switchboard-key': JSON.parse(opened.text).key };
    expect((await ask('/admin/api/session', session)).status).toBe(200);
    const { status, text } = await ask('/admin/api/login/begin', { origin: 'http://gateway.example' }, {});
    expect([status, JSON.parse(text).error.message]).toEqual([403, 'Logins begin at https://gateway.example/admin/.']);
  } finally {
    await behind.close();
    await own.close();
  }
});

it('a provider that is away is said so, at the button and on the way back, and nobody is let in', async () => {
  const ada = person();
  const other = await startOidc();
  const elsewhere = await operatorGateway({ issuer: other.issuer, ...RULES });
  try {
    await other.close();
    const begun = await new Person(elsewhere.origin, other).ask('api/login/begin', {});
    expect([begun.status, begun.json.error.message]).toEqual([
      503,
      'The login provider does not answer. Try again in a moment.',
    ]);
    expect(JSON.stringify(begun.json)).not.toContain(new URL(other.issuer).port);
    const callback = await ada.callback('ada');
    company.down = true;
    const back = await ada.browser.visit(callback);
    expect([back.status, back.next]).toEqual([403, undefined]);
    expect(back.text).toContain('did not complete the login');
    expect((await ada.ask('api/servers')).status).toBe(401);
  } finally {
    company.down = false;
    await elsewhere.close();
  }
});

it('a state that is away lets in nobody, in a page that says so without its reason', async () => {
  const ada = person();
  const callback = await ada.callback('ada');
  const sessions = gateway.gateway.operators;
  if (!sessions) throw new Error('no sessions');
  const arrive = vi.spyOn(sessions, 'arrive').mockRejectedValue(new Error('no space at 10.0.0.7:6379'));
  try {
    const back = await ada.browser.visit(callback);
    expect([back.status, back.next]).toEqual([502, undefined]);
    expect(back.text).toContain('The gateway could not go on with this login.');
    expect(back.text).not.toContain('10.0.0.7');
  } finally {
    arrive.mockRestore();
  }
  expect((await ada.logIn('ada')).status).toBe(200);
});

it('sessions of people end with the rules that let them in, and outlive a restart with the same ones', async () => {
  const port = await freePort();
  const own = await startOidc({ clients: [clientAt(`http://127.0.0.1:${port}`)], more: withClaims(PEOPLE) });
  const login = { issuer: own.issuer, ...RULES };
  const first = await operatorGateway(login, { port });
  const ada = new Person(first.origin, own);
  try {
    await ada.logIn('ada');
    await first.stop();
    const again = await operatorGateway(login, { port, folder: first.folder });
    expect((await ada.ask('api/session')).json.name).toBe('ada.l');
    await again.stop();
    const file = JSON.parse(await (await import('node:fs/promises')).readFile(first.file, 'utf8'));
    file.gateway.admin.login.admins = [{ claim: 'groups', value: 'others' }];
    first.writeText(JSON.stringify(file));
    const changed = await operatorGateway(login, { port, folder: first.folder });
    expect((await ada.ask('api/session')).status).toBe(401);
    await changed.stop();
  } finally {
    await first.close();
    await own.close();
  }
});
