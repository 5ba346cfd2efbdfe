/**
 * How the two eras open: `initialize` and `notifications/initialized` (legacy), `server/discover` (modern), and which
 * revision both sides speak.
 * @module
 */

import { RPC, SwitchboardError, UpstreamError } from '../../../src/core/errors.ts';
import { type Envelope, type Implementation, META } from '../../../src/wire/envelope.ts';
import { type Era, isLegacyRevision, isModernRevision, LATEST_LEGACY, LATEST_MODERN } from '../../../src/wire/eras.ts';
import { parseText } from '../../../src/wire/json/parse.ts';
import { isObject, type JsonObject, notification } from '../../../src/wire/jsonrpc.ts';
import type { HttpHead } from '../../shared/origin.ts';
import { protocolError } from './frames.ts';
import { declarations, type Habits, isModernError, mayRefuseCapabilities } from './habits.ts';
import type { Link } from './link.ts';
import { requestOwn } from './own-request.ts';

/** What a server states about itself when a session is opened. */
export interface ServerHandshake {
  era: Era;
  protocolVersion: string;
  capabilities: JsonObject;
  serverInfo: Implementation | undefined;
  instructions: string | undefined;
}

export interface HandshakeOptions {
  link: Link;
  /** The server's name, for messages. */
  name: string;
  /** Who opens: the gateway, or the caller the session is for. */
  envelope: Envelope;
  nextId: () => number;
  signal: AbortSignal;
  head?: (head: HttpHead) => void;
  /** What is known of the server, and learned by opening it. */
  habits?: Habits;
}

/**
 * Opens a legacy session. A server that refuses the capabilities that are declared is asked again with less of them, down
 * to none. Rejects with the server's first error, or `SWB_UPSTREAM_PROTOCOL` when no revision is shared.
 */
export async function initialize(
  handshake: HandshakeOptions,
  version: string = LATEST_LEGACY,
): Promise<ServerHandshake> {
  const { link, name } = handshake;
  const opened = readInitializeResult(await askToInitialize(handshake, version), name);
  // From here on every message names the revision (2025-11-25 transports, "Protocol Version Header").
  link.opened?.(opened.protocolVersion);
  await link.post(notification('notifications/initialized'));
  await link.listen?.();
  return opened;
}

async function askToInitialize(handshake: HandshakeOptions, version: string): Promise<Buffer> {
  const { link, name, envelope, nextId, signal, head, habits } = handshake;
  const clientInfo = envelope.clientInfo ?? { name: 'agent-switchboard', version: '0' };
  let refusal: unknown;
  for (const [declares, capabilities] of declarations(envelope.clientCapabilities, habits?.declares ?? 'everything')) {
    const params = { protocolVersion: version, capabilities, clientInfo };
    const message = { jsonrpc: '2.0' as const, id: nextId(), method: 'initialize', params };
    try {
      const bytes = await requestOwn(link, head ? { message, name, signal, head } : { message, name, signal });
      if (refusal !== undefined) habits?.learn({ declares });
      return bytes;
    } catch (error) {
      if (!mayRefuseCapabilities(error)) throw refusal ?? error;
      refusal ??= error;
    }
  }
  throw refusal;
}

export function readInitializeResult(bytes: Buffer, name: string): ServerHandshake {
  const result = parseText(bytes.toString('utf8')) as JsonObject;
  if (!isLegacyRevision(result.protocolVersion)) {
    throw protocolError(
      name,
      `answers with protocol version ${quoted(result.protocolVersion)}, which is not known here`,
    );
  }
  return {
    era: 'legacy',
    protocolVersion: result.protocolVersion,
    capabilities: isObject(result.capabilities) ? result.capabilities : {},
    serverInfo: implementation(result.serverInfo),
    instructions: typeof result.instructions === 'string' ? result.instructions : undefined,
  };
}

/** What a modern probe found: a modern server, or one that must be opened the legacy way. */
export type Probe = ServerHandshake | 'legacy';

/**
 * Asks a server for its era. Only a `DiscoverResult` or an error that modern servers alone send makes it modern
 * (2026-07-28 transports/stdio, "Backward Compatibility"); what says nothing of the server's era (it is unreachable,
 * refuses the credentials, time is up) is thrown.
 */
export async function discover(handshake: HandshakeOptions): Promise<Probe> {
  let version: string = LATEST_MODERN;
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      return readDiscoverResult(await askToDiscover(handshake, version), handshake.name, version);
    } catch (error) {
      const verdict = eraOfFailure(error, handshake.name);
      if (verdict === 'legacy') return 'legacy';
      version = verdict;
    }
  }
  throw protocolError(handshake.name, 'refuses the protocol version it says it supports');
}

/** One `server/discover`. Resolves with the bytes of its result. */
export function askToDiscover(
  { link, name, envelope, nextId, signal, head }: HandshakeOptions,
  version: string,
): Promise<Buffer> {
  const params = { _meta: envelopeMeta({ ...envelope, protocolVersion: version }) };
  const message = { jsonrpc: '2.0' as const, id: nextId(), method: 'server/discover', params };
  return requestOwn(link, head ? { message, name, signal, head } : { message, name, signal });
}

/** The `_meta` of a request of the gateway's own. */
export function envelopeMeta(envelope: Envelope): JsonObject {
  const meta: JsonObject = {
    [META.protocolVersion]: envelope.protocolVersion,
    [META.clientCapabilities]: envelope.clientCapabilities,
  };
  if (envelope.clientInfo) meta[META.clientInfo] = envelope.clientInfo;
  return meta;
}

export function readDiscoverResult(bytes: Buffer, name: string, asked: string): Probe {
  const result = parseText(bytes.toString('utf8')) as JsonObject;
  const offered = result.supportedVersions;
  if (offered === undefined && !isObject(result.capabilities)) return 'legacy';
  const version = Array.isArray(offered) ? mutualModern(offered, asked) : asked;
  if (version === undefined) return legacyOr(offered as unknown[], name);
  const meta = isObject(result._meta) ? result._meta : {};
  return {
    era: 'modern',
    protocolVersion: version,
    capabilities: isObject(result.capabilities) ? result.capabilities : {},
    serverInfo: implementation(meta[META.serverInfo] ?? result.serverInfo),
    instructions: typeof result.instructions === 'string' ? result.instructions : undefined,
  };
}

/** `legacy`, or the modern version to try next; throws what is no verdict on the era. */
function eraOfFailure(error: unknown, name: string): 'legacy' | string {
  if (error instanceof UpstreamError) {
    const data = isObject(error.data) ? error.data : {};
    if (error.rpcCode === RPC.unsupportedProtocolVersion && Array.isArray(data.supported)) {
      const version = mutualModern(data.supported, undefined);
      if (version === undefined) return legacyOr(data.supported, name);
      // Even the version it has just refused: it claims to support it, and is asked once more, not for ever.
      return version;
    }
    if (isModernError(error)) {
      throw new SwitchboardError(
        'SWB_UPSTREAM_PROTOCOL',
        `Server '${name}' speaks MCP 2026-07-28 but refuses discovery: ${error.message}`,
      );
    }
    return 'legacy';
  }
  if (error instanceof SwitchboardError) {
    // Not JSON-RPC at all, or a bare HTTP status: what a legacy server makes of a request it does not know.
    if (error.code === 'SWB_UPSTREAM_HTTP' || error.code === 'SWB_UPSTREAM_PROTOCOL') return 'legacy';
  }
  throw error;
}

function mutualModern(offered: readonly unknown[], preferred: string | undefined): string | undefined {
  const known = offered.filter(isModernRevision);
  if (preferred !== undefined && known.includes(preferred)) return preferred;
  // Revisions are dates: the last in order is the newest.
  return known.sort().at(-1);
}

function legacyOr(offered: readonly unknown[], name: string): 'legacy' {
  if (offered.some(isLegacyRevision)) return 'legacy';
  const versions = offered.slice(0, 8).map(quoted).join(', ') || 'none';
  throw protocolError(name, `supports no protocol version known here (it offers ${versions})`);
}

const quoted = (value: unknown): string => (typeof value === 'string' ? `'${value.slice(0, 40)}'` : 'of no known form');

const implementation = (value: unknown): Implementation | undefined =>
  isObject(value) && typeof value.name === 'string' ? (value as Implementation) : undefined;
