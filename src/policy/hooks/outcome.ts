/**
 * The joint decision of the hooks of one phase.
 * @module
 */

import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { HookConfig, HookPhase } from '../language/types.ts';
import type { ApprovalNeed, Denial } from '../types.ts';

/** What hooks changed: a copy, in the one member of the phase. */
export interface HookChanges {
  /** `call.before`: instead of the arguments. */
  args?: JsonObject;
  /** `call.after`: instead of the result. */
  result?: unknown;
  /** `notify`: instead of the notification's params. */
  params?: JsonObject;
}

/** What a hook in shadow mode would have decided, for the audit. */
export interface WouldHave {
  hook: string;
  phase: HookPhase;
  effect: 'deny' | 'approve' | 'change';
  rule: string;
  /** Undefined for changes. */
  reason: string | undefined;
}

/** The answer of one hook, for `policy explain`. */
export interface HookAnswered {
  hook: string;
  mode: HookConfig['mode'];
  /** `failed`: no valid answer; the hook's `onError` decides. */
  effect: 'allow' | 'deny' | 'approve' | 'failed';
  rule: string;
  /** Undefined for `allow`. */
  reason: string | undefined;
  /** It returned other arguments, another result or another notification. */
  changed: boolean;
}

/** `changes` is undefined when nothing was changed. */
export type HookOutcome =
  | { effect: 'allow'; changes: HookChanges | undefined; shadow: readonly WouldHave[] }
  | { effect: 'approve'; need: ApprovalNeed; changes: HookChanges | undefined; shadow: readonly WouldHave[] }
  | {
      effect: 'deny';
      denial: Denial;
      /** A hook gave no valid answer; a retry may help. */
      failed: boolean;
      shadow: readonly WouldHave[];
    };

export const NO_HOOKS: HookOutcome = Object.freeze({
  effect: 'allow',
  changes: undefined,
  shadow: Object.freeze([]),
} as const);

/** Stands for a document's id in decisions of hooks. */
export const HOOKS_POLICY = 'hooks';

/** `(hook <name>)`, followed by the hook's own name of the rule where it has one. */
export const ruleOf = ({ name }: Pick<HookConfig, 'name'>, rule?: string): string =>
  rule === undefined ? `(hook ${name})` : `(hook ${name}) ${rule}`;

export const denialOf = (rule: string, reason: string): Denial => ({
  code: 'SWB_DENIED',
  policy: HOOKS_POLICY,
  rule,
  reason,
  hidden: false,
});
