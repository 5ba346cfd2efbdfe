/**
 * Sessions of operators in a browser. The admin token is typed once, or a person logs in at the identity provider; from then on
 * a request needs two things: a cookie that no script can read, and a key that the page keeps in its own storage and sends as a
 * header. Browsers send cookies to every port of a host and with requests that other pages make; the key reaches neither.
 *
 * Sessions are in the state, as digests, so that every replica knows them. Each record is sealed with a key that is not in the state:
 * who can write there makes no operator of himself. They end with the admin token they were opened with, or with the configuration
 * that let their person in. While the state is away no browser has a session.
 * @module
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Operator, operatorIn, TOKEN_OPERATOR } from '../../auth/operators/operator.ts';
import { sha256 } from '../../core/hash.ts';
import type { JsonValue, State } from '../../state/state.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

export interface NewSession {
  /** For the cookie. */
  readonly cookie: string;
  /** For the page. */
  readonly key: string;
  readonly expiresAt: number;
}

export interface BrowserSessionsOptions {
  kv: State['kv'];
  /** The admin token. */
  token: string;
  /** Secret, and another one where people log in in another way than before. Undefined: they do not. */
  login?: string | undefined;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

const LASTS_MS = 12 * 60 * 60_000;
/** Unused for so long it ends. */
const IDLE_MS = 2 * 60 * 60_000;
/** Its use is written down no more often. */
const NOTED_MS = 60_000;
/** Of one operator, and of all: the one of these that was used longest ago ends. */
const MAX_OWN_SESSIONS = 64;
const MAX_SESSIONS = 1_024;
const LINK_MS = 10 * 60_000;
const MAX_LINKS = 8;
/** From the provider back to the page, which goes on by itself. */
const ARRIVAL_MS = 60_000;
const MAX_ARRIVALS = 256;

/** By the digest of the cookie. */
const SESSIONS = 'admin-sessions';
/** When each was used. Apart, so that a use that is noted late brings no session back that was closed. */
const USES = 'admin-session-uses';
/** By the digest of a code that opens one session. */
const LINKS = 'admin-links';
/** By the digest of a code: people who have logged in at the provider and are on the way back to the page. */
const ARRIVALS = 'admin-arrivals';

const secret = (): string => randomBytes(32).toString('base64url');
const digest = (text: string): string => sha256(text, 'base64url');

export class BrowserSessions {
  readonly #kv: State['kv'];
  /** Seals what the holder of the admin token opens. */
  readonly #ofToken: Buffer;
  /** Seals what people open who have logged in. */
  readonly #ofLogin: Buffer | undefined;
  readonly #now: () => number;
  /** When this process last noted the use of a session. */
  readonly #noted = new Map<string, number>();

  constructor({ kv, token, login, now = () => Date.now() }: BrowserSessionsOptions) {
    this.#kv = kv;
    this.#ofToken = keyOf('admin session', token);
    this.#ofLogin = login === undefined ? undefined : keyOf('admin login', login);
    this.#now = now;
  }

  /** Rejects with `SWB_STATE` while the state is away, as every method does. Default: of the holder of the admin token. */
  async open(operator: Operator = TOKEN_OPERATOR): Promise<NewSession> {
    const cookie = secret();
    const key = secret();
    const now = this.#now();
    const expiresAt = now + LASTS_MS;
    await this.#makeRoom(operator.principal);
    const id = digest(cookie);
    const facts = { key: digest(key), openedAt: now };
    await this.#kv.set(SESSIONS, id, { ...facts, ...this.#sealed(operator, SESSIONS, id, facts) }, LASTS_MS);
    return { cookie, key, expiresAt };
  }

  /** What makes a record one of this operator. Throws for a person where people do not log in. */
  #sealed(operator: Operator, namespace: string, id: string, facts: Facts): { operator?: JsonValue; seal: string } {
    const by = operator === TOKEN_OPERATOR ? undefined : operator;
    const key = by ? this.#ofLogin : this.#ofToken;
    if (key === undefined) throw new Error('People do not log in by name here.');
    const seal = sealOf(key, namespace, id, facts, by).toString('base64url');
    return by ? { operator: { ...by, name: by.name ?? '' }, seal } : { seal };
  }

  /** Whose a record is; undefined where this gateway did not make it, or what it was made under is not valid any more. */
  #operatorOf({ operator, seal }: JsonObject, namespace: string, id: string, facts: Facts): Operator | undefined {
    const by = operator === undefined ? undefined : operatorIn(operator);
    const key = operator === undefined ? this.#ofToken : this.#ofLogin;
    if (key === undefined || typeof seal !== 'string' || (operator !== undefined && by === undefined)) return undefined;
    const given = Buffer.from(seal, 'base64url');
    const expected = sealOf(key, namespace, id, facts, by);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    return by ?? TOKEN_OPERATOR;
  }

  async #makeRoom(principal: string): Promise<void> {
    const all = await this.#kv.entries(SESSIONS);
    const own = all.filter(([, session]) => principalOf(session) === principal);
    const isOwn = own.length >= MAX_OWN_SESSIONS;
    const [among, max] = isOwn ? [own, MAX_OWN_SESSIONS] : [all, MAX_SESSIONS];
    if (among.length < max) return;
    const used = new Map(await this.#kv.entries(USES));
    const usedAt = ([id, session]: [string, JsonValue]): number => Number(used.get(id) ?? openedAtOf(session));
    const byUse = among.sort((a, b) => usedAt(a) - usedAt(b));
    for (const [id] of byUse.slice(0, among.length - max + 1)) await this.#end(id);
  }

  /** Whether both belong to one session that has not ended. */
  async isOpen(cookie: string, key: string): Promise<boolean> {
    return (await this.operatorOf(cookie, key)) !== undefined;
  }

  /**
   * Whose session both belong to; undefined where it has ended, or they are none's. Secrets are compared by their digests, which
   * tell nothing of them. `isUse`: a person has done something, so that the session does not end unused.
   */
  async operatorOf(cookie: string, key: string, isUse = true): Promise<Operator | undefined> {
    const id = digest(cookie);
    const session = await this.#kv.get(SESSIONS, id);
    if (!isObject(session) || session.key !== digest(key)) return undefined;
    const now = this.#now();
    const openedAt = openedAtOf(session);
    const operator = this.#operatorOf(session, SESSIONS, id, { key: session.key, openedAt });
    if (operator === undefined || now - openedAt >= LASTS_MS) return undefined;
    const notedAt = this.#noted.get(id) ?? openedAt;
    if (now - notedAt < NOTED_MS) return operator;
    const usedAt = Number((await this.#kv.get(USES, id)) ?? openedAt);
    if (now - usedAt >= IDLE_MS) return undefined;
    if (!isUse) return operator;
    await this.#kv.set(USES, id, now, IDLE_MS);
    this.#note(id, now);
    return operator;
  }

  #note(id: string, now: number): void {
    this.#noted.delete(id);
    this.#noted.set(id, now);
    const oldest = this.#noted.keys().next().value;
    if (this.#noted.size > MAX_SESSIONS && oldest !== undefined) this.#noted.delete(oldest);
  }

  close(cookie: string): Promise<void> {
    return this.#end(digest(cookie));
  }

  async #end(id: string): Promise<void> {
    this.#noted.delete(id);
    await this.#kv.delete(SESSIONS, id);
    await this.#kv.delete(USES, id);
  }

  /** A code that opens one session, once, within ten minutes. */
  async newLink(): Promise<string> {
    const code = secret();
    await this.#keepOne(LINKS, MAX_LINKS, code, TOKEN_OPERATOR, { expiresAt: this.#now() + LINK_MS });
    return code;
  }

  async #keepOne(namespace: string, max: number, code: string, operator: Operator, facts: Arrival): Promise<void> {
    const others = await this.#kv.entries(namespace);
    for (const [oldest] of others.slice(0, Math.max(0, others.length - max + 1))) {
      await this.#kv.delete(namespace, oldest);
    }
    const id = digest(code);
    const kept = { ...facts, ...this.#sealed(operator, namespace, id, facts) };
    await this.#kv.set(namespace, id, kept, facts.expiresAt - this.#now());
  }

  /** Whether the code is valid; from then on it is not, in any replica. */
  async useLink(code: string): Promise<boolean> {
    return (await this.#useOne(LINKS, code)) === TOKEN_OPERATOR;
  }

  /** A person has logged in at the provider. Both open one session of theirs together, once, within a minute. */
  async arrive(operator: Operator): Promise<{ code: string; cookie: string }> {
    const [code, cookie] = [secret(), secret()];
    const facts = { expiresAt: this.#now() + ARRIVAL_MS, cookie: digest(cookie) };
    await this.#keepOne(ARRIVALS, MAX_ARRIVALS, code, operator, facts);
    return { code, cookie };
  }

  /** Who has arrived with this code, in the browser with this cookie. The code is worth nothing from then on. */
  async useArrival(code: string, cookie: string | undefined): Promise<Operator | undefined> {
    return this.#useOne(ARRIVALS, code, digest(cookie ?? ''));
  }

  async #useOne(namespace: string, code: string, cookie?: string): Promise<Operator | undefined> {
    const id = digest(code);
    const found = await this.#kv.take(namespace, id);
    if (!isObject(found) || !(this.#now() < Number(found.expiresAt))) return undefined;
    const facts = { expiresAt: Number(found.expiresAt), ...(cookie === undefined ? {} : { cookie }) };
    return this.#operatorOf(found, namespace, id, facts);
  }
}

/** What a record says beside its operator, in the order in which it is sealed. */
type Facts = Readonly<Record<string, string | number>>;

interface Arrival extends Facts {
  readonly expiresAt: number;
}

const keyOf = (purpose: string, text: string): Buffer => createHmac('sha256', text).update(purpose).digest();

function sealOf(key: Buffer, namespace: string, id: string, facts: Facts, by: Operator | undefined): Buffer {
  const who = by && [by.principal, by.name ?? '', by.mayChange];
  return createHmac('sha256', key)
    .update(JSON.stringify([namespace, id, Object.entries(facts), who ?? null]))
    .digest();
}

const principalOf = (session: unknown): string =>
  (isObject(session) ? operatorIn(session.operator) : undefined)?.principal ?? TOKEN_OPERATOR.principal;

const openedAtOf = (session: unknown): number => (isObject(session) ? Number(session.openedAt) : 0);
