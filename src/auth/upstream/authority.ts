/**
 * Which authorization server a server names, and as what: RFC 9728, RFC 8414 and OpenID discovery, by the SDK's functions over
 * the guarded fetch. What does not fit together is refused here, before a client id, code or token goes anywhere.
 * @module
 */
import type { AuthorizationServerMetadata } from '@modelcontextprotocol/client';
import type { CredentialServer } from '../../core/credentials.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { flowFailure, loginFailed } from './failures.ts';
import type { Fetch } from './guarded-fetch.ts';
import { sdk } from './sdk.ts';

export interface Authority {
  /** As its metadata spell it. */
  readonly issuer: string;
  readonly metadata: AuthorizationServerMetadata | undefined;
  /** The server's identifier, letter by letter as it states it. Undefined where it states none. */
  readonly resource: string | undefined;
  /** What the server says there is to ask for. */
  readonly scopesSupported: readonly string[];
  /** Server or issuer want tokens bound to a key. */
  readonly wantsDpop: boolean;
}

/** `resourceMetadata`: where the server's challenge said its metadata are. */
export async function findAuthority(
  server: CredentialServer,
  resourceMetadata: string | undefined,
  fetch: Fetch,
): Promise<Authority> {
  try {
    return await find(server, resourceMetadata, fetch);
  } catch (error) {
    throw flowFailure(server.name, 'its authorization server cannot be found', error);
  }
}

async function find({ name, url, auth }: CredentialServer, hint: string | undefined, fetch: Fetch): Promise<Authority> {
  const oauth = await sdk();
  const described = await oauth
    .discoverOAuthProtectedResourceMetadata(url, hint === undefined ? {} : { resourceMetadataUrl: hint }, fetch)
    .catch((error: unknown) => {
      // Unreachable, or refused by the guard, is not "has none".
      if (error instanceof TypeError || error instanceof SwitchboardError) throw error;
      return undefined;
    });
  const listed = described?.authorization_servers ?? [];
  const pinned = auth?.issuer;
  // What tokens are exchanged at is the operator's business; where people log in, the server has to agree.
  if (pinned !== undefined && listed.length > 0 && !listed.includes(pinned) && auth?.type !== 'token_exchange') {
    throw loginFailed(name, 'it names another authorization server than auth.issuer in its entry', 'issuer');
  }
  if (described && !oauth.checkResourceAllowed(allowed(oauth.resourceUrlFromServerUrl(url), described.resource))) {
    throw loginFailed(
      name,
      'its metadata are about another resource, so tokens for it would be meant for somebody else',
      'resource',
    );
  }
  // Servers of 2025-03-26 are their own authorization servers.
  const at = pinned ?? listed[0] ?? new URL('/', url).href;
  const metadata = await oauth.discoverAuthorizationServerMetadata(at, { fetchFn: fetch });
  if (metadata === undefined && (pinned ?? listed[0]) !== undefined) {
    throw loginFailed(name, 'its authorization server publishes no metadata', 'metadata');
  }
  return {
    issuer: metadata?.issuer ?? at,
    metadata,
    resource: described?.resource,
    scopesSupported: described?.scopes_supported ?? [],
    wantsDpop: described?.dpop_bound_access_tokens_required === true,
  };
}

/** Whether a server publishes metadata at its well-known addresses (RFC 9728): then it takes tokens. Never rejects. */
export async function hasMetadata({ url }: CredentialServer, fetch: Fetch): Promise<boolean> {
  try {
    const { discoverOAuthProtectedResourceMetadata } = await sdk();
    const { authorization_servers: listed } = await discoverOAuthProtectedResourceMetadata(url, {}, fetch);
    return (listed ?? []).length > 0;
  } catch {
    return false;
  }
}

const allowed = (requestedResource: URL, configuredResource: string) => ({ requestedResource, configuredResource });

/** The members of metadata that later requests need, so that a login does not depend on what is published next week. */
export function keptMetadata(metadata: AuthorizationServerMetadata | undefined): Record<string, unknown> {
  const all: Readonly<Record<string, unknown>> = { ...metadata };
  return Object.fromEntries(KEPT.filter((key) => all[key] !== undefined).map((key) => [key, all[key]]));
}

const KEPT = [
  'issuer',
  'authorization_endpoint',
  'token_endpoint',
  'revocation_endpoint',
  'response_types_supported',
  'token_endpoint_auth_methods_supported',
  'code_challenge_methods_supported',
  'authorization_response_iss_parameter_supported',
] as const;
