/**
 * The suite's client scenarios about authorization: which belong to which revision, and what each wants to be configured.
 * @module
 */
import type { ServerOptions } from '../../../src/gateway-types.ts';
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';

/** The document the suite knows the client under test by. */
export const CLIENT_METADATA = 'https://conformance-test.local/client-metadata.json';

/**
 * Here the second person comes when the first has answered: the mock server judges the second login there is, or its issuer remembers
 * one exchange at a time.
 */
export const ONE_AFTER_ANOTHER: ReadonlySet<string> = new Set([
  'auth/scope-step-up',
  'auth/enterprise-managed-authorization',
]);

const EARLIER =
  'A server whose metadata are about another resource is refused before its issuer is asked for anything; the SDK asks first.';

/** Checks of the direct run that the gateway does not come to, and why. */
export const knownLoss = (scenario: string, check: string): string | undefined =>
  scenario === 'auth/resource-mismatch' && check === 'authorization-server-metadata' ? EARLIER : undefined;

/** What the SDK's own client cannot do: there is nothing to compare with. */
export const notInSdk: ReadonlySet<string> = new Set(['auth/wif-jwt-bearer']);

type Auth = Exclude<ServerOptions['auth'], string | undefined>;

/** The entry of the suite's mock server, beside its url; `context` is what the suite gives the client under test along. */
export function entryFor(scenario: string, context: JsonObject): ServerOptions {
  const { client_id: clientId, client_secret: clientSecret, issuer } = context as Record<string, string>;
  const given = (auth: Auth): ServerOptions => ({ auth });
  switch (scenario) {
    case 'auth/basic-cimd':
      return given({ clientId: CLIENT_METADATA });
    case 'auth/pre-registration':
      return given({ clientId, clientSecret, issuer });
    case 'auth/client-credentials-basic':
      return given({ type: 'client_credentials', clientId, clientSecret });
    case 'auth/client-credentials-jwt':
      return given({
        ...{ type: 'client_credentials', clientId },
        privateKey: context.private_key_pem as string,
        algorithm: context.signing_algorithm as 'ES256',
      });
    case 'auth/enterprise-managed-authorization':
      return given({
        ...{ type: 'xaa', clientId, clientSecret },
        // The suite's identity provider publishes metadata without what OpenID requires.
        idp: {
          issuer: context.idp_issuer as string,
          clientId: context.idp_client_id as string,
          tokenEndpoint: context.idp_token_endpoint as string,
        },
        subjectToken: { value: context.idp_id_token as string },
      });
    case 'auth/wif-jwt-bearer':
      return given({ type: 'jwt_bearer', clientId, assertion: { value: context.valid_jwt as string } });
    default:
      // Nothing is configured: all is found out from the server's 401.
      return {};
  }
}
