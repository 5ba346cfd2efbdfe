import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RecordingLog, recordingLog } from '../../../adapters/testing/context.ts';
import { gatewayAuthenticator } from '../../auth/authenticators.ts';
import { ConnectRequests } from '../../auth/connect/requests.ts';
import { MemoryLogins } from '../../auth/connect/testing/memory-logins.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { grantIdentity } from '../../core/identity.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import { createHttpEndpoint, type HttpEndpoint } from '../http/server.ts';
import { gatewayConfig, silentLog } from '../testing/http.ts';
import { StubRelay, stubFederation } from '../testing/stub-relay.ts';

const PUBLIC = 'https://gate.example';
const HOSTILE = '<img src=x onerror=alert(1)>"\u202e';

let endpoint: HttpEndpoint;
let origin: string;
let base: string | undefined;
let log: RecordingLog;
let logins: MemoryLogins;
let requests: ConnectRequests;

beforeEach(async () => {
  const secret = randomBytes(32);
  log = recordingLog();
  logins = new MemoryLogins();
  requests = new ConnectRequests(memoryState(silentLog).kv, secret);
  endpoint = createHttpEndpoint({
    relay: new StubRelay(),
    federation: stubFederation(),
    config: gatewayConfig({ allowedOrigins: ['https://app.example'], allowedHosts: ['gate.example'] }),
    log,
    health: () => ({ ready: true, servers: {} }),
    timing: { closeGraceMs: 200 },
    auth: gatewayAuthenticator('a-token'),
    connect: { logins, requests, secret, base: () => base, ready: async () => {} },
  });
  const { port } = await endpoint.listen();
  origin = `http://127.0.0.1:${port}`;
  base = origin;
});
afterEach(() => endpoint.close());

const ask = async (server = 'mail', principal = 'ada') =>
  (await requests.open(grantIdentity(principal), { server, reason: 'login', scopes: ['read'] }, { client: HOSTILE }))
    .id;

interface Shown {
  status: number;
  headers: Headers;
  text: string;
}

/** A browser as far as these pages need one: it keeps cookies and sends the origin of its page with forms. */
class Person {
  cookie: string | undefined;

  async get(path: string, from?: string): Promise<Shown> {
    return this.#send(path, { headers: from === undefined ? {} : { referer: from } });
  }

  async type(id: string, code: string, changes: { form?: string; origin?: string | null } = {}): Promise<Shown> {
    const { text } = await this.get(`/connect/${id}`);
    const form = changes.form ?? /name="form" value="([^"]*)"/.exec(text)?.[1] ?? '';
    return this.post(id, new URLSearchParams({ form, code }), changes.origin);
  }

  post(id: string, body: URLSearchParams, from: string | null | undefined = origin): Promise<Shown> {
    return this.#send(`/connect/${id}`, { method: 'POST', body, headers: from === null ? {} : { origin: from } });
  }

  async #send(path: string, init: RequestInit): Promise<Shown> {
    const headers = { ...init.headers, ...(this.cookie === undefined ? {} : { cookie: this.cookie }) };
    const response = await fetch(`${origin}${path}`, { ...init, headers, redirect: 'manual' });
    const set = response.headers.get('set-cookie');
    if (set !== null) this.cookie = set.split(';')[0];
    return { status: response.status, headers: response.headers, text: await response.text() };
  }
}

const onwardTo = ({ headers }: Shown): URL => new URL(String(headers.get('refresh')).replace('0; url=', ''));

/** What the authorization server sends the browser back with. */
const callbackOf = (onward: URL, account: string): string =>
  `/connect/callback?${new URLSearchParams({ state: onward.searchParams.get('state') ?? '', code: account, iss: onward.origin })}`;

describe('the page of a login', () => {
  it('asks whoever opens it for the code, and says whose calls will use the login', async () => {
    const { status, text, headers } = await new Person().get(`/connect/${await ask()}`);
    expect(status).toBe(200);
    expect(text).toContain('<bdi>mail</bdi>');
    expect(text).toContain('<bdi>ada</bdi>');
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none';.* form-action 'self'$/);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(logins.begun).toEqual([]);
  });

  it('shows hostile names as text', async () => {
    const { text } = await new Person().get(`/connect/${await ask(HOSTILE, 'mallory<script>')}`);
    expect(text).not.toMatch(/<img|<script|\u202e/);
    expect(text).toContain('&lt;img src=x onerror=alert(1)&gt;&quot;\\u202e');
  });

  it('leads to the authorization server once the code is right, and says afterwards that the client can go on', async () => {
    const id = await ask();
    const person = new Person();
    const onward = await person.type(id, requests.codeOf(id).toLowerCase());
    expect(onward.status).toBe(200);
    expect(onwardTo(onward).origin).toBe('https://accounts.example');
    expect(onward.text).toContain('accounts.example');
    expect(logins.begun).toEqual([
      { principal: 'ada', server: 'mail', redirectUri: `${origin}/connect/callback`, scopes: ['read'] },
    ]);
    const back = await person.get(callbackOf(onwardTo(onward), 'ada@mail'));
    expect([back.status, back.headers.get('location')]).toEqual([303, `${origin}/connect/${id}`]);
    expect(logins.accounts).toEqual(new Map([['ada mail', 'ada@mail']]));
    expect((await person.get(`/connect/${id}`)).text).toContain('You are connected');
  });

  it.each([
    ['a wrong code', (id: string, person: Person) => person.type(id, 'BBBB-BBBB'), 422],
    ['no code', (id: string, person: Person) => person.type(id, ''), 422],
    [
      'the form of another page',
      (id: string, person: Person) => person.type(id, requests.codeOf(id), { form: 'x' }),
      403,
    ],
    [
      'a form from another site',
      (id: string, person: Person) => person.type(id, requests.codeOf(id), { origin: 'https://evil.example' }),
      403,
    ],
    [
      'a form from a site whose pages may call the gateway',
      (id: string, person: Person) => person.type(id, requests.codeOf(id), { origin: 'https://app.example' }),
      403,
    ],
    [
      'a form without an origin',
      (id: string, person: Person) => person.type(id, requests.codeOf(id), { origin: null }),
      403,
    ],
    [
      'a form without its cookie',
      (id: string) => new Person().post(id, new URLSearchParams({ code: requests.codeOf(id), form: '' })),
      403,
    ],
  ])('begins nothing for %s', async (_what, send, status) => {
    expect((await send(await ask(), new Person())).status).toBe(status);
    expect(logins.begun).toEqual([]);
  });

  it('closes after five wrong codes', async () => {
    const id = await ask();
    const person = new Person();
    const found: number[] = [];
    for (let n = 0; n < 6; n++) found.push((await person.type(id, 'BBBB-BBBB')).status);
    expect(found).toEqual([422, 422, 422, 422, 410, 410]);
    expect((await person.type(id, requests.codeOf(id))).status).toBe(410);
    expect((await new Person().get(`/connect/${id}`)).text).toContain('This link is closed');
    expect(logins.begun).toEqual([]);
  });

  it('is one answer for an unknown and a malformed address', async () => {
    const unknown = await new Person().get(`/connect/${'A'.repeat(22)}`);
    const malformed = await new Person().get('/connect/x');
    expect([unknown.status, malformed.status]).toEqual([404, 404]);
    expect(unknown.text).toBe(malformed.text);
  });

  it.each([
    ['PUT', '/connect/x', {}, 405],
    ['POST', '/connect/callback', {}, 405],
    ['POST', undefined, { 'content-type': 'application/json' }, 415],
    ['POST', undefined, { 'content-type': 'application/x-www-form-urlencoded', big: '1' }, 413],
  ])('refuses %s %s %j', async (method, path, { big, ...headers }: Record<string, string>, status) => {
    const address = path ?? `/connect/${await ask()}`;
    const body = method === 'POST' ? (big ? 'x'.repeat(5_000) : '{}') : null;
    const response = await fetch(`${origin}${address}`, { method, headers, body });
    expect(response.status).toBe(status);
    await response.text();
  });

  it('says so where the authorization server cannot be used, and the log too', async () => {
    logins.failure = new SwitchboardError('SWB_LOGIN_FAILED', 'The authorization server cannot be reached.');
    const id = await ask();
    const { status, text } = await new Person().type(id, requests.codeOf(id));
    expect(status).toBe(502);
    expect(text).toContain('The authorization server cannot be reached.');
    expect(log.lines).toContainEqual({
      level: 'warn',
      message: 'A login to a server could not go on.',
      fields: { server: undefined, err: logins.failure },
    });
  });

  it('has a cookie that other hosts cannot set where it is reached over https', async () => {
    base = PUBLIC;
    const id = await ask();
    const response = await fetch(`${origin}/connect/${id}`);
    expect(response.headers.get('set-cookie')).toMatch(
      /^__Host-swb-connect=[\w-]{22}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=1800; Secure$/,
    );
    await response.text();
    // The name without the prefix means nothing there.
    const person = new Person();
    person.cookie = `swb-connect=${String(response.headers.get('set-cookie')).split(/[=;]/)[1]}`;
    await person.type(id, requests.codeOf(id), { origin: PUBLIC });
    expect(person.cookie).toMatch(/^__Host-/);
  });

  it('needs no key, and opens nothing else', async () => {
    expect((await fetch(`${origin}/connect`)).status).toBe(401);
    expect((await fetch(`${origin}/connect/a/b`)).status).toBe(401);
  });
});

describe('an account is not taken over', () => {
  it('by a link that an attacker sends: the victim is not told the code', async () => {
    const id = await ask('mail', 'attacker');
    const victim = new Person();
    const page = await victim.get(`/connect/${id}`, 'https://chat.example/');
    expect(page.text).toContain('<bdi>attacker</bdi>');
    expect(page.text).not.toContain(requests.codeOf(id));
    expect((await victim.type(id, 'ABCD-EFGH')).status).toBe(422);
    expect(logins.begun).toEqual([]);
  });

  it('by a login that an attacker began and a victim finishes: the victim’s browser is another one', async () => {
    const id = await ask('mail', 'attacker');
    const onward = onwardTo(await new Person().type(id, requests.codeOf(id)));
    // The victim logs in at the address that the attacker got, and has even opened the attacker's page before.
    const victim = new Person();
    await victim.get(`/connect/${id}`);
    const back = await victim.get(callbackOf(onward, 'victim@mail'));
    expect(back.status).toBe(403);
    expect(back.text).toContain('began in another browser');
    expect(logins.accounts.size).toBe(0);
  });

  it('by the code of that login afterwards: the login has ended', async () => {
    const id = await ask('mail', 'attacker');
    const attacker = new Person();
    const onward = onwardTo(await attacker.type(id, requests.codeOf(id)));
    await new Person().get(callbackOf(onward, 'victim@mail'));
    expect((await attacker.get(callbackOf(onward, 'victim@mail'))).status).toBe(400);
    expect(logins.accounts.size).toBe(0);
  });

  it('by a cookie that an attacker makes up', async () => {
    const id = await ask('mail', 'attacker');
    const attacker = new Person();
    const onward = onwardTo(await attacker.type(id, requests.codeOf(id)));
    const victim = new Person();
    victim.cookie = String(attacker.cookie).replace(/\.[\w-]+$/, `.${'A'.repeat(43)}`);
    expect((await victim.get(callbackOf(onward, 'victim@mail'))).status).toBe(403);
    expect(logins.accounts.size).toBe(0);
  });

  it('by an answer that is replayed, has no state, two states or one that never was', async () => {
    const id = await ask();
    const person = new Person();
    const answer = callbackOf(onwardTo(await person.type(id, requests.codeOf(id))), 'ada@mail');
    expect((await person.get(answer)).status).toBe(303);
    for (const path of [
      answer,
      '/connect/callback?code=x',
      '/connect/callback?state=',
      '/connect/callback?state=never-was&code=x',
      `${answer}&state=another`,
    ]) {
      const { status, text } = await person.get(path);
      expect([status, text.includes('This login is not known')]).toEqual([400, true]);
    }
    expect([...logins.accounts.values()]).toEqual(['ada@mail']);
  });

  it('by an answer of another issuer, and the person can try again', async () => {
    const id = await ask();
    const person = new Person();
    const onward = onwardTo(await person.type(id, requests.codeOf(id)));
    const mixed = callbackOf(onward, 'ada@mail').replace('accounts.example', 'evil.example');
    const { status, text } = await person.get(mixed);
    expect(status).toBe(400);
    expect(text).toContain(`href="${origin}/connect/${id}"`);
    expect(logins.accounts.size).toBe(0);
    const again = onwardTo(await person.type(id, requests.codeOf(id)));
    expect((await person.get(callbackOf(again, 'ada@mail'))).status).toBe(303);
  });

  it('and a person who refuses is told so, without the words of a query', async () => {
    const id = await ask();
    const person = new Person();
    const onward = onwardTo(await person.type(id, requests.codeOf(id)));
    const query = new URLSearchParams({
      state: onward.searchParams.get('state') ?? '',
      error: 'access_denied',
      error_description: '<b>call 0800-EVIL</b>',
    });
    const { status, text } = await person.get(`/connect/callback?${query}`);
    expect(status).toBe(400);
    expect(text).toContain('The login was refused');
    expect(text).not.toContain('EVIL');
  });
});
