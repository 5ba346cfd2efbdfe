/**
 * What the hooks of a phase decided together.
 * @module
 */

import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { HookConfig, HookPhase } from '../language/types.ts';
import type { ApprovalNeed, Denial } from '../types.ts';

/** What hooks made of what they were shown: a copy of the gateway's own, in the one member of the phase. */
export interface HookChanges {
  /** `call.before`: instead of the arguments. */
  args?: JsonObject;
  /** `call.after`: instead of the result. */
  result?: unknown;
  /** `notify`: instead of the notification's params. */
  params?: JsonObject;
}

/** What a hook in shadow mode would have done, for the audit. */
export interface WouldHave {
  hook: string;
  phase: HookPhase;
  effect: 'deny' | 'approve' | 'change';
  rule: string;
  /** Undefined for changes. */
  reason: string | undefined;
}

/** What one hook answered, for `policy explain`. */
export interface HookAsked {
  hook: string;
  mode: HookConfig['mode'];
  /** `failed`: no valid answer; what follows of it is the hook's `onError`. */
  effect: 'allow' | 'deny' | 'approve' | 'failed';
  rule: string;
  /** Undefined where it has nothing against the call. */
  reason: string | undefined;
  /** It answered with something else than it was shown. */
  changed: boolean;
}

/** `changes` is undefined when nothing was changed. */
export type HookOutcome =
  | { effect: 'allow'; changes: HookChanges | undefined; shadow: readonly WouldHave[] }
  | { effect: 'approve'; need: ApprovalNeed; changes: HookChanges | undefined; shadow: readonly WouldHave[] }
  | {
      effect: 'deny';
      denial: Denial;
      /** A hook gave no valid answer: what it would say is not known, and asking again may help. */
      failed: boolean;
      shadow: readonly WouldHave[];
    };

export const NOTHING_AGAINST: HookOutcome = Object.freeze({
  effect: 'allow',
  changes: undefined,
  shadow: Object.freeze([]),
} as const);

/** Id under which decisions of hooks stand where others have the id of a document. */
export const HOOKS_POLICY = 'hooks';

/** `(hook <name>)`, and the hook's own word for the rule where it has one. */
export const ruleOf = ({ name }: Pick<HookConfig, 'name'>, rule?: string): string =>
  rule === undefined ? `(hook ${name})` : `(hook ${name}) ${rule}`;

export const denialOf = (rule: string, reason: string): Denial => ({
  code: 'SWB_DENIED',
  policy: HOOKS_POLICY,
  rule,
  reason,
  hidden: false,
});
