/**
 * Makes the caller of a request at the edge: per request for modern clients, per session for legacy ones.
 * @module
 */
import type { Caller } from '../core/caller.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Identity } from '../core/identity.ts';
import { shorten } from '../core/text.ts';
import { type Implementation, type RequestEnvelope, readEnvelope } from '../wire/envelope.ts';
import {
  isLegacyRevision,
  isModernRevision,
  LEGACY_REVISIONS,
  negotiateLegacy,
  SUPPORTED_REVISIONS,
} from '../wire/eras.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { TASKS_EXTENSION } from '../wire/tasks.ts';

/** `_meta` key by which a modern client asks for an upstream session of its own beside its other ones. */
const SESSION_META = 'switchboard/session';

/** A session keeps `clientInfo` and `capabilities` for as long as it lives: they are no place to store things. */
const MAX_CLIENT_CHARS = 64 * 1024;

const SESSION_NAME = /^[\x21-\x7e]{1,128}$/;

export function requireEnvelope(params: unknown): RequestEnvelope {
  const envelope = readEnvelope(params);
  if (typeof envelope === 'string') throw malformedEnvelope(envelope);
  return envelope;
}

export function malformedEnvelope(why: string): SwitchboardError {
  return new SwitchboardError('SWB_ENVELOPE', `Malformed request: ${why}.`);
}

export function requireModernVersion(version: string): void {
  const supported: boolean = isModernRevision(version);
  if (supported) return;
  throw new SwitchboardError(
    'SWB_UNSUPPORTED_VERSION',
    `Protocol version '${shorten(version, 64)}' is not supported.`,
    {
      data: { supported: [...SUPPORTED_REVISIONS], requested: version },
    },
  );
}

/**
 * The `MCP-Protocol-Version` header on requests of a legacy session. Unsupported versions are refused; revisions before
 * 2025-06-18 did not know the header, so it may be missing. The session's own version counts: a client that names another
 * supported revision is understood all the same.
 */
export function requireLegacyVersion(version: string | undefined): void {
  if (version === undefined || isLegacyRevision(version)) return;
  throw new SwitchboardError(
    'SWB_INVALID_REQUEST',
    `The MCP-Protocol-Version header of a session must be one of ${LEGACY_REVISIONS.join(', ')}.`,
  );
}

export function modernCaller(identity: Identity, envelope: RequestEnvelope): Caller {
  return {
    key: identity.lent
      ? `${identity.principal}\nlent:${identity.lent.id}`
      : callerKey(identity.principal, envelope.meta[SESSION_META]),
    principal: identity.principal,
    identity,
    era: 'modern',
    protocolVersion: envelope.protocolVersion,
    capabilities: identity.lent ? withoutPerson(envelope.clientCapabilities) : envelope.clientCapabilities,
    clientInfo: envelope.clientInfo,
    logLevel: envelope.logLevel,
    sessionId: undefined,
  };
}

/**
 * What the holder of a lent key may be asked: nothing that stands for a person, who is the lender's, or it would approve
 * its own calls. Nor has it tasks, which would outlive the key.
 */
function withoutPerson({ elicitation, tasks, extensions, ...others }: JsonObject): JsonObject {
  if (!isObject(extensions)) return others;
  const { [TASKS_EXTENSION]: _, ...kept } = extensions;
  return { ...others, extensions: kept };
}

function callerKey(principal: string, name: unknown): string {
  if (name === undefined) return principal;
  if (typeof name !== 'string' || !SESSION_NAME.test(name)) {
    throw new SwitchboardError('SWB_ENVELOPE', `_meta["${SESSION_META}"] must be 1 to 128 visible ASCII characters.`);
  }
  // A line break can stand in neither half: no principal and name together read as another principal's key.
  return `${principal}\n${name}`;
}

/** `params` is of the `initialize` request. */
export function legacyCaller(identity: Identity, sessionId: string, params: JsonObject | undefined): Caller {
  const declared = isObject(params?.capabilities) ? params.capabilities : {};
  const capabilities = identity.lent ? withoutPerson(declared) : declared;
  const info = params?.clientInfo;
  const clientInfo = isObject(info) && typeof info.name === 'string' ? (info as Implementation) : undefined;
  if (JSON.stringify([capabilities, clientInfo]).length > MAX_CLIENT_CHARS) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `capabilities and clientInfo together are over ${MAX_CLIENT_CHARS} characters.`,
    );
  }
  return {
    key: sessionId,
    principal: identity.principal,
    identity,
    era: 'legacy',
    protocolVersion: negotiateLegacy(params?.protocolVersion),
    capabilities,
    clientInfo,
    logLevel: undefined,
    sessionId,
  };
}
