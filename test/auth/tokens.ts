/**
 * A gateway that accepts the access tokens of a real authorization server, in front of a server with two tools.
 * @module
 */
import { type Exchanged, modern, postModern } from '../../src/endpoint/testing/http.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type Oidc, type OidcOptions, startOidc } from '../fixtures/oidc.ts';

export interface LoginSetup {
  oidc?: OidcOptions;
  /** The entry of the issuer, besides `issuer`. */
  issuer?: object | ((oidc: Oidc) => object);
  gateway?: (oidc: Oidc) => Record<string, unknown>;
}

export interface LoginGateway {
  oidc: Oidc;
  upstream: RecordingUpstream;
  gateway: OwnGateway;
  close(): Promise<void>;
}

export async function startLoginGateway({
  oidc: given,
  issuer = {},
  gateway: more,
}: LoginSetup): Promise<LoginGateway> {
  const oidc = await startOidc(given);
  const upstream = await startRecording({
    tools: ['read', 'write', 'secret'],
    handlers: { 'tools/call': ({ name }) => ({ content: [{ type: 'text', text: `${name} done` }] }) },
  });
  const entry = typeof issuer === 'function' ? issuer(oidc) : issuer;
  const gateway = await startReadyGateway({
    servers: { v: { url: upstream.url, kind: 'mcp' } },
    gateway: {
      auth: { issuers: [{ issuer: oidc.issuer, grant: 'local', ...entry }] },
      ...more?.(oidc),
    },
  });
  return {
    oidc,
    upstream,
    gateway,
    async close() {
      await gateway.close();
      await Promise.all([upstream.close(), oidc.close()]);
    },
  };
}

export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** One modern `tools/call`. */
export const callTool = (url: URL, name: string, token?: string, args: JsonObject = {}): Promise<Exchanged> =>
  postModern(url, modern(1, 'tools/call', { name, arguments: args }), token === undefined ? {} : bearer(token));

/** The parts of a challenge by name. */
export function challengeOf({ headers }: Pick<Exchanged, 'headers'>): Record<string, string> {
  const text = headers['www-authenticate'] ?? '';
  return Object.fromEntries([...text.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}
