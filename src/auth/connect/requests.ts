/**
 * Requests to log in: a call that needed a login became a page of the gateway's own, and this is what the page knows of it.
 * Kept in the state, so that any replica serves the page.
 *
 * Invariants: the address of a page says nothing and opens nothing; each page takes one proof, and no other; the code that a person
 * types there is derived from the gateway's secret and kept nowhere; a page takes five wrong codes in all replicas together; a login
 * that was begun ends in the browser it was begun in, once.
 * Source: MCP 2026-07-28 client/elicitation, "Phishing" and "Safe URL Handling".
 * @module
 */
import { randomBytes } from 'node:crypto';
import { sha256 } from '../../core/hash.ts';
import type { Identity } from '../../core/identity.ts';
import { shorten } from '../../core/text.ts';
import type { LoginNeeded, LoginReason } from '../upstream/types.ts';
import { codeFor, isCodeFor } from './code.ts';

/** How long a person may take to open the page and type the code. */
export const REQUEST_MS = 15 * 60_000;
/** A request that ends sooner is not handed out again. */
const REUSED_MS = 5 * 60_000;
/** How long the page of a finished request says so. */
const FINISHED_MS = 10 * 60_000;
/** As long as the vault keeps a login that was begun. */
const LOGIN_MS = 10 * 60_000;
export const MAX_WRONG_CODES = 5;
const MAX_CLIENT_CHARS = 80;

const ID = /^[\w-]{22}$/;

export type Proof = 'code' | 'identity';

/** One request to log in, as it is kept. */
export interface ConnectRequest {
  readonly id: string;
  /** Whose the call is. */
  readonly principal: string;
  readonly grant: string | undefined;
  readonly server: string;
  readonly reason: LoginReason;
  readonly scopes: readonly string[];
  /** How the page finds out that who opens it is who was asked: a code that only they were shown, or a login as that person. */
  readonly proof: Proof;
  /** What the client calls itself. The name is not verified: any client may send any. */
  readonly client: string | undefined;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly finished: boolean;
}

/** What may come of a code that was typed. */
export type TypedCode = 'right' | 'wrong' | 'locked';

type Stored = { [key: string]: string | number | boolean | string[] | null };

/** The part of the state that is used here (`src/state/state.ts`). */
export interface ConnectStore {
  get(namespace: string, key: string): Promise<unknown>;
  set(namespace: string, key: string, value: Stored | string, expiresInMs?: number): Promise<void>;
  setIfAbsent(namespace: string, key: string, value: Stored | boolean, expiresInMs?: number): Promise<boolean>;
  take(namespace: string, key: string): Promise<unknown>;
  delete(namespace: string, key: string): Promise<boolean>;
}

const REQUESTS = 'connect-requests';
/** The id of the open request, by principal and server. */
const OPEN = 'connect-open';
const TRIES = 'connect-tries';
/** Logins that were begun, by a hash of their state. */
const LOGINS = 'connect-logins';

export class ConnectRequests {
  readonly #store: ConnectStore;
  readonly #secret: Buffer;

  /** `secret`: 32 bytes that all replicas share. */
  constructor(store: ConnectStore, secret: Buffer) {
    this.#store = store;
    this.#secret = secret;
  }

  /**
   * The open request of this principal for this server, or a new one. However often a client calls, there is one request
   * for each server and proof.
   */
  async open(
    { principal, grant }: Identity,
    needed: LoginNeeded,
    { client, proof = 'code' }: { client?: string | undefined; proof?: Proof } = {},
  ): Promise<ConnectRequest> {
    const key = sha256(JSON.stringify([principal, grant ?? null, needed.server, proof]));
    const open = await this.#store.get(OPEN, key);
    const known = typeof open === 'string' ? await this.find(open) : undefined;
    if (known && (await this.#isReusable(known, needed))) return known;
    const now = Date.now();
    const request: ConnectRequest = {
      id: randomBytes(16).toString('base64url'),
      principal,
      grant,
      server: needed.server,
      reason: needed.reason,
      scopes: needed.scopes,
      proof,
      client: client === undefined ? undefined : shorten(client, MAX_CLIENT_CHARS),
      createdAt: now,
      expiresAt: now + REQUEST_MS,
      finished: false,
    };
    await this.#store.set(REQUESTS, request.id, stored(request), REQUEST_MS);
    await this.#store.set(OPEN, key, request.id, REQUEST_MS);
    return request;
  }

  async #isReusable(request: ConnectRequest, { scopes }: LoginNeeded): Promise<boolean> {
    if (request.finished || request.expiresAt - Date.now() < REUSED_MS) return false;
    return scopes.every((scope) => request.scopes.includes(scope)) && !(await this.isLocked(request.id));
  }

  /** Undefined: there is none of this id, or it has expired. */
  async find(id: string): Promise<ConnectRequest | undefined> {
    if (!ID.test(id)) return undefined;
    const value = (await this.#store.get(REQUESTS, id)) as Stored | undefined;
    return value && request(id, value);
  }

  /** The code that is shown with the address and typed on the page, where that is the request's proof. */
  codeOf(id: string): string {
    return codeFor(this.#secret, id);
  }

  isLocked(id: string): Promise<boolean> {
    return this.#store.get(TRIES, tryOf(id, MAX_WRONG_CODES)).then((used) => used !== undefined);
  }

  /** Takes one of the tries, and gives it back where the code is right. */
  async type(id: string, typed: string): Promise<TypedCode> {
    for (let n = 1; n <= MAX_WRONG_CODES; n++) {
      const slot = tryOf(id, n);
      if (!(await this.#store.setIfAbsent(TRIES, slot, true, REQUEST_MS))) continue;
      if (!isCodeFor(this.#secret, id, typed)) return n === MAX_WRONG_CODES ? 'locked' : 'wrong';
      await this.#store.delete(TRIES, slot);
      return 'right';
    }
    return 'locked';
  }

  /** The browser goes on to the authorization server, with this state. */
  async begun(id: string, state: string, browser: string): Promise<void> {
    await this.#store.set(LOGINS, sha256(state), { id, browser: sha256(browser) }, LOGIN_MS);
  }

  /**
   * The request whose login comes back with this state, to exactly one caller. Undefined: it is not known, or was taken.
   * `isFrom` says whether it was begun in this browser.
   */
  async take(state: string): Promise<{ id: string; isFrom(browser: string | undefined): boolean } | undefined> {
    const value = (await this.#store.take(LOGINS, sha256(state))) as Stored | undefined;
    if (!value) return undefined;
    return {
      id: String(value.id),
      isFrom: (browser) => browser !== undefined && sha256(browser) === value.browser,
    };
  }

  /** The login of this request has ended well. */
  async finish(id: string): Promise<void> {
    const found = await this.find(id);
    if (!found) return;
    const over = { ...found, finished: true, expiresAt: Date.now() + FINISHED_MS };
    await this.#store.set(REQUESTS, id, stored(over), FINISHED_MS);
  }
}

/** The identity that the request belongs to, without its claims: whose the token will be. */
export const identityIn = ({ principal, grant }: ConnectRequest): Identity => ({ principal, grant, claims: {} });

const tryOf = (id: string, n: number): string => `${id}.${n}`;

const stored = ({ id: _, scopes, grant, client, ...rest }: ConnectRequest): Stored => ({
  ...rest,
  scopes: [...scopes],
  grant: grant ?? null,
  client: client ?? null,
});

const request = (id: string, value: Stored): ConnectRequest => ({
  ...(value as unknown as ConnectRequest),
  id,
  grant: (value.grant as string | null) ?? undefined,
  client: (value.client as string | null) ?? undefined,
});
