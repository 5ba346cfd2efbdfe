/**
 * Validates the answer of a hook. An answer that does not belong to the phase, is wider than the hook's input, or is no JSON
 * is an error of the hook.
 * @module
 */

import { shorten } from '../../core/text.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { HookPhase } from '../language/types.ts';
import type { HookInput } from './contract.ts';
import { copyJson, jsonBytes, NotJson } from './json.ts';
import { narrowsParams, narrowsResult } from './narrows.ts';

/** A valid answer. Its values are copies. */
export type HookReply =
  | { effect: 'allow'; args?: JsonObject; result?: unknown; params?: JsonObject }
  | { effect: 'deny'; reason: string; rule: string | undefined }
  | { effect: 'approve'; reason: string; rule: string | undefined; ttlMs: number };

/** Its message ends a sentence that begins with "the answer", and quotes no value. */
export class InvalidAnswer extends Error {}

const ALLOWED: HookReply = { effect: 'allow' };

/** Room for a notice about removed content. */
const RESULT_GROWTH = 1024;
/** Rewriting arguments is for names, defaults and markers, not for documents. */
const ARGUMENT_GROWTH = 1024 * 1024;

const MAX_REASON = 1000;
const MAX_RULE = 200;

const DEFAULT_APPROVAL_MS = 5 * 60_000;
const MIN_APPROVAL_MS = 1000;
const MAX_APPROVAL_MS = 24 * 60 * 60_000;

/** The one member besides `effect` an `allow` may have in each phase. */
const CHANGE_OF: Readonly<Partial<Record<HookPhase, string>>> = {
  'call.before': 'args',
  'call.after': 'result',
  notify: 'notification',
};

/** Phases in which a hook may answer `approve`: those before the request leaves, and `list.filter`, which then lists the entry. */
const APPROVABLE: ReadonlySet<HookPhase> = new Set(['upstream.connect', 'list.filter', 'call.before']);

/**
 * @param shown the hook's input
 * @param originalBytes size of the first hook's input: many hooks must not grow a result bit by bit
 */
export function readAnswer(answer: unknown, shown: HookInput, originalBytes: () => number): HookReply {
  if (answer === undefined || answer === null) return ALLOWED;
  if (!isObject(answer)) throw new InvalidAnswer('is no object');
  switch (answer.effect) {
    case 'allow':
      expectMembers(answer, ['effect', CHANGE_OF[shown.phase]], shown.phase);
      return readChange(answer, shown, originalBytes);
    case 'deny':
      expectMembers(answer, ['effect', 'reason', 'rule'], shown.phase);
      return { effect: 'deny', reason: readReason(answer.reason), rule: readRule(answer.rule) };
    case 'approve':
      expectMembers(answer, ['effect', 'reason', 'rule', 'ttlMs'], shown.phase);
      if (!APPROVABLE.has(shown.phase)) throw new InvalidAnswer(`asks for approval in ${shown.phase}`);
      return {
        effect: 'approve',
        reason: readReason(answer.reason),
        rule: readRule(answer.rule),
        ttlMs: readTtl(answer.ttlMs),
      };
    default:
      throw new InvalidAnswer('has no effect of "allow", "deny" or "approve"');
  }
}

function expectMembers(answer: JsonObject, known: readonly (string | undefined)[], phase: HookPhase): void {
  for (const key of Object.keys(answer)) {
    if (answer[key] !== undefined && !known.includes(key)) {
      throw new InvalidAnswer(`has a member that ${String(answer.effect)} does not have in ${phase}`);
    }
  }
}

function readChange(answer: JsonObject, shown: HookInput, originalBytes: () => number): HookReply {
  if (shown.phase === 'call.before' && answer.args !== undefined && answer.args !== shown.args) {
    const args = copyOf(answer.args);
    if (!isObject(args)) throw new InvalidAnswer('has args that are no object');
    if (jsonBytes(args) > originalBytes() + ARGUMENT_GROWTH) throw new InvalidAnswer('has args that grew too large');
    return { effect: 'allow', args };
  }
  if (shown.phase === 'call.after' && answer.result !== undefined && answer.result !== shown.result) {
    const result = copyOf(answer.result);
    if (!narrowsResult(shown.result, result)) throw new InvalidAnswer('widens the result');
    if (jsonBytes(result) > originalBytes() + RESULT_GROWTH) throw new InvalidAnswer('makes the result larger');
    return { effect: 'allow', result };
  }
  if (shown.phase === 'notify' && answer.notification !== undefined && answer.notification !== shown.notification) {
    return readParams(answer.notification, shown, originalBytes);
  }
  return ALLOWED;
}

function readParams(notification: unknown, shown: HookInput, originalBytes: () => number): HookReply {
  if (!isObject(notification)) throw new InvalidAnswer('has a notification that is no object');
  const { method, params, ...others } = notification;
  if ((method !== undefined && method !== shown.notification?.method) || Object.keys(others).length > 0) {
    throw new InvalidAnswer('has a notification that is another one');
  }
  const before = shown.notification?.params;
  if (params === undefined || params === before) return ALLOWED;
  const after = copyOf(params);
  if (before === undefined || !isObject(after) || !narrowsParams(before, after)) {
    throw new InvalidAnswer('widens the notification');
  }
  if (jsonBytes(after) > originalBytes() + RESULT_GROWTH) throw new InvalidAnswer('makes the notification larger');
  return { effect: 'allow', params: after };
}

function copyOf(value: unknown): unknown {
  try {
    return copyJson(value);
  } catch (error) {
    throw error instanceof NotJson ? new InvalidAnswer(`holds ${error.message}`) : error;
  }
}

function readReason(reason: unknown): string {
  if (typeof reason !== 'string' || reason.trim() === '') throw new InvalidAnswer('gives no reason');
  return shorten(reason.trim(), MAX_REASON);
}

function readRule(rule: unknown): string | undefined {
  if (rule === undefined) return undefined;
  if (typeof rule !== 'string') throw new InvalidAnswer('has a rule that is no string');
  return shorten(rule, MAX_RULE);
}

function readTtl(ttlMs: unknown): number {
  if (ttlMs === undefined) return DEFAULT_APPROVAL_MS;
  if (typeof ttlMs !== 'number' || !(ttlMs > 0)) throw new InvalidAnswer('has a ttlMs that is no positive number');
  return Math.round(Math.min(Math.max(ttlMs, MIN_APPROVAL_MS), MAX_APPROVAL_MS));
}
