/**
 * An MCP server whose people have accounts: every request needs a token of its authorization server, and it says so as the
 * specification wants (401, RFC 9728). It is the official SDK's.
 * @module
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  type AuthInfo,
  createMcpHandler,
  getOAuthProtectedResourceMetadataUrl,
  McpServer,
  OAuthError,
  OAuthErrorCode,
  type OAuthMetadata,
  oauthMetadataResponse,
  requireBearerAuth,
} from '@modelcontextprotocol/server';
import { createRemoteJWKSet, jwtVerify } from 'jose';

export const MAIL_SCOPE = 'mail.read';

export interface MailServer {
  readonly url: string;
  close(): Promise<void>;
}

/** `issuer`: its authorization server. */
export async function startMail(issuer: string): Promise<MailServer> {
  const http = createServer();
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`);
  const found = await fetch(`${issuer}/.well-known/openid-configuration`);
  const metadata = {
    oauthMetadata: (await found.json()) as OAuthMetadata,
    resourceServerUrl: url,
    scopesSupported: [MAIL_SCOPE],
  };
  const authenticate = requireBearerAuth({
    verifier: { verifyAccessToken: verifier(issuer, url) },
    expectedResource: url,
    requiredScopes: [MAIL_SCOPE],
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(url),
  });
  const handler = createMcpHandler(({ authInfo }) => mailbox(String(authInfo?.extra?.account)));
  const serve = toNodeHandler({
    async fetch(request, options) {
      const document = oauthMetadataResponse(request, metadata);
      if (document) return document;
      const authInfo = await authenticate(request);
      return authInfo instanceof Response ? authInfo : handler.fetch(request, { ...options, authInfo });
    },
  });
  http.on('request', (request, response) => void serve(request, response));
  return {
    url: url.href,
    async close() {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await Promise.all([closed, handler.close()]);
    },
  };
}

function verifier(issuer: string, resource: URL): (token: string) => Promise<AuthInfo> {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, { issuer, audience: resource.href });
      const { sub, exp, scope, client_id: clientId } = payload;
      const scopes = String(scope ?? '').split(' ');
      return {
        token,
        clientId: String(clientId),
        scopes,
        resource,
        extra: { account: sub },
        ...(exp && { expiresAt: exp }),
      };
    } catch {
      throw new OAuthError(OAuthErrorCode.InvalidToken, 'The token is not valid.');
    }
  };
}

function mailbox(account: string): McpServer {
  const server = new McpServer({ name: 'mail', version: '1.0.0' });
  server.registerTool('inbox', { description: 'The newest mail of whoever is logged in.' }, () => ({
    content: [{ type: 'text', text: `To: ${account}\nSubject: Lunch?\nNoon, at the usual place.` }],
  }));
  return server;
}
