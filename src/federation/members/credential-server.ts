/**
 * A configured server as providers of credentials know it.
 * @module
 */
import type { ServerConfig } from '../../config/types.ts';
import type { CredentialServer } from '../../core/credentials.ts';
import { AUTO_AUTH, AUTO_GATEWAY_AUTH, HEADERS_AUTH, type ServerAuth } from '../../core/server-auth.ts';

/** Undefined for a command, which is shown no credentials. */
export function credentialServerOf(config: ServerConfig): CredentialServer | undefined {
  const { name, target, origin } = config;
  if (target.transport === 'stdio') return undefined;
  const { url, headers } = target;
  if (target.transport === 'mqtt') return { name, url, headers, broker: target.broker };
  const byClient = origin === 'runtime' ? { byClient: true } : {};
  return { name, url, headers, auth: config.auth ?? unwritten(config, url, headers), ...byClient };
}

/** Credentials that are configured are what is meant; without any, people log in where the server asks for it. */
function unwritten({ isolation }: ServerConfig, url: string, headers: Readonly<Record<string, string>>): ServerAuth {
  const { username, password } = URL.parse(url) ?? { username: '', password: '' };
  const hasOwn = Object.keys(headers).some((header) => header.toLowerCase() === 'authorization');
  if (hasOwn || username !== '' || password !== '') return HEADERS_AUTH;
  return isolation === 'shared' ? AUTO_GATEWAY_AUTH : AUTO_AUTH;
}
