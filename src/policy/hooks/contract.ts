/**
 * What a hook is, for those who write one: a module whose default export is a {@link Hook}, or a {@link HookFactory} that
 * makes one of its options. Hooks see requests and replies at decision points; they may forbid, ask for approval, and
 * narrow, never widen. Hooks run in the gateway's own process with its rights: a module is as trusted as the gateway.
 * @module
 */
import type { HookPhase } from '../language/types.ts';

export { anyGlob } from '../../core/globs.ts';
export { PINNED_IN_PARAMS, PINNED_IN_RESULTS } from './narrows.ts';
export { hookOptionError, readHookOptions } from './options.ts';
export type { HookPhase };

/**
 * What a hook is told. Everything in it is frozen: changing it in place throws, what a hook changes it answers with.
 * Values are the caller's and the server's own: a hook must not write them anywhere unredacted.
 */
export interface HookInput {
  readonly phase: HookPhase;
  /** `local`, or the name of the grant. */
  readonly principal: string;
  readonly grant: string | undefined;
  /**
   * The session, or what a server knows the caller by where the client has none (modern clients). Undefined in
   * `list.filter`, whose answers all sessions share.
   */
  readonly session: string | undefined;
  /** The server's name; `switchboard` for the gateway's own tools. */
  readonly server: string;
  readonly kind: 'tool' | 'prompt' | 'resource' | 'agent' | 'method';
  /** The server's own name for it. */
  readonly name: string;
  /** As clients of the merged view know it. */
  readonly namespaced: string;
  /** `call.before`, `call.after`: the arguments (`params.arguments`; of other methods the params without `_meta`). */
  readonly args?: Readonly<Record<string, unknown>>;
  /** `call.after`: the result. */
  readonly result?: unknown;
  /** `notify`: the notification. */
  readonly notification?: { readonly method: string; readonly params?: Readonly<Record<string, unknown>> };
  /** `list.filter`: the entry as the server wrote it. Its annotations are claims, not permissions. */
  readonly entry?: Readonly<Record<string, unknown>>;
  /** `upstream.connect`: where to; without credentials, query and fragment. */
  readonly url?: string;
  /** `audit`: the line that is about to be written. */
  readonly record?: Readonly<Record<string, unknown>>;
}

/**
 * What a hook answers.
 *
 * - `allow`: nothing against it. `call.before` may answer with other `args` (they are validated again); `call.after` with a
 *   `result` and `notify` with a `notification` that is narrower than the one given: see `narrows` for what that means.
 *   Members of other phases make the answer invalid.
 * - `deny`: the caller is told `reason`. In `call.after` the result is withheld, in `notify` the notification is dropped, in
 *   `list.filter` the entry is hidden.
 * - `approve`: a person is asked first, told `reason`, for `ttlMs` milliseconds (1 s to 24 h, 5 min where it is left out).
 *   In `call.before` and `upstream.connect`; in `list.filter` it lists the entry. Elsewhere it is invalid: what has
 *   happened cannot be approved.
 *
 * In `audit` nothing can be answered: the record is written as it is.
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

/** What `decide` may give back. Nothing at all is `{ effect: 'allow' }`. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return statement is a hook too.
export type HookAnswer = HookDecision | undefined | void;

export interface HookContext {
  /** Aborted when the hook's time is up, or the connection it was asked about is given up. What is answered afterwards is ignored. */
  readonly signal: AbortSignal;
}

export interface Hook {
  /** For the reader of the module only; messages and the audit use the name in the configuration. */
  readonly name?: string;
  readonly phases: readonly HookPhase[];
  /**
   * Throwing, rejecting, taking too long and an invalid answer are errors: they deny, unless the configuration says
   * `onError: allow`. Answer synchronously where possible: it costs least. But a hook that computes without end stops the
   * whole gateway, because nothing can interrupt it; its time is only limited where it waits.
   */
  decide(input: HookInput, context: HookContext): HookAnswer | Promise<HookAnswer>;
}

/** Called once per load with the `options` of the configuration. What it throws is a mistake in the configuration. */
export type HookFactory = (options: Readonly<Record<string, unknown>>) => Hook | Promise<Hook>;
