/**
 * What the gateway shows to the servers behind it, asked for with every request.
 *
 * Whose credentials a request carries:
 * - a client's request carries those of its caller's identity;
 * - requests of the gateway's own (lists, subscriptions, health, detection) carry those of {@link GATEWAY_IDENTITY};
 * - a session that a server keeps belongs to one identity for as long as it lives. With `isolation: "caller"` that is its
 *   caller's. A session that callers share (`isolation: "shared"`, and every old HTTP+SSE stream without isolation) is the
 *   gateway's, and so is every request in it: a server that ties sessions to users would refuse the others.
 * - a connection to an MQTT broker belongs to one login: calls of an identity that has a login use a connection of its own,
 *   all others the gateway's.
 * @module
 */
import type { BrokerLogin, BrokerSettings } from './broker.ts';
import type { Identity } from './identity.ts';

/** Header names are sent as they are given; headers that belong to the protocol are replaced by the adapter's own. */
export type CredentialHeaders = Readonly<Record<string, string>>;

/** The identity of requests that no client made. No grant can have this name. */
export const GATEWAY_IDENTITY: Identity = Object.freeze({
  principal: '(gateway)',
  grant: undefined,
  claims: Object.freeze({}),
});

/** The server a request goes to, as it is configured. */
export interface CredentialServer {
  readonly name: string;
  readonly url: string;
  readonly headers: CredentialHeaders;
  /** How its broker is logged in to, where it is behind one. */
  readonly broker?: BrokerSettings;
}

/** A server answered a request with HTTP 401 or 403, so that it did not run; or its broker refused a login (401). */
export interface CredentialRefusal {
  readonly identity: Identity;
  readonly server: CredentialServer;
  readonly status: 401 | 403;
  /** The `WWW-Authenticate` header of the response. */
  readonly challenge: string | undefined;
}

export type AfterRefusal = 'retry' | 'give-up';

/** Where credentials towards servers come from. The behaviour suite is `src/auth/credentials-cases.ts`. */
export interface Credentials {
  /**
   * The headers of one request. At once where they are known, as the same frozen object each time: every request asks.
   * A rejection fails the request. They are sent to the origin of the server's `url` and to no other: a redirect that
   * leaves it is followed without them, if at all.
   */
  headersFor(identity: Identity, server: CredentialServer): CredentialHeaders | Promise<CredentialHeaders>;
  /**
   * Called when a server refuses a request. `retry` asks {@link headersFor} again and sends the request once more, at
   * most once per request; after `give-up`, a rejection, or a second refusal the client gets `SWB_UPSTREAM_AUTH`.
   * Default: `give-up`.
   */
  refused?(refusal: CredentialRefusal): AfterRefusal | Promise<AfterRefusal>;
  /**
   * The login of an identity at the server's broker, as the same object for as long as it is the same login: identities
   * with one login object share a connection. Undefined: it has none and uses the gateway's connection. A rejection fails
   * the request. For {@link GATEWAY_IDENTITY}, undefined is the login of the configuration. Default: undefined.
   */
  loginFor?(identity: Identity, server: CredentialServer): BrokerLogin | undefined | Promise<BrokerLogin | undefined>;
}

/** {@link Credentials} for one server, as adapters use them. */
export interface ServerCredentials {
  headersFor(identity: Identity): CredentialHeaders | Promise<CredentialHeaders>;
  refused?(identity: Identity, status: 401 | 403, challenge: string | undefined): AfterRefusal | Promise<AfterRefusal>;
  loginFor?(identity: Identity): BrokerLogin | undefined | Promise<BrokerLogin | undefined>;
}

export function credentialsFor(credentials: Credentials, server: CredentialServer): ServerCredentials {
  const headersFor = (identity: Identity) => credentials.headersFor(identity, server);
  const logins = credentials.loginFor && {
    loginFor: (identity: Identity) => credentials.loginFor?.(identity, server),
  };
  if (!credentials.refused) return { headersFor, ...logins };
  return {
    headersFor,
    ...logins,
    refused: (identity, status, challenge) =>
      credentials.refused?.({ identity, server, status, challenge }) ?? 'give-up',
  };
}

/** The same headers for everybody. */
export function fixedHeaders(headers: CredentialHeaders): ServerCredentials {
  const frozen = Object.freeze({ ...headers });
  return { headersFor: () => frozen };
}
