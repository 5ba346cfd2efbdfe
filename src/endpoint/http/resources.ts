/**
 * The gateway as a protected resource of OAuth: the metadata that tells clients where to log in (RFC 9728), and the challenges
 * that lead them there (RFC 6750). Each endpoint is a resource of its own, named as its client typed it.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuthRequest } from '../../core/identity.ts';
import { mountedAt } from './mount.ts';
import { METADATA_PATH, routeOf } from './routes.ts';

/** What clients learn before they log in. */
export interface ResourceOptions {
  publicUrl: string | undefined;
  basePath: string;
  /** Issuers whose tokens are accepted, the one to use first. */
  authorizationServers: readonly string[];
  /** Scopes that every request needs. */
  scopes: readonly string[];
}

/** Of a response: what completes its challenges. Set where there are authorization servers. */
const CHALLENGES = Symbol('challenges');

type Challenged = ServerResponse & { [CHALLENGES]?: ProtectedResources };

export class ProtectedResources {
  readonly #publicUrl: string | undefined;
  readonly #basePath: string;
  readonly #servers: readonly string[];
  readonly #scopes: readonly string[];

  constructor({ publicUrl, basePath, authorizationServers, scopes }: ResourceOptions) {
    this.#publicUrl = publicUrl === undefined ? undefined : canonicalBase(publicUrl);
    this.#basePath = basePath;
    this.#servers = authorizationServers;
    this.#scopes = scopes;
  }

  /** Errors that are sent with this response say where to log in. */
  attend(res: ServerResponse): void {
    (res as Challenged)[CHALLENGES] = this;
  }

  /** The resource that a request is for, and the whole gateway, without a slash at the end. */
  addressOf = (request: AuthRequest): { resource: string; gateway: string } => {
    const gateway = this.#baseOf(request);
    return { resource: gateway + resourcePath(this.#pathOf(request)), gateway };
  };

  /** `path` is what follows {@link METADATA_PATH}. Undefined: nothing is protected there. */
  metadata(request: AuthRequest, path: string): string | undefined {
    const base = this.#baseOf(request);
    // Clients insert the well-known part before the whole path, of which a proxy's or a host's part comes first.
    const prefix = new URL(base).pathname.replace(/\/$/, '');
    const own = prefix !== '' && (path === prefix || path.startsWith(`${prefix}/`)) ? path.slice(prefix.length) : path;
    if (own.replace(/\/$/, '') !== '' && !isProtected(own)) return undefined;
    return JSON.stringify({
      resource: base + quotable(own),
      authorization_servers: this.#servers,
      bearer_methods_supported: ['header'],
      resource_name: 'agent-switchboard',
      ...(this.#scopes.length === 0 ? {} : { scopes_supported: this.#scopes }),
    });
  }

  /** A challenge with the way to the metadata. */
  complete(challenge: string, request: AuthRequest): string {
    const path = resourcePath(this.#pathOf(request));
    const where = `${this.#baseOf(request)}${METADATA_PATH}${isProtected(path) ? path : ''}`;
    const scope = this.#scopes.length === 0 || / scope="/.test(challenge) ? '' : `, scope="${this.#scopes.join(' ')}"`;
    return `${challenge}, resource_metadata="${where}"${scope}`;
  }

  /** Without a configured address it is where the request says it was sent; that Host header has been checked. */
  #baseOf(request: AuthRequest): string {
    if (this.#publicUrl !== undefined) return this.#publicUrl;
    const { host } = request.headers;
    const name = typeof host === 'string' ? host.toLowerCase() : 'localhost';
    return `http://${name}${mountedAt(request as IncomingMessage, this.#basePath)}`;
  }

  #pathOf({ url = '/' }: AuthRequest): string {
    const below =
      this.#basePath !== '' && url.startsWith(`${this.#basePath}/`) ? url.slice(this.#basePath.length) : url;
    const mark = below.indexOf('?');
    return quotable(mark === -1 ? below : below.slice(0, mark));
  }
}

/** Completes the challenge of an error, where a client can log in. */
export const challengeFor = (res: Challenged, challenge: string): string =>
  res[CHALLENGES]?.complete(challenge, res.req) ?? challenge;

/** The resource that an address belongs to: messages to a stream, and what is below an agent, have no own one. */
function resourcePath(path: string): string {
  const bare = path.replace(/(?<=.)\/$/, '');
  const agent = /^\/a2a\/[^/]+\/[^/]+/.exec(bare)?.[0];
  if (agent !== undefined) return agent;
  if (bare.startsWith('/v1/')) return '/v1';
  return bare.replace(/\/messages$/, '/sse');
}

/** Whether clients log in for what is at this path. */
function isProtected(path: string): boolean {
  const bare = path.replace(/(?<=.)\/$/, '');
  if (bare === '/v1') return true;
  const to = routeOf(bare)?.to;
  return to === 'mcp' || to === 'sse' || to === 'a2a' || to === 'responses';
}

/** Fit to stand between quotes. */
const quotable = (path: string): string => path.replace(/[^!#-[\]-~]/g, encodeURIComponent);

/** Scheme and host in lower case, without a slash at the end. */
function canonicalBase(text: string): string {
  const { origin, pathname } = new URL(text);
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}
