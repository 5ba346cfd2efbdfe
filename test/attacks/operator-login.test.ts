/** Round the login of operators: forged, replayed and borrowed ways back, claims of other types, sessions that are not one's own. */
import { decodeJwt, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../src/core/testing/free-port.ts';
import type { Visit } from '../auth/browser.ts';
import {
  ADMIN_TOKEN,
  CLIENT,
  clientAt,
  codeIn,
  type OperatorGateway,
  operatorGateway,
  Person,
  withClaims,
} from '../auth/operator.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { auditLines, auditText } from '../policy/gateway.ts';

const MINUTE = 60_000;
const ADMIN = { groups: ['platform'] };
const PEOPLE = {
  ada: ADMIN,
  eve: ADMIN,
  zoe: ADMIN,
  text: { groups: 'platform,sre' },
  object: { groups: { platform: true } },
  nested: { groups: [['platform']] },
  number: { groups: 1 },
  yes: { groups: true },
  upper: { groups: ['PLATFORM'] },
  mail: { groups: [], email: 'boss@acme.example', email_verified: false },
  quoted: { groups: [], email: 'boss@acme.example', email_verified: 'true' },
  named: { groups: [], preferred_username: 'platform', name: 'platform' },
};
const RULES = {
  admins: [
    { claim: 'groups', value: 'platform' },
    { claim: 'email', value: 'boss@acme.example' },
  ],
};

let company: Oidc;
let gateway: OperatorGateway;

beforeAll(async () => {
  const port = await freePort();
  company = await startOidc({ clients: [clientAt(`http://127.0.0.1:${port}`)], more: withClaims(PEOPLE) });
  gateway = await operatorGateway({ issuer: company.issuer, ...RULES }, { port });
});
afterAll(async () => {
  await gateway?.close();
  await company?.close();
});
afterEach(() => {
  vi.useRealTimers();
  company.changeIdToken = undefined;
});

const person = (): Person => new Person(gateway.origin, company);

/** Requests to the provider's token endpoint so far. */
const redeemed = (): number => company.requests.get('/token') ?? 0;

/** Not let in: a page, nowhere to go on to, and no session. */
async function isShutOut(who: Person, back: Visit, words = 'This login is over, or was begun in another browser.') {
  expect([back.status, back.next]).toEqual([403, undefined]);
  expect(back.text).toContain(words);
  expect(back.text).not.toMatch(/at .*\.ts:|node_modules|127\.0\.0\.1:\d+\/token/);
  expect((await who.ask('api/servers')).status).toBe(401);
}

const changed = (url: URL, change: (query: URLSearchParams) => void): URL => {
  const other = new URL(url);
  change(other.searchParams);
  return other;
};

describe('the way back from the provider', () => {
  it.each<[string, (query: URLSearchParams) => void]>([
    ['another state', (query) => query.set('state', 'x'.repeat(43))],
    ['no state', (query) => query.delete('state')],
    ['an empty state', (query) => query.set('state', '')],
    ['its state twice', (query) => query.append('state', query.get('state') ?? '')],
  ])('with %s lets in nobody, and asks the provider nothing', async (_what, change) => {
    const ada = person();
    const back = changed(await ada.callback('ada'), change);
    const before = redeemed();
    await isShutOut(ada, await ada.browser.visit(back));
    expect(redeemed()).toBe(before);
  });

  it.each<[string, (query: URLSearchParams) => void, string]>([
    ['of another issuer', (query) => query.set('iss', 'https://evil.example'), 'did not come from your login provider'],
    ['without its issuer', (query) => query.delete('iss'), 'did not come from your login provider'],
    ['without a code', (query) => query.delete('code'), 'did not log you in'],
    ['with an error beside the code', (query) => query.set('error', 'server_error'), 'did not log you in'],
  ])('%s lets in nobody', async (_what, change, words) => {
    const ada = person();
    const back = changed(await ada.callback('ada'), change);
    const before = redeemed();
    await isShutOut(ada, await ada.browser.visit(back), words);
    expect(redeemed()).toBe(before);
  });

  it('with a made-up code, or with two, lets in nobody', async () => {
    const ada = person();
    const madeUp = changed(await ada.callback('ada'), (query) => query.set('code', 'x'.repeat(43)));
    await isShutOut(ada, await ada.browser.visit(madeUp), 'did not complete the login');
    const two = changed(await ada.callback('ada'), (query) => query.append('code', 'x'.repeat(43)));
    await isShutOut(ada, await ada.browser.visit(two), 'did not log you in');
  });

  it('opened by another person puts nobody’s account into their browser, whether or not they log in themselves', async () => {
    const [eve, victim] = [person(), person()];
    const link = await eve.callback('eve');
    await isShutOut(victim, await victim.browser.visit(link));
    const own = await victim.callback('ada');
    const mixed = changed(own, (query) => query.set('code', link.searchParams.get('code') ?? ''));
    await isShutOut(victim, await victim.browser.visit(mixed), 'did not complete the login');
    const again = await victim.callback('ada');
    await isShutOut(victim, await victim.browser.visit(link));
    // The victim's own way back ended with that.
    await isShutOut(victim, await victim.browser.visit(again));
  });

  it('is taken once: not again, not with the cookie put back, and not with another code for the same state', async () => {
    const ada = person();
    const asked = await ada.begin();
    const cookie = ada.browser.cookies(gateway.origin);
    const [first, second] = [await company.login(asked, 'ada'), await company.login(asked, 'ada')];
    expect(first.searchParams.get('code')).not.toBe(second.searchParams.get('code'));
    expect((await ada.browser.visit(first)).status).toBe(303);
    expect((await ada.browser.visit(first)).status).toBe(403);
    for (const replay of [first, second]) {
      const reply = await fetch(replay, { headers: { cookie }, redirect: 'manual' });
      expect([reply.status, reply.headers.get('location')]).toEqual([403, null]);
      expect(await reply.text()).toMatch(/This login is over|did not complete the login/);
    }
  });

  it('has the provider asked for tokens once for each login, whatever code comes with it', async () => {
    const ada = person();
    const back = changed(await ada.callback('ada'), (query) => query.set('code', 'x'.repeat(43)));
    const cookie = ada.browser.cookies(gateway.origin);
    const before = redeemed();
    for (let n = 0; n < 5; n++) {
      const reply = await fetch(back, { headers: { cookie }, redirect: 'manual' });
      expect([reply.status, reply.headers.get('location')]).toEqual([403, null]);
      await reply.text();
    }
    expect(redeemed()).toBe(before + 1);
  });

  it('does not fill the log: no line without a login begun in that browser, and one for many of a kind', async () => {
    const own = await operatorGateway({ issuer: company.issuer, ...RULES });
    try {
      const back = `${own.origin}/admin/login/callback?state=${'x'.repeat(43)}&code=x`;
      const statusWith = async (cookie: string): Promise<number> => {
        const reply = await fetch(back, { headers: { cookie }, redirect: 'manual' });
        await reply.text();
        return reply.status;
      };
      const refusals = (): number => own.log().split('A login of an operator was refused').length - 1;
      const before = own.log();
      for (let n = 0; n < 10; n++) expect(await statusWith('')).toBe(403);
      expect(own.log()).toBe(before);
      const someone = new Person(own.origin, company);
      await someone.begin();
      for (let n = 0; n < 10; n++) expect(await statusWith(someone.browser.cookies(own.origin))).toBe(403);
      expect(refusals()).toBe(1);
    } finally {
      await own.close();
    }
  });

  it('is taken once by two requests at one time', async () => {
    const ada = person();
    const back = await ada.callback('ada');
    const cookie = ada.browser.cookies(gateway.origin);
    const replies = await Promise.all(
      Array.from({ length: 4 }, () => fetch(back, { headers: { cookie }, redirect: 'manual' })),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([303, 403, 403, 403]);
    await Promise.all(replies.map((reply) => reply.text()));
  });

  it('after a quarter of an hour is over', async () => {
    const ada = person();
    const asked = await ada.begin();
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 16 * MINUTE);
    const back = await company.login(asked, 'ada');
    const before = redeemed();
    await isShutOut(ada, await ada.browser.visit(back));
    expect(redeemed()).toBe(before);
  });

  it('leads to the pages and nowhere else, whatever stands in the address', async () => {
    const ada = person();
    const back = changed(await ada.callback('ada'), (query) => {
      for (const name of ['redirect', 'redirect_uri', 'return_to', 'next', 'url'])
        query.set(name, 'https://evil.example/');
    });
    const { next, headers } = await ada.browser.visit(`${back}#https://evil.example/`);
    expect(headers.get('location')).toMatch(/^\.\.\/#login=[\w-]{43}$/);
    expect(next?.href.replace(/=.*/, '')).toBe(`${gateway.origin}/admin/#login`);
    const asked = new URL((await ada.ask('api/login/begin?redirect_uri=https://evil.example/', {})).json.url);
    expect(asked.searchParams.get('redirect_uri')).toBe(`${gateway.origin}/admin/login/callback`);
  });

  it('with a cookie that is made up, sealed elsewhere or cut lets in nobody', async () => {
    const ada = person();
    const back = await ada.callback('ada');
    const cookie = ada.browser.cookies(gateway.origin);
    const [name = '', sealed = ''] = cookie.split(/=(.*)/s);
    const other = await operatorGateway({ issuer: company.issuer, ...RULES });
    try {
      const foreign = new Person(other.origin, company);
      await foreign.begin();
      const [, elsewhere = ''] = foreign.browser.cookies(other.origin).split(/=(.*)/s);
      const plain = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
      for (const value of [
        elsewhere,
        sealed.slice(0, -4),
        `${plain}..${sealed.split('.').slice(2).join('.')}`,
        'x',
        '',
      ]) {
        const reply = await fetch(back, { headers: { cookie: `${name}=${value}` }, redirect: 'manual' });
        expect([reply.status, (await reply.text()).includes('This login is over')]).toEqual([403, true]);
      }
    } finally {
      await other.close();
    }
    expect((await ada.browser.visit(back)).status).toBe(303);
  });
});

describe('a claim', () => {
  it.each(['text', 'object', 'nested', 'number', 'yes', 'upper', 'mail', 'quoted', 'named', 'missing'])(
    'of another type, spelling or name makes no operator: %s',
    async (account) => {
      const stranger = person();
      await isShutOut(stranger, await stranger.arrive(account), 'you are no operator of this gateway');
    },
  );

  it('counts in the ID token of the token endpoint alone: one in the address is not read', async () => {
    const stranger = person();
    const token = await company.sign({ ...company.claims(CLIENT.clientId), groups: ['platform'] });
    const link = changed(await stranger.callback('text'), (query) => query.set('id_token', token));
    await isShutOut(stranger, await stranger.browser.visit(link), 'you are no operator of this gateway');
  });
});

/** Seconds since the epoch. */
const inSeconds = (from: number): number => Math.floor(Date.now() / 1_000) + from;

describe('an ID token of the provider', () => {
  const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

  it.each<[string, (claims: JWTPayload) => string | Promise<string>]>([
    [
      'signed with another key of the same name',
      async (claims) => {
        const { privateKey } = await generateKeyPair('RS256');
        const { kid } = company.publicKey();
        return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: String(kid) }).sign(privateKey);
      },
    ],
    ['with the nonce of another login', (claims) => company.sign({ ...claims, nonce: 'x'.repeat(43) })],
    ['for another client', (claims) => company.sign({ ...claims, aud: 'another-client' })],
    [
      'for two clients that does not say which one asked',
      ({ azp: _asked, ...claims }) => company.sign({ ...claims, aud: [CLIENT.clientId, 'another-client'] }),
    ],
    ['that has expired', (claims) => company.sign({ ...claims, iat: inSeconds(-600), exp: inSeconds(-60) })],
    ['without a signature (alg none)', (claims) => `${encoded({ alg: 'none' })}.${encoded(claims)}.`],
  ])('%s lets in nobody', async (_what, forge) => {
    const ada = person();
    let forged = 0;
    company.changeIdToken = (token) => {
      forged++;
      return forge(decodeJwt(token));
    };
    await isShutOut(ada, await ada.arrive('ada'), 'The ID token of your login provider is not valid.');
    expect(forged).toBe(1);
  });

  it('signed anew with the key of the provider lets in who it names: the others are refused for what was changed', async () => {
    const ada = person();
    company.changeIdToken = (token) => company.sign(decodeJwt(token));
    expect((await ada.logIn('ada')).status).toBe(200);
    expect((await ada.ask('api/servers')).status).toBe(200);
  });
});

describe('the code with which a browser is back', () => {
  it('opens a session in that browser alone, once, within a minute', async () => {
    const [ada, eve] = [person(), person()];
    const back = await ada.arrive('ada');
    await eve.begin();
    expect((await eve.enter(back)).status).toBe(403);
    // It was shown to another browser, and is worth nothing to its own either.
    expect((await ada.enter(back)).status).toBe(403);
    const second = await ada.arrive('ada');
    expect((await ada.enter(second)).status).toBe(200);
    const { json } = await ada.ask('api/login', { link: codeIn(second.next) });
    expect(json.error.code).toBe('SWB_FORBIDDEN');
    const late = await ada.arrive('ada');
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + MINUTE + 1);
    expect((await ada.enter(late)).status).toBe(403);
  });
});

describe('a session', () => {
  it('is a new one after each login: what was put into the browser before is not let in, and what was there ends', async () => {
    const [ada, before] = [person(), person()];
    await ada.logIn('ada');
    const old = { key: ada.key ?? '', cookie: ada.browser.cookies(gateway.origin) };
    before.browser.set(gateway.origin, `swb-admin${new URL(gateway.origin).port}`, 'chosen-by-an-attacker');
    await before.logIn('ada');
    expect(before.browser.cookies(gateway.origin)).not.toContain('chosen-by-an-attacker');
    await ada.logIn('ada');
    expect(ada.browser.cookies(gateway.origin)).not.toBe(old.cookie);
    const again = await fetch(`${gateway.origin}/admin/api/servers`, {
      headers: { cookie: old.cookie, 'x-switchboard-key': old.key },
    });
    expect(again.status).toBe(401);
    await again.text();
    expect((await ada.ask('api/servers')).status).toBe(200);
  });

  it('ends after twelve hours, and two without use', async () => {
    const [ada, eve] = [person(), person()];
    await ada.logIn('ada');
    await eve.logIn('eve');
    const start = Date.now();
    vi.useFakeTimers({ toFake: ['Date'] });
    for (let hours = 1; hours < 12; hours++) {
      vi.setSystemTime(start + hours * 60 * MINUTE);
      expect((await ada.ask('api/servers')).status).toBe(200);
      if (hours === 2) expect((await eve.ask('api/servers')).status).toBe(401);
    }
    vi.setSystemTime(start + 12 * 60 * MINUTE + 1);
    expect((await ada.ask('api/servers')).status).toBe(401);
  });

  it('ends its streams with it', async () => {
    const ada = person();
    await ada.logIn('ada');
    const cookie = ada.browser.cookies(gateway.origin);
    const stream = await fetch(`${gateway.origin}/admin/api/events`, {
      headers: { cookie, 'x-switchboard-key': ada.key ?? '' },
    });
    expect(stream.status).toBe(200);
    const reader = stream.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    await ada.ask('api/logout', {});
    for (;;) if ((await reader?.read())?.done !== false) break;
  });

  it('is no use to a page of another origin, nor by its cookie or its key alone, and cannot be begun from there', async () => {
    const ada = person();
    await ada.logIn('ada');
    const cookie = ada.browser.cookies(gateway.origin);
    const status = async (path: string, init: RequestInit): Promise<number> => {
      const reply = await fetch(`${gateway.origin}/admin/${path}`, init);
      await reply.text();
      return reply.status;
    };
    const key = { 'x-switchboard-key': ada.key ?? '' };
    expect(await status('api/servers', { headers: { cookie } })).toBe(401);
    expect(await status('api/servers', { headers: key })).toBe(401);
    expect(await status('api/servers', { headers: { cookie, ...key, origin: 'http://127.0.0.1:1' } })).toBe(403);
    const json = { method: 'POST', body: '{}' };
    const type = { 'content-type': 'application/json' };
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1:1']) {
      expect(await status('api/login/begin', { ...json, headers: { ...type, origin } }), origin).toBe(403);
      expect(await status('api/logout', { ...json, headers: { ...type, cookie, ...key, origin } }), origin).toBe(403);
    }
    expect(await status('api/login/begin', { ...json, headers: type })).toBe(403);
    expect(await status('api/login/begin', { headers: { origin: gateway.origin } })).toBe(401);
    // A form of another site can send no JSON.
    const form = { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.origin };
    expect(await status('api/login/begin', { method: 'POST', body: 'a=b', headers: form })).toBe(415);
    expect((await ada.ask('api/servers')).status).toBe(200);
  });

  it('begins at the public address alone, where its cookie will be when the browser comes back', async () => {
    const { port } = new URL(gateway.origin);
    const other = new Person(`http://localhost:${port}`, company);
    const { status, json } = await other.ask('api/login/begin', {});
    expect([status, json.error.message]).toEqual([403, `Logins begin at ${gateway.origin}/admin/.`]);
  });

  it('of a person does not become one of the admin token by a header that replicas send each other', async () => {
    const operator = Buffer.from(JSON.stringify({ principal: 'x', name: 'the boss', mayChange: true })).toString(
      'base64url',
    );
    const holder = person();
    const authorization = `Bearer ${ADMIN_TOKEN}`;
    const { json } = await holder.ask('api/session', undefined, { authorization, 'x-switchboard-operator': operator });
    expect(json.name).toBeUndefined();
    expect((await holder.ask('api/servers', undefined, { 'x-switchboard-operator': operator })).status).toBe(401);
  });
});

it('nothing of a login is in the log, in the audit or in an answer: no code, no secret, no token', async () => {
  const zoe = person();
  const asked = await zoe.begin();
  const back = await company.login(asked, 'zoe');
  const arrived = await zoe.browser.visit(back);
  const { json } = await zoe.enter(arrived);
  const secrets = [
    back.searchParams.get('code'),
    asked.searchParams.get('state'),
    asked.searchParams.get('nonce'),
    codeIn(arrived.next),
    json.key,
    CLIENT.clientSecret,
    ADMIN_TOKEN,
  ].map(String);
  const answers = JSON.stringify([(await zoe.ask('api/session')).json, (await zoe.ask('api/login')).json]);
  const principal = `${company.issuer}#zoe`;
  const login = { operator: principal, action: 'login', outcome: 'ok' };
  await expect.poll(() => auditLines(gateway)).toContainEqual(expect.objectContaining(login));
  const logged = (): string[] =>
    gateway
      .log()
      .split('\n')
      .filter((line) => line.includes(principal));
  await expect.poll(logged).toContainEqual(expect.stringContaining('An operator has logged in.'));
  const audit = auditText(gateway).join('\n');
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(20);
    expect(gateway.log()).not.toContain(secret);
    expect(audit).not.toContain(secret);
    expect(answers).not.toContain(secret);
  }
});
