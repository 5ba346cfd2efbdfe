/**
 * The contract of hooks, all that a hook imports from the gateway. A hook is a module whose default export is a {@link Hook},
 * or a {@link HookFactory} that makes one from its options. Hooks see requests and results at decision points; they may deny,
 * require approval, and narrow, never widen. A hook runs in the gateway's process with its rights.
 * @module
 */
import type { HookPhase } from '../language/types.ts';

export { anyGlob } from '../../core/globs.ts';
export { PINNED_IN_PARAMS, PINNED_IN_RESULTS } from './narrows.ts';
export { hookOptionError, readHookOptions } from './options.ts';
export type { HookPhase };

/**
 * The input of a hook, frozen: a hook returns changes instead of making them in place. Values are the caller's and the
 * server's own: a hook must not write them anywhere unredacted.
 */
export interface HookInput {
  readonly phase: HookPhase;
  /** `local`, or the name of the grant. */
  readonly principal: string;
  readonly grant: string | undefined;
  /**
   * The session id; for clients without sessions (modern era) the key by which servers know the caller. Undefined in
   * `list.filter`, whose decisions all sessions share.
   */
  readonly session: string | undefined;
  /** The server's name; `switchboard` for builtin tools. */
  readonly server: string;
  readonly kind: 'tool' | 'prompt' | 'resource' | 'agent' | 'method';
  /** The server's own name of the tool, prompt, resource, agent or method. */
  readonly name: string;
  /** Its name in the merged view. */
  readonly namespaced: string;
  /** `call.before`, `call.after`: the arguments (`params.arguments`; of other methods the params without `_meta`). */
  readonly args?: Readonly<Record<string, unknown>>;
  /** `call.after`: the result. */
  readonly result?: unknown;
  /** `notify`: the notification. */
  readonly notification?: { readonly method: string; readonly params?: Readonly<Record<string, unknown>> };
  /** `list.filter`: the server's entry. Its annotations are claims, not permissions. */
  readonly entry?: Readonly<Record<string, unknown>>;
  /** `upstream.connect`: the server's URL without credentials, query and fragment. */
  readonly url?: string;
  /** `audit`: the line that is about to be written. */
  readonly record?: Readonly<Record<string, unknown>>;
}

/**
 * The decision of a hook.
 *
 * - `allow`: `call.before` may return other `args` (they are validated again); `call.after` a `result` and `notify` a
 *   `notification` that is narrower than the input: `narrows.ts` has the rules. Members of other phases make it invalid.
 * - `deny`: the caller gets `reason`. In `call.after` the result is withheld, in `notify` the notification is dropped, in
 *   `list.filter` the entry is hidden.
 * - `approve`: a person decides first and sees `reason`, within `ttlMs` milliseconds (1 s to 24 h, default 5 min). For
 *   `call.before` and `upstream.connect`; in `list.filter` it lists the entry; in other phases it is invalid.
 *
 * Decisions of `audit` are ignored.
 */
export type HookDecision =
  | {
      readonly effect: 'allow';
      readonly args?: Readonly<Record<string, unknown>>;
      readonly result?: unknown;
      readonly notification?: { readonly params?: Readonly<Record<string, unknown>> };
    }
  | { readonly effect: 'deny'; readonly reason: string; readonly rule?: string }
  | { readonly effect: 'approve'; readonly reason: string; readonly rule?: string; readonly ttlMs?: number };

/** What `decide` may return. Nothing at all is `{ effect: 'allow' }`. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return statement is a hook too.
export type HookAnswer = HookDecision | undefined | void;

export interface HookContext {
  /** Aborted when the hook's time is up or its call has ended. Later answers are ignored. */
  readonly signal: AbortSignal;
}

export interface Hook {
  /** For the reader of the module only; messages and the audit use the name in the configuration. */
  readonly name?: string;
  readonly phases: readonly HookPhase[];
  /**
   * Throwing, rejecting, taking too long and an invalid answer are errors: they deny, unless the configuration has
   * `onError: allow`. A synchronous answer costs least. But a hook that computes without end blocks the whole gateway: only
   * the time of a promise is limited.
   */
  decide(input: HookInput, context: HookContext): HookAnswer | Promise<HookAnswer>;
}

/** Called once per load with the `options` of the configuration. A throw is a mistake in the configuration. */
export type HookFactory = (options: Readonly<Record<string, unknown>>) => Hook | Promise<Hook>;
