/**
 * Streamable HTTP of 2026-07-28: every request is a POST of its own, with its method and name in headers. No sessions, no
 * GET stream, no resumption.
 * @module
 */

import type { Identity } from '../../../src/core/identity.ts';
import { META } from '../../../src/wire/envelope.ts';
import { encodeHeaderValue, mcpNameOf } from '../../../src/wire/headers.ts';
import { encodeMessage } from '../../../src/wire/json/source.ts';
import { isObject, type Notification, type Request, type Response } from '../../../src/wire/jsonrpc.ts';
import { type Link, type LinkEvents, NO_EVENTS, type ResponseHandler, type Sent } from '../session/link.ts';
import type { HttpTarget } from './http-target.ts';
import { type ExchangeContext, PostExchange } from './post-exchange.ts';

/** What every POST of either era accepts and sends. */
export const POST_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'accept-encoding': 'identity',
} as const;

export class ModernHttpLink implements Link {
  events: LinkEvents = NO_EVENTS;
  readonly ownStreams = true;
  readonly stateful = false;
  readonly #target: HttpTarget;
  readonly #context: ExchangeContext;
  #version: string | undefined;

  /** `broken` is called when the connection, not the request, has failed. */
  constructor(target: HttpTarget, broken: () => void) {
    this.#target = target;
    const { name, maxReplyBytes } = target.context;
    this.#context = { origin: target.origin, name, maxReplyBytes, broken, skipped: () => target.replySkipped() };
  }

  opened(protocolVersion: string): void {
    this.#version = protocolVersion;
  }

  send(message: Request, handler: ResponseHandler, headers?: Readonly<Record<string, string>>): Sent {
    return new PostExchange(
      this.#context,
      {
        method: 'POST',
        path: this.#target.path,
        headers: requestHeaders(message, headers),
        body: encodeMessage(message),
        identity: handler.identity,
      },
      handler,
    );
  }

  async post(message: Notification | Response, identity?: Identity): Promise<void> {
    if (!('method' in message)) return;
    const headers = requestHeaders(message);
    // A notification has no envelope to take it from.
    if (this.#version !== undefined) headers['mcp-protocol-version'] = this.#version;
    const request = {
      method: 'POST' as const,
      path: this.#target.path,
      headers,
      body: encodeMessage(message),
      identity,
    };
    await this.#target.origin.collect(request, AbortSignal.timeout(POST_TIMEOUT_MS)).catch(() => {});
  }

  /** The server holds nothing for it; the target is closed where it was opened. */
  async close(): Promise<void> {}
}

const POST_TIMEOUT_MS = 10_000;

function requestHeaders(
  { method, params }: Request | Notification,
  extra?: Readonly<Record<string, string>>,
): Record<string, string> {
  const headers: Record<string, string> = { ...POST_HEADERS, 'mcp-method': method };
  const version = isObject(params?._meta) ? params._meta[META.protocolVersion] : undefined;
  if (typeof version === 'string') headers['mcp-protocol-version'] = version;
  const name = mcpNameOf(method, params);
  if (name !== undefined) headers['mcp-name'] = encodeHeaderValue(name);
  return extra ? Object.assign(headers, extra) : headers;
}
