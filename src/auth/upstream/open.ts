/**
 * The vault and what uses it, made of their parts.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetworkGuard } from '../../core/adapter.ts';
import type { CredentialServer, Credentials } from '../../core/credentials.ts';
import type { Log } from '../../core/log.ts';
import { type Fetch, guardedFetch } from './guarded-fetch.ts';
import { LEASE_MS } from './leases.ts';
import { Renewal } from './renewal.ts';
import type { VaultState } from './storage.ts';
import { UpstreamTokens } from './upstream-tokens.ts';
import { Vault } from './vault.ts';
import { loadVaultKeys } from './vault-keys.ts';
import { VaultLogins } from './vault-logins.ts';

export interface UpstreamAuthOptions {
  readonly state: VaultState;
  readonly log: Log;
  /** `SWITCHBOARD_VAULT_KEY`. */
  readonly key: string | undefined;
  /** `gateway.vault.keyFile`. */
  readonly keyFile: string | undefined;
  readonly publicUrl: string | undefined;
  /** A guard for one request to an address that a server named. */
  guard(): NetworkGuard;
  server(name: string): CredentialServer | undefined;
}

export interface UpstreamAuth {
  readonly credentials: Credentials;
  readonly logins: VaultLogins;
}

/** Rejects with `SWB_CONFIG` when a key cannot be used, with `SWB_STATE` when the state cannot be read. */
export async function openUpstreamAuth(options: UpstreamAuthOptions): Promise<UpstreamAuth> {
  const { state, log, key, keyFile, publicUrl, guard, server } = options;
  const keys = await loadVaultKeys({ env: key, file: keyFile, secret: () => state.secret('vault') });
  const vault = new Vault(state.kv, keys, log);
  const fetchFor = (of: CredentialServer): Fetch =>
    guardedFetch({ server: of.name, guard, trustedHosts: hostsWritten(of) });
  const tokens = new UpstreamTokens({ vault, renewal: new Renewal(vault, state.kv), fetchFor });
  for (const login of await vault.logins()) tokens.takesTokens(login.server);
  void sealAnew(vault, log);
  const logins = new VaultLogins({
    vault,
    tokens,
    bus: state.bus,
    replica: state.replica,
    log,
    publicUrl,
    fetchFor,
    server,
  });
  return { credentials: tokens, logins };
}

const SEAL_ATTEMPTS = 5;

/** After a change of keys: until nothing needs the old ones. Never rejects. */
async function sealAnew(vault: Vault, log: Log): Promise<void> {
  try {
    let entries = 0;
    for (let attempt = 1; ; attempt++) {
      const { anew, left } = await vault.sealAnew();
      entries += anew;
      if (left > 0 && attempt < SEAL_ATTEMPTS) {
        // They are being renewed.
        await sleep(LEASE_MS, undefined, { ref: false });
        continue;
      }
      if (entries > 0) log.info({ entries }, 'Logins to servers are encrypted with the first key of the vault now.');
      if (left > 0)
        log.warn(
          { entries: left },
          'Entries of the vault are not encrypted with its first key: no key opens them, or they were in use.',
        );
      return;
    }
  } catch (error) {
    // The next start goes on with it.
    log.debug({ err: error }, 'Not all of the vault was encrypted anew.');
  }
}

/** The hosts an operator wrote into the entry of a server; of one that a client connected none. */
function hostsWritten({ url, auth, byClient }: CredentialServer): Set<string> {
  if (byClient) return new Set();
  const written = [url, auth?.issuer, auth?.idp?.issuer, auth?.idp?.tokenEndpoint];
  return new Set(written.flatMap((each) => (each === undefined ? [] : [URL.parse(each)?.hostname ?? ''])));
}
