/**
 * What a hook is, for those who write one: a module whose default export is a {@link Hook}, or a function that makes one of
 * its options. Hooks see requests and replies at decision points; they may forbid, ask for approval, and narrow, never widen.
 * @module
 */
import type { HookPhase } from '../../config/policy-types.ts';

/** What a hook is told. Values are the caller's and the server's own: a hook must not write them anywhere unredacted. */
export interface HookInput {
  readonly phase: HookPhase;
  /** `local`, or the name of the grant. */
  readonly principal: string;
  readonly grant: string | undefined;
  readonly session: string | undefined;
  /** The server's name; `switchboard` for the gateway's own tools. */
  readonly server: string;
  readonly kind: 'tool' | 'prompt' | 'resource' | 'agent' | 'method';
  /** The server's own name for it. */
  readonly name: string;
  readonly namespaced: string;
  /** `call.before`, `call.after`: the arguments (`params.arguments`; of other methods the params without `_meta`). */
  readonly args?: Readonly<Record<string, unknown>>;
  /** `call.after`: the result. A copy: changing it in place changes nothing. */
  readonly result?: unknown;
  /** `notify`: the notification. */
  readonly notification?: { readonly method: string; readonly params?: Readonly<Record<string, unknown>> };
  /** `list.filter`: the entry as the server wrote it. Its annotations are claims, not permissions. */
  readonly entry?: Readonly<Record<string, unknown>>;
  /** `upstream.connect`: where to; without credentials. */
  readonly url?: string;
  /** `audit`: the line that is about to be written. */
  readonly record?: Readonly<Record<string, unknown>>;
}

export type HookDecision =
  | { effect: 'allow'; args?: Record<string, unknown>; result?: unknown; notification?: { params?: Record<string, unknown> } }
  | { effect: 'deny'; reason: string; rule?: string }
  | { effect: 'approve'; reason: string; rule?: string; ttlMs?: number };

export interface HookContext {
  /** Aborted when the hook's time is up or the call has ended. */
  readonly signal: AbortSignal;
}

export interface Hook {
  readonly name?: string;
  readonly phases: readonly HookPhase[];
  /** `undefined` is `{ effect: 'allow' }`. Throwing is an error: it denies, unless the configuration says otherwise. */
  decide(
    input: HookInput,
    context: HookContext,
  ): HookDecision | undefined | void | Promise<HookDecision | undefined | void>;
}

export type HookFactory = (options: Readonly<Record<string, unknown>>) => Hook | Promise<Hook>;
