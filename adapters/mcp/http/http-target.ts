/**
 * Where a Streamable HTTP or SSE server is: its origin, its path, and what every request to it carries. Also where
 * redirects lead, which are followed only when connecting.
 * @module
 */

import type { ConnectContext, NetworkGuard } from '../../../src/core/adapter.ts';
import type { CredentialHeaders, ServerCredentials } from '../../../src/core/credentials.ts';
import { SwitchboardError } from '../../../src/core/errors.ts';
import type { Log } from '../../../src/core/log.ts';
import { type HttpHead, HttpOrigin } from '../../shared/origin.ts';

const MAX_REDIRECTS = 3;

export interface TargetContext {
  readonly name: string;
  readonly maxReplyBytes: number;
  readonly guard: NetworkGuard | undefined;
  readonly credentials: ServerCredentials;
  readonly log: Log;
  sending?: ConnectContext['sending'];
}

export class HttpTarget {
  readonly url: URL;
  readonly path: string;
  readonly origin: HttpOrigin;
  readonly context: TargetContext;
  readonly #redirects: number;
  #skippedReplies = 0;
  readonly #credentials: ServerCredentials | undefined;

  private constructor(url: URL, credentials: ServerCredentials | undefined, context: TargetContext, redirects: number) {
    this.url = url;
    this.path = url.pathname + url.search;
    this.#credentials = credentials;
    this.context = context;
    this.#redirects = redirects;
    const { name, maxReplyBytes, guard } = context;
    const defaults = credentials && basicOf(url);
    this.origin = new HttpOrigin({
      origin: url.origin,
      name,
      maxReplyBytes,
      guard,
      credentials,
      defaults,
      owned: OWNED,
      sending: context.sending,
    });
  }

  static async open(address: string, context: TargetContext): Promise<HttpTarget> {
    const url = URL.parse(address);
    if (!url || !/^https?:$/.test(url.protocol)) {
      throw new SwitchboardError('SWB_CONFIG', `The url of server '${context.name}' is not an http or https URL.`);
    }
    await context.guard?.check(url);
    return new HttpTarget(url, context.credentials, context, 0);
  }

  /**
   * Where a response redirects to, or `undefined` when it does not redirect in a way that keeps method and body (307,
   * 308; for a GET 301 and 302 too). Each step is checked by the guard. Without a guard the operator named one origin,
   * and it is not left; with one, another origin may be gone to, but credentials stay behind: they were given for the
   * first origin only.
   */
  async redirected(head: HttpHead, method: 'GET' | 'POST'): Promise<HttpTarget | undefined> {
    const { status, headers } = head;
    if (!(status === 307 || status === 308 || (method === 'GET' && (status === 301 || status === 302)))) {
      return undefined;
    }
    const { name, guard } = this.context;
    const next = headers.location === undefined ? null : URL.parse(headers.location, this.url.href);
    if (!next || !/^https?:$/.test(next.protocol)) {
      throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' redirects to nowhere.`);
    }
    if (this.#redirects >= MAX_REDIRECTS) {
      throw new SwitchboardError(
        'SWB_UPSTREAM_PROTOCOL',
        `Server '${name}' redirects more than ${MAX_REDIRECTS} times.`,
      );
    }
    const sameOrigin = next.origin === this.url.origin;
    if (!sameOrigin && !guard) {
      throw new SwitchboardError(
        'SWB_URL_REFUSED',
        `Server '${name}' redirects to another origin, which is not followed. Configure the address it is at now.`,
      );
    }
    await guard?.check(next);
    return new HttpTarget(next, sameOrigin ? this.#credentials : undefined, this.context, this.#redirects + 1);
  }

  /** A reply came on the stream of a request that it does not answer. Counted, logged, and given to no one. */
  replySkipped(): void {
    const { log, name } = this.context;
    const skipped = ++this.#skippedReplies;
    if (skipped === 1) {
      log.warn({ server: name }, 'the server sends replies to other requests on the stream of a request: skipped');
    } else log.debug({ server: name, skipped }, 'skipped a reply to another request');
  }

  close(): Promise<void> {
    return this.origin.close();
  }
}

/** User and password of a URL, as a header. */
function basicOf({ username, password }: URL): CredentialHeaders {
  if (username === '' && password === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` };
}

/** Headers of the protocol: credentials cannot set them. */
const OWNED =
  /^(?:accept|accept-encoding|content-type|content-length|host|connection|transfer-encoding|last-event-id|mcp-session-id|mcp-protocol-version|mcp-method|mcp-name|mcp-param-.*)$/;
