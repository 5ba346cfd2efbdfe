/**
 * A record as one line of JSON: bounded, in a fixed order of fields, and without anything that could end the line or
 * drive a terminal it is shown on.
 * @module
 */
import { shorten } from '../../core/text.ts';
import type { AuditGap, AuditOperation, AuditRecord } from './record.ts';

const MAX_TEXT = 256;
const MAX_KEYS = 32;
const MAX_KEY = 64;
const MAX_SHADOW = 8;
/** UTF-16 units. Only names made of characters that need an escape come near it. */
export const MAX_LINE = 16 * 1024;

/** With its line break. A record whose names do not fit keeps who, what and how, and says `cut`. */
export function auditLine(record: AuditRecord): string {
  const usual = usualLine(record);
  if (usual !== undefined) return usual;
  const line = serialised(record, MAX_TEXT, MAX_KEYS);
  return line.length <= MAX_LINE ? line : serialised({ ...record, shadow: undefined }, MAX_TEXT / 4, 0, true);
}

export function operationLine({ time, outcome, repeated, since, ...texts }: AuditOperation): string {
  const text = (value: string | undefined): string | undefined => value && shorten(value, MAX_TEXT);
  const { operator, person, action, target, errorCode } = texts;
  const who = { operator: text(operator), person: text(person) };
  const what = { action: text(action), target: text(target) };
  return safeLine(JSON.stringify({ time, ...who, ...what, outcome, errorCode, repeated, since }));
}

const MAX_PRINCIPALS = 16;

/** `lost`: how many records of each principal. */
export function gapLine(gap: Omit<AuditGap, 'principals'>, lost: ReadonlyMap<string, number>): string {
  const most = [...lost].sort(([, a], [, b]) => b - a).slice(0, MAX_PRINCIPALS);
  const principals = Object.fromEntries(most.map(([principal, records]) => [shorten(principal, MAX_TEXT), records]));
  return safeLine(JSON.stringify({ ...gap, principals }));
}

/** Printable ASCII that JSON does not escape. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * The same line for a record with nothing to cut or to escape, which almost all are: put together it costs half of what
 * `JSON.stringify` and a search for what is unsafe do. Undefined for any other.
 */
function usualLine(record: AuditRecord): string | undefined {
  const { requestId, principal, grant, session, server, kind, name, method, policy, rule, errorCode, argKeys } = record;
  const { lent, shadow, repeated, since, argHash } = record;
  if (lent || (shadow && shadow.length > 0) || repeated !== undefined || since !== undefined) return undefined;
  if (argKeys.length > MAX_KEYS) return undefined;
  let texts = `${principal}${grant ?? ''}${session ?? ''}${server}${kind}${name}${method}${policy ?? ''}${rule ?? ''}`;
  if (typeof requestId === 'string') texts += requestId;
  if (typeof errorCode === 'string') texts += errorCode;
  let keys = '';
  for (const key of argKeys) {
    if (key.length > MAX_KEY) return undefined;
    texts += key;
    keys += keys === '' ? `"${key}"` : `,"${key}"`;
  }
  if (texts.length > MAX_TEXT || !PLAIN.test(texts)) return undefined;
  const shown = (value: string | number): string => (typeof value === 'string' ? `"${value}"` : `${value}`);
  let line = `{"time":"${record.time}"`;
  if (requestId !== undefined) line += `,"requestId":${shown(requestId)}`;
  line += `,"principal":"${principal}"`;
  if (grant !== undefined) line += `,"grant":"${grant}"`;
  if (session !== undefined) line += `,"session":"${session}"`;
  line += `,"server":"${server}","kind":"${kind}","name":"${name}","method":"${method}","era":"${record.era}"`;
  line += `,"verdict":"${record.verdict}"`;
  if (policy !== undefined) line += `,"policy":"${policy}"`;
  if (rule !== undefined) line += `,"rule":"${rule}"`;
  if (record.queueMs !== undefined) line += `,"queueMs":${rounded(record.queueMs)}`;
  if (record.durationMs !== undefined) line += `,"durationMs":${rounded(record.durationMs)}`;
  line += `,"outcome":"${record.outcome}"`;
  if (errorCode !== undefined) line += `,"errorCode":${shown(errorCode)}`;
  line += `,"argKeys":[${keys}]`;
  if (argHash !== undefined) line += `,"argHash":"${argHash}"`;
  return `${line}}\n`;
}

function serialised(record: AuditRecord, maxText: number, maxKeys: number, isCut = false): string {
  const text = (value: string): string => shorten(value, maxText);
  const optional = <T>(value: T | undefined): T | string | undefined =>
    typeof value === 'string' ? text(value) : value;
  const { argKeys, shadow } = record;
  const json = JSON.stringify({
    time: record.time,
    requestId: optional(record.requestId),
    principal: text(record.principal),
    grant: optional(record.grant),
    lent: record.lent && { key: record.lent.key, to: text(record.lent.to) },
    session: optional(record.session),
    server: text(record.server),
    kind: text(record.kind),
    name: text(record.name),
    method: text(record.method),
    era: record.era,
    verdict: record.verdict,
    policy: optional(record.policy),
    rule: optional(record.rule),
    queueMs: rounded(record.queueMs),
    durationMs: rounded(record.durationMs),
    outcome: record.outcome,
    errorCode: optional(record.errorCode),
    argKeys: argKeys.length === 0 ? argKeys : boundedKeys(argKeys, maxKeys),
    argHash: record.argHash,
    shadow: shadow === undefined || shadow.length === 0 ? undefined : shadow.slice(0, MAX_SHADOW).map(text),
    repeated: record.repeated,
    since: record.since,
    cut: isCut || undefined,
  });
  return safeLine(json);
}

const safeLine = (json: string): string => `${UNSAFE.test(json) ? json.replaceAll(ALL_UNSAFE, escaped) : json}\n`;

/** How many there are beyond the bound stands at the end. */
export function boundedKeys(keys: readonly string[], max = MAX_KEYS): readonly string[] {
  const fits = keys.length <= max;
  if (fits && keys.every((key) => key.length <= MAX_KEY)) return keys;
  const shown = keys.slice(0, max).map((key) => shorten(key, MAX_KEY));
  if (!fits) shown.push(`…${keys.length - max} more`);
  return shown;
}

/** Microseconds say nothing about a call. */
const rounded = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.round(ms * 100) / 100;

/** JSON escapes what is below U+0020; these end lines or drive terminals as well, or turn text around. */
const UNSAFE = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/;
const ALL_UNSAFE = new RegExp(UNSAFE, 'g');

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
