/**
 * Redacts secrets in what is printed and logged. Values under keys that hold credentials are replaced whatever they look
 * like, and text is searched for the shapes of credentials; either alone has holes.
 * @module
 */

import { shorten } from '../core/text.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import type { StateTarget } from './schema/state.ts';
import type { GatewayConfig, ServerConfig } from './types.ts';

export const REDACTED = '[redacted]';

/** Every value below these is replaced; the names stay, because they help to find a mistake. */
const MAPS_OF_SECRETS = new Set(['headers', 'env']);
const SECRET_KEY =
  /^(?:.*[-_.])?(?:authorization|cookie|api-?_?key|token|secret|password|passwd|passphrase|credentials?)$/i;
const CAMEL_SECRET_KEY = /(?:Token|Secret|Password|ApiKey|Credentials?|^assertion|^privateKey)$/;
/** Counts and settings whose names only sound secret. */
const HARMLESS_KEY = /^(?:progress|max|min|input|output|total|prompt|completion)[-_]?tokens?$/i;

const MAX_DEPTH = 8;

/** Names and messages come from upstreams, who may make them megabytes long. */
const MAX_TEXT = 8_192;

/** A copy that is safe to print: bounded in depth and in the length of texts, errors as their type, code and message. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(cut(value));
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value;
  if (depth > MAX_DEPTH) return '[…]';
  if (value instanceof Error) return redactError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  if (value instanceof URL) return redactText(value.href);
  if (value instanceof Date) return value;
  const copy: JsonObject = {};
  for (const [key, item] of Object.entries(value)) copy[key] = redactMember(key, item, depth);
  return copy;
}

function redactMember(key: string, value: unknown, depth: number): unknown {
  if (MAPS_OF_SECRETS.has(key.toLowerCase())) {
    if (Array.isArray(value)) return REDACTED;
    return isObject(value) ? Object.fromEntries(Object.keys(value).map((name) => [name, REDACTED])) : value;
  }
  if (isSecretKey(key) && value !== undefined && value !== null && typeof value !== 'boolean') return REDACTED;
  return redact(value, depth + 1);
}

const isSecretKey = (key: string): boolean =>
  (SECRET_KEY.test(key) || CAMEL_SECRET_KEY.test(key)) && !HARMLESS_KEY.test(key);

function redactError(error: Error, depth: number): JsonObject {
  const { code } = error as NodeJS.ErrnoException;
  const copy: JsonObject = { type: error.name, message: redactText(cut(error.message)) };
  if (code !== undefined) copy.code = code;
  if (error.stack !== undefined) copy.stack = redactText(cut(error.stack));
  if (error.cause !== undefined) copy.cause = redact(error.cause, depth + 1);
  return copy;
}

const cut = (text: string): string => shorten(text, MAX_TEXT, `… (${text.length - MAX_TEXT} more characters)`);

/**
 * URLs keep scheme, host and path; the user and the query, where keys travel, go. Bearer and Basic credentials go, and
 * of a grant's key and its hash everything but the key's id.
 * Time is linear: what upstreams send ends up in log lines.
 */
export function redactText(text: string): string {
  if (!/:\/\/|sha256:|swb_|PRIVATE KEY-----|\b(?:bearer|basic)\s/i.test(text)) return text;
  return text
    .replaceAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g, REDACTED)
    .replaceAll(/swb_(lent_)?([0-9A-Za-z]{12})_[\w-]{43}/g, `swb_$1$2_${REDACTED}`)
    .replaceAll(/\bsha256:([\w-]{8,64}):[\w-]{16,64}:[\w-]{43}/g, `sha256:$1:${REDACTED}`)
    .replaceAll(/:\/\/[^\s"'<>\\]*/g, redactUrl)
    .replaceAll(/\b(bearer|basic)\s+[A-Za-z0-9\-._~+/]{6,}=*/gi, `$1 ${REDACTED}`);
}

/** `rest` is a URL from its `://` on. */
function redactUrl(rest: string): string {
  const end = rest.slice(3).search(/[/?#]/);
  const authority = end === -1 ? rest.slice(3) : rest.slice(3, 3 + end);
  const path = end === -1 ? '' : rest.slice(3 + end);
  const query = path.search(/[?#]/);
  const shown = path[query] === '?' ? `${path.slice(0, query)}?${REDACTED}` : path;
  return `://${authority.slice(authority.lastIndexOf('@') + 1)}${shown}`;
}

/**
 * A server as logs may show it. Arguments and the path of a URL are omitted: both may hold keys that no pattern finds.
 */
export function describeServer(server: ServerConfig): JsonObject {
  const { target, ...rest } = server;
  const shown: JsonObject =
    target.transport === 'stdio'
      ? {
          transport: 'stdio',
          command: target.command,
          args: target.args.length,
          env: Object.keys(target.env),
          cwd: target.cwd,
        }
      : { transport: target.transport, origin: originOf(target.url), headers: Object.keys(target.headers) };
  return { ...rest, target: shown };
}

/** `URL.origin` knows http and https alone. */
function originOf(text: string): string | undefined {
  const url = URL.parse(text);
  return url === null ? undefined : `${url.protocol}//${url.host}`;
}

/** The `gateway` section as logs may show it. */
export function describeGateway({ token, mqtt, auth, admin, state, telemetry, ...gateway }: GatewayConfig): JsonObject {
  const shown: JsonObject = { ...gateway, token: token === undefined ? undefined : REDACTED };
  if (state !== undefined) shown.state = typeof state === 'string' ? originOf(state) : shownHosts(state);
  if (mqtt) shown.mqtt = { ...mqtt, broker: { origin: originOf(mqtt.broker.url) } };
  if (auth) shown.auth = redact(auth);
  if (admin) shown.admin = redact(admin);
  // Any header may be the credential of a collector.
  if (telemetry) shown.telemetry = { ...telemetry, headers: Object.keys(telemetry.headers) };
  return shown;
}

const shownHosts = (state: Exclude<StateTarget, string>): JsonObject =>
  'cluster' in state ? { cluster: state.cluster } : { sentinels: state.sentinels, name: state.name };
