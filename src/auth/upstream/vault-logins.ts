/**
 * Logging in to servers, as calls, pages and commands use it: begins and ends logins, lists and revokes them, and tells other
 * replicas.
 * @module
 */
import { type CredentialServer, GATEWAY_IDENTITY } from '../../core/credentials.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import { Listeners } from '../../core/listeners.ts';
import type { Log } from '../../core/log.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { beginCode, finishCode, loginAuthority, PENDING_MS, type PendingLogin } from './code-flow.ts';
import { loginFailed } from './failures.ts';
import type { Fetch } from './guarded-fetch.ts';
import { principalFor } from './holders.ts';
import { revokeAtIssuer } from './revocation.ts';
import type { Messages } from './storage.ts';
import type {
  BegunLogin,
  CallbackParams,
  Connection,
  FinishedLogin,
  LoginNeeded,
  LoginRequest,
  Logins,
} from './types.ts';
import type { UpstreamTokens } from './upstream-tokens.ts';
import type { StoredLogin, Vault } from './vault.ts';

export interface VaultLoginsOptions {
  readonly vault: Vault;
  readonly tokens: UpstreamTokens;
  readonly bus: Messages;
  readonly replica: string;
  readonly log: Log;
  readonly publicUrl: string | undefined;
  fetchFor(server: CredentialServer): Fetch;
  /** A configured or connected server; undefined: there is none of this name. */
  server(name: string): CredentialServer | undefined;
}

const TOPIC = 'logins';
/** Logins under way, of all principals and of one in this process. */
const MAX_PENDING = 1_000;
const MAX_PENDING_EACH = 20;

export class VaultLogins implements Logins {
  readonly #options: VaultLoginsOptions;
  readonly #finished: Listeners<[FinishedLogin]>;
  readonly #begun = new Map<string, number[]>();
  readonly #unsubscribe: () => void;

  constructor(options: VaultLoginsOptions) {
    this.#options = options;
    this.#finished = new Listeners(options.log);
    this.#unsubscribe = options.bus.subscribe(TOPIC, (message, from) => {
      if (from === options.replica || !isObject(message)) return;
      const { server, principal, isLoggedIn } = message;
      if (typeof server === 'string' && typeof principal === 'string') {
        this.#changed({ server, principal }, isLoggedIn === true);
      }
    });
  }

  async begin(identity: Identity, name: string, { redirectUri, scopes = [] }: LoginRequest): Promise<BegunLogin> {
    const { vault, tokens, publicUrl, fetchFor } = this.#options;
    const server = this.#loginServer(name);
    const principal = principalFor(identity, server);
    await this.#admit(principal);
    const needed = tokens.needs.of(name, principal);
    const asked = { ...needed, scopes: [...new Set([...(needed?.scopes ?? []), ...scopes])] };
    const { grant } = principal === identity.principal ? identity : GATEWAY_IDENTITY;
    return beginCode(vault, { server, principal, grant, redirectUri, asked, publicUrl, fetch: fetchFor(server) });
  }

  async check(identity: Identity, name: string): Promise<void> {
    const { tokens, fetchFor } = this.#options;
    const server = this.#loginServer(name);
    const needed = tokens.needs.of(name, principalFor(identity, server));
    await loginAuthority(server, needed?.resourceMetadata, fetchFor(server));
  }

  async finish(state: string, params: CallbackParams): Promise<FinishedLogin> {
    const { vault, bus, fetchFor } = this.#options;
    const pending = await vault.takePending<PendingLogin>(state);
    if (!pending) {
      throw new SwitchboardError(
        'SWB_LOGIN_FAILED',
        'This login is not known, was used already, or took too long. Begin again.',
        {
          data: { reason: 'state' },
        },
      );
    }
    const { principal, server: name } = pending;
    const server = this.#loginServer(name);
    if (server.url !== pending.url) throw loginFailed(name, 'it is at another address now', 'configuration');
    try {
      await vault.keep(await finishCode(pending, state, params, server.auth, fetchFor(server)));
    } catch (error) {
      const isUnknownClient = error instanceof SwitchboardError && error.data.reason === 'invalid_client';
      if (isUnknownClient) await vault.forgetClient(pending.issuer, pending.redirectUri);
      throw error;
    }
    this.#begun.delete(principal);
    this.#changed({ server: name, principal }, true);
    bus.publish(TOPIC, { server: name, principal, isLoggedIn: true });
    return { principal, server: name };
  }

  async pending(state: string): Promise<FinishedLogin | undefined> {
    const pending = await this.#options.vault.pending<PendingLogin>(state);
    return pending && { principal: pending.principal, server: pending.server };
  }

  loginPrincipal(identity: Identity, name: string): string | undefined {
    const server = this.#options.server(name);
    return server && isLoggedInTo(server) ? principalFor(identity, server) : undefined;
  }

  async needed(identity: Identity, name: string): Promise<LoginNeeded | undefined> {
    const { server: find, tokens, vault } = this.#options;
    const server = find(name);
    if (!server || !isLoggedInTo(server)) return undefined;
    const principal = principalFor(identity, server);
    const need = tokens.needs.of(name, principal);
    if (!need) return undefined;
    const login = await vault.login(principal, name);
    if (login && login.url === server.url && need.reason !== 'step-up') return undefined;
    if (login && need.scopes.every((scope) => login.scopes.includes(scope))) return undefined;
    return { server: name, reason: need.reason, scopes: need.scopes };
  }

  async status(principal?: string): Promise<Connection[]> {
    const found = (await this.#options.vault.logins(principal)).map(connectionOf);
    return found.sort((a, b) => compare(a.server, b.server) || compare(a.principal, b.principal));
  }

  async revoke(principal: string, name: string): Promise<boolean> {
    const { vault, bus } = this.#options;
    const login = await vault.forget(principal, name);
    if (!login) return false;
    this.#changed({ server: name, principal }, false);
    bus.publish(TOPIC, { server: name, principal, isLoggedIn: false });
    await this.#tellIssuer(login);
    return true;
  }

  /** Ends the logins of grants that are gone. Never rejects. */
  async revokeGrants(exists: (grant: string) => boolean): Promise<void> {
    try {
      for (const { grant, principal, server } of await this.#options.vault.logins()) {
        if (grant !== undefined && !exists(grant)) await this.revoke(principal, server);
      }
    } catch (error) {
      this.#options.log.warn({ err: error }, 'Logins of grants that are gone were not all revoked.');
    }
  }

  onFinished(listener: (finished: FinishedLogin) => void): () => void {
    return this.#finished.add(listener);
  }

  close(): void {
    this.#unsubscribe();
    this.#finished.clear();
  }

  #changed({ server, principal }: FinishedLogin, isLoggedIn: boolean): void {
    this.#options.tokens.changed(server, principal, isLoggedIn);
    if (isLoggedIn) this.#finished.emit({ principal, server });
  }

  async #tellIssuer(login: StoredLogin): Promise<void> {
    const server = this.#options.server(login.server);
    if (server) await revokeAtIssuer(login, server.auth, this.#options.fetchFor(server));
  }

  #loginServer(name: string): CredentialServer {
    const server = this.#options.server(name);
    if (!server) throw new SwitchboardError('SWB_UNKNOWN_SERVER', `There is no server named '${name}'.`);
    if (isLoggedInTo(server)) return server;
    throw new SwitchboardError(
      'SWB_NOT_SUPPORTED',
      `Nobody logs in to server '${name}': its entry says how it is called.`,
      {
        data: { server: name },
      },
    );
  }

  async #admit(principal: string): Promise<void> {
    const now = Date.now();
    const own = (this.#begun.get(principal) ?? []).filter((begun) => begun > now - PENDING_MS);
    if (own.length >= MAX_PENDING_EACH || (await this.#options.vault.pendingCount()) >= MAX_PENDING) {
      throw new SwitchboardError('SWB_BUSY', 'Too many logins are waiting to be finished. Finish one, or try later.', {
        retryAfterMs: PENDING_MS,
      });
    }
    own.push(now);
    this.#begun.set(principal, own);
    if (this.#begun.size > MAX_PENDING) {
      const [oldest] = this.#begun.keys();
      if (oldest !== undefined) this.#begun.delete(oldest);
    }
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const isLoggedInTo = ({ auth }: CredentialServer): boolean => auth?.type === 'oauth' || auth?.type === 'auto';

function connectionOf(login: StoredLogin): Connection {
  const { principal, server, issuer, resource, url, scopes, since, expiresAt, refreshToken } = login;
  const renewable = refreshToken !== undefined;
  const isOver = !renewable && expiresAt !== undefined && expiresAt <= Date.now();
  const state = isOver ? 'expired' : 'connected';
  return { principal, server, issuer, resource: resource ?? url, scopes, state, since, expiresAt, renewable };
}
