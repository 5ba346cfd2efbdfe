/**
 * A person's MCP client, the official SDK's: it finds out where to log in, opens the person's browser, waits at a loopback address
 * for the code, and opens pages that servers ask for in the middle of a call.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Client,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type OAuthTokens,
  type StoredOAuthClientInformation,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { page } from './page.ts';
import type { BrowserOf } from './people.ts';

const CALL_MS = 10 * 60_000;

export interface PersonsClient {
  /** Who the gateway says it is, as the access token has it. */
  readonly principal: string;
  /** The text of a tool's result; rejects with it when the tool fails. */
  call(name: string): Promise<string>;
  close(): Promise<void>;
}

/** Connects to `url`, which has the person log in. */
export async function connect(url: string, browser: BrowserOf): Promise<PersonsClient> {
  const callback = await startCallback();
  try {
    const provider = providerFor(callback, browser);
    const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
    const asked = new Set<string>();
    const client = new Client(
      { name: 'example-client', version: '1.0.0' },
      {
        versionNegotiation: { mode: 'auto' },
        capabilities: { elicitation: { url: {} } },
        // The gateway asks again every 30 seconds while a person takes their time.
        inputRequired: { maxRounds: 20 },
      },
    );
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      if (params.mode !== 'url') return { action: 'decline' };
      if (asked.has(params.url)) return { action: 'accept' };
      asked.add(params.url);
      return { action: (await browser.open(new URL(params.url), params.message)) ? 'accept' : 'decline' };
    });
    const first = transport();
    try {
      await client.connect(first);
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      await first.finishAuth(await callback.received);
      await client.connect(transport());
    }
    return {
      principal: principalIn((await provider.tokens()) as OAuthTokens),
      async call(name) {
        const result = await client.callTool({ name, arguments: {} }, { timeout: CALL_MS });
        const [block] = result.content;
        const text = block?.type === 'text' ? block.text : '';
        if (result.isError) throw new Error(text);
        return text;
      },
      async close() {
        await client.close();
        await callback.close();
      },
    };
  } catch (error) {
    await callback.close();
    throw error;
  }
}

interface Callback {
  readonly url: string;
  readonly state: string;
  /** What the browser brought back. */
  readonly received: Promise<URLSearchParams>;
  close(): Promise<void>;
}

async function startCallback(): Promise<Callback> {
  const state = randomBytes(16).toString('base64url');
  const { promise: received, resolve } = Promise.withResolvers<URLSearchParams>();
  const http: Server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const isOurs = pathname === '/callback' && searchParams.get('state') === state;
    if (isOurs) resolve(searchParams);
    const text = isOurs
      ? 'The client has what it needs. You can close this page.'
      : 'This is not a login of this client.';
    response.writeHead(isOurs ? 200 : 400, { 'content-type': 'text/html; charset=utf-8' });
    response.end(page('Back at the client', `<p>${text}</p>`));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/callback`,
    state,
    received,
    async close() {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    },
  };
}

/** What the client keeps of its login; a real one keeps it where it keeps secrets. */
function providerFor({ url, state }: Callback, browser: BrowserOf): OAuthClientProvider {
  const kept: {
    client?: StoredOAuthClientInformation;
    tokens?: OAuthTokens;
    verifier?: string;
    discovery?: OAuthDiscoveryState;
  } = {};
  return {
    redirectUrl: url,
    clientMetadata: {
      client_name: 'Example client',
      redirect_uris: [url],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    state: () => state,
    clientInformation: () => kept.client,
    saveClientInformation: (client) => {
      kept.client = client;
    },
    tokens: () => kept.tokens,
    saveTokens: (tokens) => {
      kept.tokens = tokens;
    },
    codeVerifier: () => kept.verifier ?? '',
    saveCodeVerifier: (verifier) => {
      kept.verifier = verifier;
    },
    discoveryState: () => kept.discovery,
    saveDiscoveryState: (discovery) => {
      kept.discovery = discovery;
    },
    redirectToAuthorization: async (address) => {
      await browser.open(address, 'The client opens this page, so that its person logs in to the gateway.');
    },
  };
}

function principalIn({ access_token: token }: OAuthTokens): string {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sub?: string };
  return String(claims.sub);
}
