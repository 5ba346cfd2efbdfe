/**
 * `node test/conformance/auth/sdk-client.ts URL`: the official SDK's own client in the suite's scenarios about authorization, for
 * comparison with what the gateway does in its place. One person, who follows the authorization URL as a browser would.
 * @module
 */
import {
  Client,
  ClientCredentialsProvider,
  CrossAppAccessProvider,
  DpopSession,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
  requestJwtAuthorizationGrant,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { CLIENT_METADATA } from './scenarios.ts';

const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? '';
const context: Record<string, string> = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const [serverUrl = ''] = process.argv.slice(2);
/** Some of the suite's servers of 2026-07-28 know no `initialize`, which the SDK begins with unless its options say to find out. */
const isModern = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION === '2026-07-28';
const { client_id: clientId = '', client_secret: clientSecret = '' } = context;

/** Logins for one request. */
const MAX_LOGINS = 2;

let asked: URL | undefined;
/** By issuer, as the SDK asks of a program that meets several (2026-07-28 client-registration, "Authorization Server Binding"). */
const clients = new Map<string, StoredOAuthClientInformation>();
const tokens = new Map<string, StoredOAuthTokens>();
/** The tokens that were saved last: requests carry them. */
let latest: StoredOAuthTokens | undefined;
let verifier = '';
let found: unknown;
const session = scenario.startsWith('auth/dpop') ? await DpopSession.create() : undefined;

/** What the suite gives the client along is for the issuer it names with it. */
function preregistered(issuer: string | undefined): StoredOAuthClientInformation | undefined {
  if (clientId === '' || (context.issuer !== undefined && issuer !== undefined && issuer !== context.issuer))
    return undefined;
  return { client_id: clientId, client_secret: clientSecret };
}

const person: OAuthClientProvider = {
  redirectUrl: 'http://localhost:3000/callback',
  clientMetadata: {
    client_name: 'sdk',
    redirect_uris: ['http://localhost:3000/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  },
  ...(scenario === 'auth/pre-registration' || scenario.startsWith('auth/token')
    ? {}
    : { clientMetadataUrl: CLIENT_METADATA }),
  clientInformation: (ctx) => clients.get(ctx?.issuer ?? '') ?? preregistered(ctx?.issuer),
  saveClientInformation: (information, ctx) => {
    clients.set(ctx?.issuer ?? '', information);
  },
  tokens: (ctx) => (ctx ? tokens.get(ctx.issuer) : latest),
  saveTokens: (saved, ctx) => {
    latest = saved;
    tokens.set(ctx?.issuer ?? '', saved);
  },
  redirectToAuthorization: (url) => {
    asked = url;
  },
  saveCodeVerifier: (saved) => {
    verifier = saved;
  },
  codeVerifier: () => verifier,
  saveDiscoveryState: (saved) => {
    found = saved;
  },
  discoveryState: () => found as never,
  ...(session ? { dpop: () => session } : {}),
};

function providerOf(): OAuthClientProvider {
  switch (scenario) {
    case 'auth/client-credentials-basic':
      return new ClientCredentialsProvider({ clientId, clientSecret });
    case 'auth/client-credentials-jwt':
      return new PrivateKeyJwtProvider({
        ...{ clientId, privateKey: context.private_key_pem ?? '', algorithm: context.signing_algorithm ?? '' },
      });
    case 'auth/enterprise-managed-authorization':
      return new CrossAppAccessProvider({
        ...{ clientId, clientSecret },
        assertion: async ({ authorizationServerUrl: audience, resourceUrl: resource }) => {
          const [tokenEndpoint = '', idToken = ''] = [context.idp_token_endpoint, context.idp_id_token];
          const request = { tokenEndpoint, audience, resource, idToken, clientId: context.idp_client_id ?? '' };
          return (await requestJwtAuthorizationGrant(request)).jwtAuthGrant;
        },
      });
    default:
      return person;
  }
}

const provider = providerOf();

async function withLogin<T>(work: (client: Client) => Promise<T>): Promise<T> {
  for (let n = 0; ; n++) {
    const client = new Client(
      { name: 'sdk', version: '1.0.0' },
      isModern ? { versionNegotiation: { mode: 'auto' } } : {},
    );
    const transport = new StreamableHTTPClientTransport(new URL(serverUrl), { authProvider: provider });
    try {
      await client.connect(transport);
      return await work(client);
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || asked === undefined || n === MAX_LOGINS) throw error;
      const answer = await fetch(asked, { redirect: 'manual' });
      asked = undefined;
      await transport.finishAuth(new URL(answer.headers.get('location') ?? '').searchParams);
      // It is for the two halves of one login: the next one finds out anew which issuer the server has.
      found = undefined;
    } finally {
      await client.close().catch(() => {});
    }
  }
}

const { tools } = await withLogin((client) => client.listTools());
for (const { name } of tools) await withLogin((client) => client.callTool({ name, arguments: {} }));
