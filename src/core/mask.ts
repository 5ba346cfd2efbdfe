/**
 * Takes the credentials that a server is configured with out of what the server says in errors, log messages and on stderr: programs
 * repeat what they were given, such as a key they could not use or the command line they were started with.
 * @module
 */
import { isObject, type JsonObject, type Notification } from '../wire/jsonrpc.ts';
import type { Target } from './adapter.ts';
import { brokerSecrets } from './broker.ts';
import { type ErrorCode, SwitchboardError, UpstreamError } from './errors.ts';
import type { Reply } from './upstream.ts';

/** Shorter values are words and numbers of everyday use, and no secret worth the name. */
const SHORTEST = 6;
const MASK = '[redacted]';
/** Deeper values of an error are left out. */
const MAX_DEPTH = 64;

export type Mask = (text: string) => string;

const masks = new WeakMap<Target, Mask>();

/** Masks the configured values of a target: headers, environment, arguments that name no file, credentials in the URL. */
export function masking(target: Target): Mask {
  let mask = masks.get(target);
  if (!mask) {
    mask = maskOf(target.transport === 'stdio' ? ofCommand(target) : ofUrl(target));
    masks.set(target, mask);
  }
  return mask;
}

/** Masks the values of headers, and other texts that must not be seen. */
export const maskingShown = (sets: readonly Readonly<Record<string, string>>[], others: readonly string[]): Mask =>
  maskOf([...sets.flatMap((headers) => Object.values(headers).flatMap(headerSecrets)), ...others]);

function maskOf(values: readonly string[]): Mask {
  const spelled = values
    .filter((value) => value.length >= SHORTEST)
    .flatMap((value) => [value, encodeURIComponent(value.toWellFormed()), JSON.stringify(value).slice(1, -1)]);
  // Of two values one may be part of the other.
  const longestFirst = [...new Set(spelled)].sort((a, b) => b.length - a.length);
  if (longestFirst.length === 0) return (text) => text;
  // One search for all of them: a server may say much, and have been shown the credentials of many.
  const any = new RegExp(longestFirst.map(literal).join('|'), 'g');
  return (text) => text.replace(any, MASK);
}

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

const ofCommand = ({ env, args }: Target & { transport: 'stdio' }): string[] => [
  ...Object.values(env),
  ...args.map(secretOf),
];

/** `--key=value` is its value. Options and paths are what makes a message useful; keys are neither. */
function secretOf(arg: string): string {
  const value = arg.startsWith('-') ? arg.slice(arg.indexOf('=') + 1 || arg.length) : arg;
  return /^[.~]?[\\/]|^[A-Za-z]:[\\/]|^[\w@./\\-]+\.[a-z]{1,4}$/.test(value) ? '' : value;
}

/** Names of members of a query that hold credentials. */
const SECRET_NAME = /key|token|secret|auth|pass|pwd|sig|cred|session|jwt|code/i;
/** A value of a query that is as long as a key is one, whatever its name. */
const LONG = 20;

function ofUrl(target: Exclude<Target, { transport: 'stdio' }>): string[] {
  const { url, headers } = target;
  const values = Object.values(headers).flatMap(headerSecrets);
  if (target.transport === 'mqtt') values.push(...brokerSecrets(target.broker));
  const parsed = URL.parse(url);
  if (!parsed) return values;
  const { username, password, searchParams } = parsed;
  values.push(username, decoded(username), password, decoded(password));
  for (const [name, value] of searchParams) {
    if (SECRET_NAME.test(name) || value.length >= LONG) values.push(value);
  }
  return values;
}

/** The value; the part after its scheme (`Bearer …`); the password in a `Basic` one. */
function headerSecrets(value: string): string[] {
  const [, scheme = '', rest = ''] = /^([A-Za-z]+) +(\S.*)$/.exec(value) ?? [];
  if (rest === '') return [value];
  if (scheme.toLowerCase() !== 'basic') return [value, rest];
  const plain = Buffer.from(rest, 'base64').toString('utf8');
  return [value, rest, plain, plain.slice(plain.indexOf(':') + 1)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Errors in which adapters repeat what a server said. */
const REPEATING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SWB_UPSTREAM_UNAVAILABLE',
  'SWB_UPSTREAM_PROTOCOL',
  'SWB_UPSTREAM_AUTH',
  'SWB_UPSTREAM_HTTP',
  'SWB_UPSTREAM_SESSION_LOST',
  'SWB_AGENT_FAILED',
  'SWB_CONNECT_FAILED',
]);

/** The error of a request to a server, without what the mask takes out. */
export function maskedError(error: unknown, mask: Mask): unknown {
  if (error instanceof UpstreamError) {
    const message = mask(error.message);
    const data = maskedValue(error.data, mask, 0);
    if (message === error.message && JSON.stringify(data) === JSON.stringify(error.data)) return error;
    return new UpstreamError({ code: error.rpcCode, message, ...(data === undefined ? {} : { data }) });
  }
  if (!(error instanceof SwitchboardError) || !REPEATING.has(error.code)) return error;
  error.message = mask(error.message);
  const { code: _, server: __, ...data } = error.data;
  Object.assign(error.data, maskedValue(data, mask, 0));
  return error;
}

/** The reply to a request, where it is a tool's error or says how a task failed; every other result stays as it is. */
export function maskedReply(reply: Reply, method: string, mask: Mask): Reply {
  if ('inputRequired' in reply) return reply;
  const isTask = method.startsWith('tasks/') && method !== 'tasks/result';
  if ('value' in reply) {
    return isTask || reply.value.isError === true ? { value: maskedResult(reply.value, mask) } : reply;
  }
  // What no adapter has scanned it has made itself.
  if (!isTask && reply.members?.isError !== true) return reply;
  const text = reply.raw.toString('utf8');
  if (mask(text) === text) return reply;
  const result: unknown = JSON.parse(text);
  return isObject(result) ? { raw: Buffer.from(JSON.stringify(maskedResult(result, mask))) } : reply;
}

/** Of a task that is completed only an error in its result is masked. */
function maskedResult(result: JsonObject, mask: Mask): JsonObject {
  if (result.status !== 'completed' || result.isError === true) return maskedValue(result, mask, 0) as JsonObject;
  const { result: inner, ...task } = result;
  const masked = maskedValue(task, mask, 0) as JsonObject;
  if (inner === undefined) return masked;
  return { ...masked, result: isObject(inner) && inner.isError === true ? maskedValue(inner, mask, 0) : inner };
}

const SAYING: ReadonlySet<string> = new Set([
  'notifications/message',
  'notifications/tasks/status',
  'notifications/tasks',
]);

/** A log message or the state of a task; every other notification stays as it is. */
export function maskedNotification(sent: Notification, mask: Mask): Notification {
  if (!SAYING.has(sent.method) || sent.params === undefined) return sent;
  const text = JSON.stringify(sent.params);
  return mask(text) === text ? sent : { ...sent, params: maskedResult(sent.params, mask) };
}

function maskedValue(value: unknown, mask: Mask, depth: number): unknown {
  if (typeof value === 'string') return mask(value);
  if (typeof value === 'number') return mask(String(value)) === MASK ? MASK : value;
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) return MASK;
  if (Array.isArray(value)) return value.map((item) => maskedValue(item, mask, depth + 1));
  if (!isObject(value)) return value;
  const masked: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    // `__proto__` of a server is a member like any other.
    Object.defineProperty(masked, mask(key), {
      value: maskedValue(item, mask, depth + 1),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return masked;
}
