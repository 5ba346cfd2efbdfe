/**
 * Whether a URL answers like an MCP server of any era. A server that answers the modern probe in JSON-RPC is one, and no
 * session is opened for that: some servers have only one. Otherwise the gateway connects to it, and ends at once what this
 * opens.
 * @module
 */

import type { ConnectContext, DetectContext } from '../../src/core/adapter.ts';
import { BROKER_PROTOCOLS } from '../../src/core/broker.ts';
import { fixedHeaders } from '../../src/core/credentials.ts';
import { SwitchboardError, UpstreamError } from '../../src/core/errors.ts';
import { secretsOf } from '../../src/core/evidence.ts';
import type { Log } from '../../src/core/log.ts';
import { NO_MEMORY } from '../../src/core/server-memory.ts';
import { LATEST_MODERN } from '../../src/wire/eras.ts';
import { refusalOf } from './errors.ts';
import { UpstreamHost } from './host.ts';
import { connectHttp } from './http/connect.ts';
import { HttpTarget } from './http/http-target.ts';
import { ModernHttpLink } from './http/modern.ts';
import { askToDiscover } from './session/handshake.ts';

const TIMEOUT_MS = 10_000;
/** Handshakes are small; a web page that is not one need not be read to its end. */
const MAX_REPLY_BYTES = 1024 * 1024;

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

export async function detectMcp(url: URL, detection: DetectContext): Promise<boolean> {
  if (BROKER_PROTOCOLS.has(url.protocol)) return (await import('./mqtt/detect.ts')).detectMqtt(url, detection);
  const { headers, guard, signal, refused, sending } = detection;
  const target = { transport: 'auto' as const, url: url.href, headers };
  const context: ConnectContext = {
    name: 'unknown',
    target,
    options: {},
    isolation: 'shared',
    known: undefined,
    memory: NO_MEMORY,
    timeoutMs: 60_000,
    maxReplyBytes: MAX_REPLY_BYTES,
    maxCallerSessions: 1,
    envelope: {
      protocolVersion: LATEST_MODERN,
      clientInfo: { name: 'agent-switchboard', version: '0' },
      clientCapabilities: {},
    },
    guard,
    credentials: fixedHeaders(headers),
    log: SILENT,
    ...(sending ? { sending } : {}),
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    onDown() {},
    onNotification() {},
  };
  const host = new UpstreamHost(context);
  try {
    if (await speaksJsonRpc(context, target, host)) return true;
    const { gatewaySession, connection } = await connectHttp(context, target, host);
    await gatewaySession.close(new Error('It was only asked what it is.'));
    await connection.close();
    return true;
  } catch (error) {
    // A server that wants an OAuth token and says where to get one (RFC 9728) is one that MCP clients know what to do
    // with; connecting to it will say precisely what is missing.
    if (!(error instanceof SwitchboardError)) return false;
    if (error.code === 'SWB_UPSTREAM_AUTH') {
      if (error.data.oauth === true || (error.data.status === 401 && (await describesItself(context, target))))
        return true;
    }
    const reason = refusalOf('The server at this URL', error, secretsOf(headers, url.href));
    if (reason !== undefined) refused?.(new SwitchboardError(error.code, reason, { cause: error }));
    return false;
  }
}

/** Whether metadata of a protected resource are where servers have them that do not say so in a challenge (RFC 9728, 3). */
async function describesItself(context: ConnectContext, { url }: { url: string }): Promise<boolean> {
  try {
    const target = await HttpTarget.open(url, context);
    const path = target.url.pathname.replace(/\/$/, '');
    try {
      for (const at of new Set([`${WELL_KNOWN}${path}`, WELL_KNOWN])) {
        const request = { method: 'GET' as const, path: at, headers: { accept: 'application/json' } };
        const { status, body } = await target.origin.collect(request, context.signal);
        if (status === 200 && /"authorization_servers"\s*:\s*\[/.test(body.toString('utf8'))) return true;
      }
    } finally {
      await target.close();
    }
  } catch {
    // Unreachable by now, or too large: it has shown nothing.
  }
  return false;
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/** How long the modern probe may take here; servers that do not answer it are opened. */
const PROBE_MS = 2_000;

/** Whether `server/discover` is answered by a JSON-RPC server, if only that it is not known or not initialized. */
async function speaksJsonRpc(context: ConnectContext, { url }: { url: string }, host: UpstreamHost): Promise<boolean> {
  const target = await HttpTarget.open(url, context);
  try {
    const link = new ModernHttpLink(target, () => {});
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(PROBE_MS)]);
    const { name, envelope } = host;
    await askToDiscover({ link, name, envelope, nextId: () => host.nextId(), signal }, LATEST_MODERN);
    return false;
  } catch (error) {
    // Web APIs have an `error` with a `code` too, but not of this range.
    return error instanceof UpstreamError && error.rpcCode <= -32000 && error.rpcCode >= -32768;
  } finally {
    await target.close();
  }
}
