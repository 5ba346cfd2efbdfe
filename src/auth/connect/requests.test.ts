import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { grantIdentity, LOCAL_IDENTITY } from '../../core/identity.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import { LoginPages } from './login-pages.ts';
import { ConnectRequests, MAX_WRONG_CODES } from './requests.ts';
import { MemoryLogins } from './testing/memory-logins.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const secret = randomBytes(32);
const NEEDED = { server: 'mail', reason: 'login', scopes: ['read'] } as const;
const ada = grantIdentity('ada');

/** Two replicas on one state. */
function replicas(): [ConnectRequests, ConnectRequests] {
  const { kv } = memoryState(silent);
  return [new ConnectRequests(kv, secret), new ConnectRequests(kv, secret)];
}

describe('a request to log in', () => {
  it('is one for each principal and server, however often a client calls', async () => {
    const [requests, other] = replicas();
    const first = await requests.open(ada, NEEDED, { client: 'a client' });
    expect((await other.open(ada, NEEDED)).id).toBe(first.id);
    expect((await requests.open(grantIdentity('bob'), NEEDED)).id).not.toBe(first.id);
    expect((await requests.open(ada, { ...NEEDED, server: 'files' })).id).not.toBe(first.id);
    expect(await other.find(first.id)).toEqual(first);
  });

  it('is a new one where more rights are needed, and after it has ended', async () => {
    const [requests] = replicas();
    const first = await requests.open(ada, NEEDED);
    const second = await requests.open(ada, { server: 'mail', reason: 'step-up', scopes: ['read', 'write'] });
    expect(second.id).not.toBe(first.id);
    await requests.finish(second.id);
    expect(await requests.find(second.id)).toMatchObject({ finished: true });
    expect((await requests.open(ada, NEEDED)).id).not.toBe(second.id);
  });

  it('has a code that every replica derives, written in any way, and no other request has', async () => {
    const [requests, other] = replicas();
    const { id } = await requests.open(ada, NEEDED);
    const code = requests.codeOf(id);
    expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    expect(other.codeOf(id)).toBe(code);
    expect(await other.type(id, ` ${code.toLowerCase().replace('-', ' ')} `)).toBe('right');
    const another = await requests.open(grantIdentity('bob'), NEEDED);
    expect(requests.codeOf(another.id)).not.toBe(code);
    expect(await requests.type(another.id, code)).toBe('wrong');
  });

  it('takes five wrong codes in all replicas together, also at one time, and then no right one', async () => {
    const [requests, other] = replicas();
    const { id } = await requests.open(ada, NEEDED);
    const typed = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (n % 2 ? requests : other).type(id, 'BBBB-BBBB')),
    );
    expect(typed.filter((found) => found === 'wrong')).toHaveLength(MAX_WRONG_CODES - 1);
    expect(await other.type(id, requests.codeOf(id))).toBe('locked');
    expect((await requests.open(ada, NEEDED)).id).not.toBe(id);
  });

  it('counts no right code', async () => {
    const [requests] = replicas();
    const { id } = await requests.open(ada, NEEDED);
    for (let n = 0; n < 2 * MAX_WRONG_CODES; n++) expect(await requests.type(id, requests.codeOf(id))).toBe('right');
  });

  it('has a login that comes back once, and only in its browser', async () => {
    const [requests, other] = replicas();
    const { id } = await requests.open(ada, NEEDED);
    await requests.begun(id, 'a-state', 'browser-1');
    const login = await other.take('a-state');
    expect(login?.id).toBe(id);
    expect([login?.isFrom('browser-1'), login?.isFrom('browser-2'), login?.isFrom(undefined)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(await requests.take('a-state')).toBeUndefined();
  });

  it.each(['', 'x', '../etc', 'a'.repeat(22), '__proto__'])('is unknown by the id %j', async (id) => {
    const [requests] = replicas();
    expect(await requests.find(id)).toBeUndefined();
  });
});

describe('the way to log in', () => {
  const pages = (base: string | undefined, logins = new MemoryLogins()) =>
    new LoginPages({ logins, requests: replicas()[0], base: () => base, ready: async () => {} });

  it.each(['https://gate.example/x', 'http://127.0.0.1:7300', 'http://localhost:7300', 'http://[::1]:7300'])(
    'is a page at %s whose address says nothing',
    async (base) => {
      const { page, message, command } = await pages(base).wayFor(ada, NEEDED);
      expect(page?.url).toMatch(new RegExp(`^${base.replace(/[[\].]/g, '\\$&')}/connect/[\\w-]{22}$`));
      expect(message).toContain(page?.code);
      expect(message).not.toContain('http');
      expect(command).toBe('switchboard connections connect mail --grant ada');
    },
  );

  it.each([undefined, 'http://gate.example', 'http://10.0.0.1:7300', 'no url'])(
    'is a command where browsers reach the gateway at %s',
    async (base) => {
      const { page, command } = await pages(base).wayFor(LOCAL_IDENTITY, NEEDED);
      expect(page).toBeUndefined();
      expect(command).toBe('switchboard connections connect mail');
    },
  );

  it('is the operator’s alone for a server with one login for everybody', async () => {
    const logins = new MemoryLogins();
    logins.shared.add('mail');
    const { page, message, command } = await pages('https://gate.example', logins).wayFor(ada, NEEDED);
    expect(page).toBeUndefined();
    expect(message).toContain('only the operator');
    expect(command).toBe('switchboard connections connect mail');
  });

  it.each([
    [{ principal: 'https://id.example#7', grant: 'ada' }, "--principal 'https://id.example#7' --grant ada"],
    [{ principal: `https://id.example#${'7'.repeat(100)}`, grant: undefined }, `#${'7'.repeat(100)}'`],
  ])('is a command for the very principal of %o', async (whose, options) => {
    const { command } = await pages(undefined).wayFor({ ...whose, claims: {} }, NEEDED);
    expect(command.startsWith('switchboard connections connect mail --principal ')).toBe(true);
    expect(command.endsWith(options)).toBe(true);
  });

  it('is told once its end was shown to a person', async () => {
    const own = pages('https://gate.example');
    const seen = own.whenShown('a-page');
    own.shown('another-page');
    own.shown('a-page');
    await expect(seen).resolves.toBeUndefined();
  });

  it('quotes names on its command line', async () => {
    const needed = { ...NEEDED, server: "a'; rm -rf ~ #" };
    expect((await pages('https://gate.example').wayFor(LOCAL_IDENTITY, needed)).command).toBe(
      String.raw`switchboard connections connect 'a'\''; rm -rf ~ #'`,
    );
  });
});
