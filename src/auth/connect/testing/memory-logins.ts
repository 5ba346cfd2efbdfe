/**
 * Logins in memory, for tests of what leads people to them: no authorization server, a code is the name of who logged in.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { SwitchboardError } from '../../../core/errors.ts';
import type { Identity } from '../../../core/identity.ts';
import {
  type CallbackParams,
  type Connection,
  type FinishedLogin,
  type LoginNeeded,
  type Logins,
  loginNeeded,
} from '../../upstream/types.ts';

const ISSUER = 'https://accounts.example';
const SINCE = Date.parse('2026-01-01T00:00:00Z');

export class MemoryLogins implements Logins {
  /** Who logged in, by principal and server. */
  readonly accounts = new Map<string, string>();
  /** Servers with one login for all. */
  readonly shared = new Set<string>();
  readonly begun: { principal: string; server: string; redirectUri: string; scopes: readonly string[] }[] = [];
  readonly #open = new Map<string, FinishedLogin>();
  readonly #listeners = new Set<(finished: FinishedLogin) => void>();
  /** In place of the next login that begins. */
  failure: SwitchboardError | undefined;

  /** What a provider of credentials does: rejects for who has not logged in. */
  require({ principal }: Identity, server: string): string {
    const account = this.accounts.get(`${principal} ${server}`);
    if (account === undefined) throw loginNeeded({ server, reason: 'login', scopes: ['read'] });
    return account;
  }

  loggedIn(principal: string, server: string, account: string): void {
    this.accounts.set(`${principal} ${server}`, account);
    for (const listener of [...this.#listeners]) listener({ principal, server });
  }

  async begin({ principal }: Identity, server: string, request: { redirectUri: string; scopes?: readonly string[] }) {
    if (this.failure) throw this.failure;
    const state = randomBytes(32).toString('base64url');
    this.#open.set(state, { principal, server });
    this.begun.push({ principal, server, redirectUri: request.redirectUri, scopes: request.scopes ?? [] });
    return { authorizationUrl: `${ISSUER}/authorize?state=${state}`, state };
  }

  async check(): Promise<void> {
    if (this.failure) throw this.failure;
  }

  async finish(state: string, params: CallbackParams): Promise<FinishedLogin> {
    const login = this.#open.get(state);
    this.#open.delete(state);
    const given = params instanceof URLSearchParams ? Object.fromEntries(params) : params;
    if (!login) throw failed('This login is not known.');
    if (given.error !== undefined) throw failed('The login was refused.');
    if (given.iss !== ISSUER || given.code === undefined) throw failed('The answer is of another issuer.');
    this.loggedIn(login.principal, login.server, given.code);
    return login;
  }

  async pending(state: string): Promise<FinishedLogin | undefined> {
    return this.#open.get(state);
  }

  loginPrincipal({ principal }: Identity, server: string): string {
    return this.shared.has(server) ? '(gateway)' : principal;
  }

  async needed(identity: Identity, server: string): Promise<LoginNeeded | undefined> {
    if (this.accounts.has(`${identity.principal} ${server}`)) return undefined;
    return { server, reason: 'login', scopes: ['read'] };
  }

  async status(only?: string): Promise<Connection[]> {
    const all = [...this.accounts.keys()].map((key) => key.split(' ') as [string, string]);
    return all
      .filter(([principal]) => only === undefined || principal === only)
      .map(([principal, server]) => ({
        ...{ principal, server, issuer: ISSUER, resource: `https://${server}.example/mcp`, scopes: ['read'] },
        ...{ state: 'connected', since: SINCE, expiresAt: undefined, renewable: true },
      }));
  }

  async revoke(principal: string, server: string): Promise<boolean> {
    return this.accounts.delete(`${principal} ${server}`);
  }

  onFinished(listener: (finished: FinishedLogin) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const failed = (message: string): SwitchboardError => new SwitchboardError('SWB_LOGIN_FAILED', message);
