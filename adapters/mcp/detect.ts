/**
 * Whether a URL answers like an MCP server of any era. The gateway connects to it, and a session that this opens is
 * ended again at once.
 * @module
 */

import type { ConnectContext, DetectContext } from '../../src/core/adapter.ts';
import { fixedHeaders } from '../../src/core/credentials.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import { LATEST_MODERN } from '../../src/wire/eras.ts';
import { UpstreamHost } from './host.ts';
import { connectHttp } from './http/connect.ts';

const TIMEOUT_MS = 10_000;
/** Handshakes are small; a web page that is not one need not be read to its end. */
const MAX_REPLY_BYTES = 1024 * 1024;

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

export async function detectMcp(url: URL, { headers, guard, signal }: DetectContext): Promise<boolean> {
  const target = { transport: 'auto' as const, url: url.href, headers };
  const context: ConnectContext = {
    name: 'unknown',
    target,
    options: {},
    isolation: 'shared',
    known: undefined,
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
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    onDown() {},
    onNotification() {},
  };
  try {
    const { gatewaySession, connection } = await connectHttp(context, target, new UpstreamHost(context));
    await gatewaySession.close(new Error('It was only asked what it is.'));
    await connection.close();
    return true;
  } catch (error) {
    // A server that wants an OAuth token and says where to get one (RFC 9728) is one that MCP clients know what to do
    // with; connecting to it will say precisely what is missing.
    return error instanceof SwitchboardError && error.code === 'SWB_UPSTREAM_AUTH' && error.data.oauth === true;
  }
}
