/**
 * Runs the hooks of one phase for one input, in the order of the configuration. Each hook sees what the one before it
 * rewrote; the first denial ends the run. After an approval the others still run, because one of them may deny.
 * @module
 */
import type { Log } from '../../core/log.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { bothNeeds } from '../approval-needs.ts';
import type { ApprovalNeed } from '../types.ts';
import { type Answered, askHook, type EndingCall, type Failure } from './ask.ts';
import type { HookInput } from './contract.ts';
import { frozenCopy, jsonBytes } from './json.ts';
import type { LoadedHook } from './load.ts';
import {
  denialOf,
  HOOKS_POLICY,
  type HookAnswered,
  type HookChanges,
  type HookOutcome,
  ruleOf,
  type WouldHave,
} from './outcome.ts';

/** The caller's reason for every failure of a hook; the log has the details. */
const FAILED_REASON =
  'A policy hook of the gateway could not decide on this, so it is refused. The log of the gateway says why.';

/** A synchronous hook blocks the process; one that takes this long is logged. */
const BLOCKED_MS = 100;

export class HookRun {
  readonly #hooks: readonly LoadedHook[];
  readonly #input: HookInput;
  readonly #call: EndingCall | undefined;
  readonly #log: Log;
  readonly #onAnswer: ((answer: HookAnswered) => void) | undefined;
  #at = 0;
  #shown: HookInput | undefined;
  #originalBytes: number | undefined;
  #changes: HookChanges | undefined;
  #need: ApprovalNeed | undefined;
  readonly #shadow: WouldHave[] = [];

  /** `onAnswer` is called with each hook's answer. */
  constructor(
    hooks: readonly LoadedHook[],
    input: HookInput,
    call: EndingCall | undefined,
    log: Log,
    onAnswer?: (answer: HookAnswered) => void,
  ) {
    this.#hooks = hooks;
    this.#input = input;
    this.#call = call;
    this.#log = log;
    this.#onAnswer = onAnswer;
  }

  /** Returns a promise only where a hook returns one. It never rejects. */
  go(): HookOutcome | Promise<HookOutcome> {
    for (;;) {
      const hook = this.#hooks[this.#at++];
      if (hook === undefined) return this.#end();
      const began = performance.now();
      const answer = askHook(hook, this.#show, this.#measure, this.#call);
      this.#reportBlocking(hook, performance.now() - began);
      if (answer instanceof Promise) return answer.then((later) => this.#take(hook, later) ?? this.go());
      const outcome = this.#take(hook, answer);
      if (outcome !== undefined) return outcome;
    }
  }

  /** The input of the next hook: made once, and again after a hook changed it. */
  readonly #show = (): HookInput => {
    this.#shown ??= showing(this.#input, this.#changes);
    return this.#shown;
  };

  readonly #measure = (): number => {
    const { args, result, notification } = this.#input;
    this.#originalBytes ??= jsonBytes(result ?? notification?.params ?? args);
    return this.#originalBytes;
  };

  /** The outcome, when this answer ends the run. */
  #take(hook: LoadedHook, answer: Answered): HookOutcome | undefined {
    this.#onAnswer?.(answeredOf(hook, answer));
    if (answer.effect === 'failed') return this.#takeFailure(hook, answer);
    const rule = ruleOf(hook, answer.effect === 'allow' ? undefined : answer.rule);
    if (hook.config.mode === 'shadow') {
      if (answer.effect !== 'allow') this.#wouldHave(hook, answer.effect, rule, answer.reason);
      else if (changesOf(answer) !== undefined) this.#wouldHave(hook, 'change', rule, undefined);
      return undefined;
    }
    switch (answer.effect) {
      case 'deny':
        return { effect: 'deny', denial: denialOf(rule, answer.reason), failed: false, shadow: this.#shadow };
      case 'approve':
        this.#need = bothNeeds(this.#need, {
          policy: HOOKS_POLICY,
          rule,
          reason: answer.reason,
          timeoutMs: answer.ttlMs,
          approver: 'client',
        });
        return undefined;
      case 'allow': {
        const changes = changesOf(answer);
        if (changes === undefined) return undefined;
        this.#changes = changes;
        this.#shown = undefined;
      }
    }
    return undefined;
  }

  #takeFailure(hook: LoadedHook, { problem, detail }: Failure): HookOutcome | undefined {
    const { onError, mode } = hook.config;
    if (problem !== 'ended') {
      this.#log.warn({ hook: hook.name, ...this.#about(), problem: detail, mode, onError }, 'A policy hook failed');
    }
    if (onError === 'allow') return undefined;
    if (mode === 'shadow') {
      this.#wouldHave(hook, 'deny', ruleOf(hook), FAILED_REASON);
      return undefined;
    }
    return { effect: 'deny', denial: denialOf(ruleOf(hook), FAILED_REASON), failed: true, shadow: this.#shadow };
  }

  #wouldHave(hook: LoadedHook, effect: WouldHave['effect'], rule: string, reason: string | undefined): void {
    this.#shadow.push({ hook: hook.name, phase: this.#input.phase, effect, rule, reason });
  }

  #reportBlocking(hook: LoadedHook, tookMs: number): void {
    if (tookMs < BLOCKED_MS) return;
    this.#log.warn(
      { hook: hook.name, ...this.#about(), tookMs: Math.round(tookMs) },
      'A policy hook held up the whole gateway while it computed',
    );
  }

  #about(): Pick<HookInput, 'phase' | 'principal' | 'server'> {
    const { phase, principal, server } = this.#input;
    return { phase, principal, server };
  }

  #end(): HookOutcome {
    const shared = { changes: this.#changes, shadow: this.#shadow };
    return this.#need === undefined
      ? { effect: 'allow', ...shared }
      : { effect: 'approve', need: this.#need, ...shared };
  }
}

/** An answer holds at most one change: the member of its phase. */
function changesOf(answer: Extract<Answered, { effect: 'allow' }>): HookChanges | undefined {
  const { effect: _, ...changes } = answer;
  return Object.keys(changes).length === 0 ? undefined : changes;
}

function answeredOf(hook: LoadedHook, answer: Answered): HookAnswered {
  const { mode } = hook.config;
  if (answer.effect === 'failed')
    return { hook: hook.name, mode, effect: 'failed', rule: ruleOf(hook), reason: answer.detail, changed: false };
  const isAllowed = answer.effect === 'allow';
  return {
    hook: hook.name,
    mode,
    effect: answer.effect,
    rule: ruleOf(hook, isAllowed ? undefined : answer.rule),
    reason: isAllowed ? undefined : answer.reason,
    changed: isAllowed && changesOf(answer) !== undefined,
  };
}

/** A frozen copy of the input with the changes of the hooks so far. */
function showing(input: HookInput, changes: HookChanges | undefined): HookInput {
  const { args, result, notification, entry, record, url } = input;
  const shown: { -readonly [Key in keyof HookInput]: HookInput[Key] } = { ...input };
  if (url !== undefined) shown.url = plainUrl(url);
  if (args !== undefined) shown.args = frozenCopy(changes?.args ?? args);
  if (result !== undefined)
    shown.result = frozenCopy(changes !== undefined && 'result' in changes ? changes.result : result);
  if (entry !== undefined) shown.entry = frozenCopy(entry);
  if (record !== undefined) shown.record = frozenCopy(record);
  if (notification !== undefined) {
    const params: JsonObject | undefined = changes?.params ?? notification.params;
    shown.notification = frozenCopy({ method: notification.method, ...(params === undefined ? {} : { params }) });
  }
  return Object.freeze(shown);
}

/** A URL without user, password, query and fragment, which may hold keys; empty for a text that is no URL. */
function plainUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) return '';
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href;
}
