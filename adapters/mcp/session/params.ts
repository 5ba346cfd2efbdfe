/**
 * What becomes of a client's `params` on the way to an upstream of either era. Only the era's own members of `_meta` and
 * the progress token are touched; everything else (trace context, extensions, unknown keys) goes through.
 * @module
 */

import type { Caller } from '../../../src/core/caller.ts';
import { type Envelope, META, withEnvelope, withoutEnvelope } from '../../../src/wire/envelope.ts';
import type { Era } from '../../../src/wire/eras.ts';
import { repeatsKeys } from '../../../src/wire/json/source.ts';
import { isObject, type JsonObject } from '../../../src/wire/jsonrpc.ts';

export interface Dialect {
  era: Era;
  protocolVersion: string;
}

/** The envelope of a caller's request to a modern upstream: the caller's own words, in the upstream's revision. */
export function callerEnvelope(caller: Caller, protocolVersion: string, own: Envelope): Envelope {
  const envelope: Envelope = { protocolVersion, clientCapabilities: caller.capabilities };
  const info = caller.clientInfo ?? own.clientInfo;
  if (info) envelope.clientInfo = info;
  if (caller.logLevel !== undefined) envelope.logLevel = caller.logLevel;
  return envelope;
}

/**
 * Stamps `_meta`: in `params`, never in the object that is there. One that says all of it already stays as it is, and leaves
 * as its client spelled it; not with a member twice, of which the server might read the other one. The client's progress token becomes `token`, which no other request of this upstream has:
 * two clients may well have chosen the same one.
 */
export function stampMeta(params: JsonObject, envelope: Envelope | undefined, token: number, progress: boolean): void {
  const meta = params._meta;
  if (envelope && !progress && isObject(meta) && says(meta, envelope) && !repeatsKeys(params, '_meta')) return;
  if (!envelope && !isObject(meta) && !progress) {
    if (meta !== undefined) delete params._meta;
    return;
  }
  const stamped = envelope ? withEnvelope(meta, envelope) : (withoutEnvelope(meta) ?? {});
  if (progress) stamped.progressToken = token;
  else delete stamped.progressToken;
  if (envelope || Object.keys(stamped).length > 0) params._meta = stamped;
  else delete params._meta;
}

/** Whether it is what {@link withEnvelope} would make of it, without a progress token. */
const says = (meta: JsonObject, envelope: Envelope): boolean =>
  meta[META.protocolVersion] === envelope.protocolVersion &&
  meta[META.clientCapabilities] === envelope.clientCapabilities &&
  meta[META.clientInfo] === envelope.clientInfo &&
  meta[META.logLevel] === envelope.logLevel &&
  meta.progressToken === undefined;

/** Whether the client wants progress notifications: the relay knows of a token, or the request carries one. */
export const asksForProgress = (params: JsonObject, wantsProgress: boolean): boolean =>
  wantsProgress || (isObject(params._meta) && params._meta.progressToken !== undefined);
