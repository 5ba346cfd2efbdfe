/**
 * The modern envelope: reserved `_meta` keys of a 2026-07-28 request and result, how to read them and how to stamp them.
 * Source: 2026-07-28 basic/index, "Per-request protocol fields".
 * @module
 */
import { isModernRevision } from './eras.ts';
import { isObject, type JsonObject } from './jsonrpc.ts';

export const META = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
} as const;

export interface Implementation {
  name: string;
  version: string;
  [key: string]: unknown;
}

export interface Envelope {
  protocolVersion: string;
  clientInfo?: Implementation;
  clientCapabilities: JsonObject;
  logLevel?: string;
}

/** The envelope of a request, with the `_meta` it stands in: what else is read there is read from here. */
export interface RequestEnvelope extends Envelope {
  meta: JsonObject;
}

/** True when a request announces itself as modern, well-formed or not: the era is decided by the claim. */
export function claimsModern(params: unknown): boolean {
  if (!isObject(params) || !isObject(params._meta)) return false;
  return META.protocolVersion in params._meta || META.clientCapabilities in params._meta;
}

/** Reads the envelope of a request. Returns a sentence saying what is wrong when it is malformed. */
export function readEnvelope(params: unknown): RequestEnvelope | string {
  const meta = isObject(params) && isObject(params._meta) ? params._meta : undefined;
  if (!meta) return `params._meta is missing; ${META.protocolVersion} and ${META.clientCapabilities} are required`;
  const version = meta[META.protocolVersion];
  if (typeof version !== 'string') return `_meta["${META.protocolVersion}"] must be a string`;
  const capabilities = meta[META.clientCapabilities];
  // A version this side does not speak may shape its envelope differently: say "unsupported version", not "malformed".
  if (!isObject(capabilities) && isModernRevision(version)) {
    return `_meta["${META.clientCapabilities}"] must be an object`;
  }
  const envelope: RequestEnvelope = {
    protocolVersion: version,
    clientCapabilities: isObject(capabilities) ? capabilities : {},
    meta,
  };
  const info = meta[META.clientInfo];
  if (isObject(info) && typeof info.name === 'string') envelope.clientInfo = info as Implementation;
  const level = meta[META.logLevel];
  if (typeof level === 'string') envelope.logLevel = level;
  return envelope;
}

/** Request `_meta` without the modern envelope: what a legacy upstream may see of a modern client's request. */
export function withoutEnvelope(meta: unknown): JsonObject | undefined {
  if (!isObject(meta)) return undefined;
  const rest: JsonObject = {};
  let any = false;
  for (const key of Object.keys(meta)) {
    if (
      key === META.protocolVersion ||
      key === META.clientInfo ||
      key === META.clientCapabilities ||
      key === META.logLevel
    ) {
      continue;
    }
    rest[key] = meta[key];
    any = true;
  }
  return any ? rest : undefined;
}

/** Request `_meta` with the envelope a modern upstream requires. Other keys (trace context, progress) are kept. */
export function withEnvelope(meta: unknown, envelope: Envelope): JsonObject {
  const stamped: JsonObject = isObject(meta) ? { ...meta } : {};
  stamped[META.protocolVersion] = envelope.protocolVersion;
  stamped[META.clientCapabilities] = envelope.clientCapabilities;
  if (envelope.clientInfo) stamped[META.clientInfo] = envelope.clientInfo;
  if (envelope.logLevel) stamped[META.logLevel] = envelope.logLevel;
  else delete stamped[META.logLevel];
  return stamped;
}
