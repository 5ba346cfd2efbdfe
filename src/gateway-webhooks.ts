/**
 * What webhooks of A2A clients need of the gateway: keys that encrypt them, and a guard of where they lead.
 * @module
 */
import { loadVaultKeys } from './auth/upstream/vault-keys.ts';
import type { GatewayConfig } from './config/types.ts';
import { isLoopbackHost } from './config/urls.ts';
import type { WebhookParts } from './endpoint/agents/a2a/webhooks/webhooks.ts';
import { createNetworkGuard } from './policy/network-guard/network-guard.ts';
import type { State } from './state/state.ts';

/** Undefined where there are none. Rejects with `SWB_CONFIG` when a key cannot be used, with `SWB_STATE` when the state cannot be read. */
export async function gatewayWebhooks(
  { agents, connect, vault }: Pick<GatewayConfig, 'agents' | 'connect' | 'vault'>,
  state: State,
  instance: string,
): Promise<Omit<WebhookParts, 'mayStay'> | undefined> {
  if (!agents?.a2a || !agents.pushNotifications) return undefined;
  const { origins } = agents.pushNotifications;
  const allowPrivate = [...connect.allowPrivate, ...origins.map((text) => new URL(text)).flatMap(loopbackPort)];
  return {
    ...{ instance, state, origins },
    keys: await loadVaultKeys({ env: vault?.secret, file: vault?.keyFile, secret: () => state.secret('vault') }),
    guard: () => createNetworkGuard({ allowPrivate }),
  };
}

/** An origin on loopback is listed to be sent to, at its own port and no other. */
function loopbackPort({ hostname, protocol, port }: URL): string[] {
  if (!isLoopbackHost(hostname)) return [];
  return [`${hostname}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`];
}
