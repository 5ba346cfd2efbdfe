/**
 * The side of a gateway that logs in to servers, over a state that replicas share, and the requests it makes for persons: with
 * a real authorization server and the built-in flows, without the rest of the gateway.
 * @module
 */
import { openUpstreamAuth, type UpstreamAuth } from '../../src/auth/upstream/open.ts';
import { type StoredLogin, Vault } from '../../src/auth/upstream/vault.ts';
import { VaultKeys } from '../../src/auth/upstream/vault-keys.ts';
import type { CredentialHeaders, CredentialServer } from '../../src/core/credentials.ts';
import { identityOf } from '../../src/core/identity.ts';
import type { ServerAuth } from '../../src/core/server-auth.ts';
import { createLog } from '../../src/observe/log.ts';
import { createNetworkGuard } from '../../src/policy/network-guard/network-guard.ts';
import type { State } from '../../src/state/state.ts';
import type { Oidc } from '../fixtures/oidc.ts';

const CALLBACK = 'http://127.0.0.1:7300/connect/callback';
const KEY = Buffer.alloc(32, 7);
const log = createLog('silent');

export interface Replica extends UpstreamAuth {
  /** What is kept, as it stands in the state. */
  readonly vault: Vault;
  logIn(principal: string, oidc: Oidc): Promise<void>;
  /** The headers of a request of this principal. */
  headersOf(principal: string): Promise<CredentialHeaders>;
  /** The server has refused what was shown. */
  refused(principal: string, shown: CredentialHeaders): Promise<string>;
  /** Changes what is kept of a login. */
  change(principal: string, change: (login: StoredLogin) => StoredLogin): Promise<void>;
}

export async function replicaOn(state: State, url: string, auth: Partial<ServerAuth> = {}): Promise<Replica> {
  const server: CredentialServer = { name: 'notes', url, headers: {}, auth: { type: 'oauth', per: 'user', ...auth } };
  const opened = await openUpstreamAuth({
    ...{ state, log, key: KEY.toString('base64'), keyFile: undefined, publicUrl: undefined },
    guard: () => createNetworkGuard({ allowPrivate: [] }),
    server: (name) => (name === 'notes' ? server : undefined),
  });
  const vault = new Vault(state.kv, new VaultKeys([KEY]), log);
  const { credentials, logins } = opened;
  const who = (principal: string) => ({ ...identityOf(principal), grant: undefined });
  return {
    ...opened,
    vault,
    async logIn(principal, oidc) {
      const { authorizationUrl, state: name } = await logins.begin(who(principal), 'notes', { redirectUri: CALLBACK });
      await logins.finish(name, (await oidc.login(authorizationUrl, principal)).searchParams);
    },
    headersOf: async (principal) => credentials.headersFor(who(principal), server, { method: 'POST', path: '/mcp' }),
    async refused(principal, shown) {
      const refusal = {
        identity: who(principal),
        server,
        status: 401,
        challenge: 'Bearer error="invalid_token"',
      } as const;
      return (await credentials.refused?.({ ...refusal, shown })) ?? 'give-up';
    },
    async change(principal, change) {
      const login = await vault.login(principal, 'notes');
      if (!login) throw new Error(`${principal} is not logged in`);
      await vault.keep(change(login));
    },
  };
}
