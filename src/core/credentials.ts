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
import { SwitchboardError } from './errors.ts';
import type { Identity } from './identity.ts';
import type { ServerAuth } from './server-auth.ts';

/** Header names are sent as they are given; headers that belong to the protocol are replaced by the adapter's own. */
export type CredentialHeaders = Readonly<Record<string, string>>;

/** The identity of requests that no client made. No grant can have this name. */
export const GATEWAY_IDENTITY: Identity = Object.freeze({
  principal: '(gateway)',
  grant: undefined,
  claims: Object.freeze({}),
});

/**
 * `data.reason` of a `SWB_UPSTREAM_AUTH` that credentials reject with for {@link GATEWAY_IDENTITY}: its tokens are made of those of
 * callers, and none has come yet. The first caller who asks for the server is then asked for credentials, and it is connected.
 */
export const AWAITS_CALLER = 'no caller';

export const isAwaitingCaller = (error: unknown): boolean =>
  error instanceof SwitchboardError && error.code === 'SWB_UPSTREAM_AUTH' && error.data.reason === AWAITS_CALLER;

/** The server a request goes to, as it is configured. */
export interface CredentialServer {
  readonly name: string;
  readonly url: string;
  readonly headers: CredentialHeaders;
  /** How its broker is logged in to, where it is behind one. */
  readonly broker?: BrokerSettings;
  /** How tokens for it are got. Undefined: only {@link headers} are sent. */
  readonly auth?: ServerAuth;
  /** A client connected it at run time: where its tokens come from is not trusted more than that. */
  readonly byClient?: boolean;
}

/** The HTTP request credentials are asked for: some prove that they belong to it. */
export interface CredentialUse {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
}

/** A server answered a request with HTTP 401 or 403, so that it did not run; or its broker refused a login (401). */
export interface CredentialRefusal {
  readonly identity: Identity;
  readonly server: CredentialServer;
  readonly status: 401 | 403;
  /** The `WWW-Authenticate` header of the response. */
  readonly challenge: string | undefined;
  /** What {@link Credentials.headersFor} gave for the refused request. Undefined at brokers. */
  readonly shown?: CredentialHeaders | undefined;
  /** The `DPoP-Nonce` header of the response. */
  readonly nonce?: string | undefined;
}

export type AfterRefusal = 'retry' | 'give-up';

/** Where credentials towards servers come from. The behaviour suite is `src/auth/credentials-cases.ts`. */
export interface Credentials {
  /**
   * The headers of one request. At once where they are known, as the same frozen object each time: every request asks.
   * A rejection fails the request. They are sent to the origin of the server's `url` and to no other: a redirect that
   * leaves it is followed without them, if at all.
   */
  headersFor(
    identity: Identity,
    server: CredentialServer,
    use?: CredentialUse,
  ): CredentialHeaders | Promise<CredentialHeaders>;
  /**
   * Called when a server refuses a request. `retry` asks {@link headersFor} again and sends the request once more, at
   * most once per request; after `give-up` or a second refusal the client gets `SWB_UPSTREAM_AUTH`. A rejection with a
   * `SwitchboardError` fails the request with it; any other is `give-up`. Default: `give-up`.
   */
  refused?(refusal: CredentialRefusal): AfterRefusal | Promise<AfterRefusal>;
  /** A request with these headers was answered, and the answer names the nonce of the next proof (`DPoP-Nonce`, RFC 9449, 8.2). */
  answered?(server: CredentialServer, shown: CredentialHeaders, nonce: string): void;
  /** The request that was sent once more was refused too: what it fails with. Default: `SWB_UPSTREAM_AUTH`. */
  refusedAgain?(refusal: CredentialRefusal): SwitchboardError | undefined;
  /**
   * The login of an identity at the server's broker, as the same object for as long as it is the same login: identities
   * with one login object share a connection. Undefined: it has none and uses the gateway's connection. A rejection fails
   * the request. For {@link GATEWAY_IDENTITY}, undefined is the login of the configuration. Default: undefined.
   */
  loginFor?(identity: Identity, server: CredentialServer): BrokerLogin | undefined | Promise<BrokerLogin | undefined>;
}

export type RefusedRequest = Pick<CredentialRefusal, 'shown' | 'nonce'>;

/** {@link Credentials} for one server, as adapters use them. */
export interface ServerCredentials {
  headersFor(identity: Identity, use?: CredentialUse): CredentialHeaders | Promise<CredentialHeaders>;
  refused?(
    identity: Identity,
    status: 401 | 403,
    challenge: string | undefined,
    more?: RefusedRequest,
  ): AfterRefusal | Promise<AfterRefusal>;
  answered?(shown: CredentialHeaders, nonce: string): void;
  refusedAgain?(
    identity: Identity,
    status: 401 | 403,
    challenge: string | undefined,
    more?: RefusedRequest,
  ): SwitchboardError | undefined;
  loginFor?(identity: Identity): BrokerLogin | undefined | Promise<BrokerLogin | undefined>;
}

export function credentialsFor(credentials: Credentials, server: CredentialServer): ServerCredentials {
  const headersFor = (identity: Identity, use?: CredentialUse) => credentials.headersFor(identity, server, use);
  const logins = credentials.loginFor && {
    loginFor: (identity: Identity) => credentials.loginFor?.(identity, server),
  };
  if (!credentials.refused) return { headersFor, ...logins };
  return {
    headersFor,
    ...logins,
    refused: (identity, status, challenge, more) =>
      credentials.refused?.({ identity, server, status, challenge, ...more }) ?? 'give-up',
    answered: (shown, nonce) => credentials.answered?.(server, shown, nonce),
    refusedAgain: (identity, status, challenge, more) =>
      credentials.refusedAgain?.({ identity, server, status, challenge, ...more }),
  };
}

/** The same headers for everybody. */
export function fixedHeaders(headers: CredentialHeaders): ServerCredentials {
  const frozen = Object.freeze({ ...headers });
  return { headersFor: () => frozen };
}
