/**
 * The hooks of a running gateway: runs them by phase and server, and exchanges them while calls go on. A run that began
 * before an exchange finishes with the old hooks.
 * @module
 */

import type { Log } from '../../core/log.ts';
import { Shares } from '../../core/shares.ts';
import type { HookConfig, HookPhase } from '../language/types.ts';
import type { EndingCall } from './ask.ts';
import type { HookInput } from './contract.ts';
import { HookListing, type ListedEntry, type ListingOptions, type ListPrincipal } from './listing.ts';
import { type LoadedHook, loadHooks } from './load.ts';
import { type HookAnswered, type HookOutcome, NO_HOOKS } from './outcome.ts';
import { HookRun } from './run.ts';

export interface HooksOptions {
  log: Log;
  listing?: ListingOptions;
}

/** Records that `audit` hooks have not answered yet; beyond this records of the principal with most are skipped. */
const MAX_RECORDS_UNANSWERED = 1000;

export class Hooks {
  readonly #log: Log;
  readonly #listingOptions: ListingOptions | undefined;
  #hooks: HooksOfPhases;
  readonly #unanswered = new Shares(MAX_RECORDS_UNANSWERED, MAX_RECORDS_UNANSWERED);
  #recordsSkipped = 0;

  private constructor(hooks: readonly LoadedHook[], { log, listing }: HooksOptions) {
    this.#log = log;
    this.#listingOptions = listing;
    this.#hooks = this.#arrange(hooks);
  }

  /** Loads the hooks. Throws `SWB_CONFIG` with a line for each that cannot be loaded. */
  static async load(configs: readonly HookConfig[], options: HooksOptions): Promise<Hooks> {
    return new Hooks(await loadHooks(configs), options);
  }

  /** Whether any hook has this phase for this server. Without one, callers need not make an input for {@link run}. */
  has(phase: HookPhase, server: string): boolean {
    return this.#hooks.of(phase, server).length > 0;
  }

  /** Whether any hook has this phase, for any server. */
  hasAny(phase: HookPhase): boolean {
    return this.#hooks.hasAny(phase);
  }

  /**
   * Runs the hooks of the input's phase and server. Returns a promise only where one of them does; it never rejects.
   * For `audit` see {@link observe}.
   *
   * @param call when it ends before the hooks have answered, the outcome is a denial
   * @param onAnswer called with each hook's answer
   */
  run(
    input: HookInput,
    call?: EndingCall,
    onAnswer?: (answer: HookAnswered) => void,
  ): HookOutcome | Promise<HookOutcome> {
    const hooks = this.#hooks.of(input.phase, input.server);
    return hooks.length === 0 ? NO_HOOKS : new HookRun(hooks, input, call, this.#log, onAnswer).go();
  }

  /**
   * Shows a record to the hooks of `audit`, a frozen copy to each. Nothing waits for them, their answers are ignored, their
   * failures are logged. A hook that cannot keep up misses records, which is logged too.
   */
  observe(input: HookInput): void {
    for (const hook of this.#hooks.of('audit', input.server)) this.#observeWith(hook, input);
  }

  #observeWith(hook: LoadedHook, input: HookInput): void {
    const { principal } = input;
    if (!this.#unanswered.admits(principal)) {
      if (this.#recordsSkipped++ === 0) {
        this.#log.warn({ hook: hook.name, phase: 'audit' }, 'Audit hooks cannot keep up; records are left out');
      }
      return;
    }
    if (this.#recordsSkipped > 0 && this.#unanswered.taken === 0) {
      this.#log.warn({ phase: 'audit', records: this.#recordsSkipped }, 'Audit hooks missed records');
      this.#recordsSkipped = 0;
    }
    // One run for each: a denial must not end the run before the next hook.
    const outcome = new HookRun([hook], input, undefined, this.#log).go();
    if (!(outcome instanceof Promise)) return;
    this.#unanswered.take(principal);
    void outcome.then(() => this.#unanswered.give(principal));
  }

  /**
   * Whether a list shows this entry to this principal. An undecided entry is hidden: call {@link prepare} first.
   */
  listed(principal: ListPrincipal, entry: ListedEntry): boolean {
    const hooks = this.#hooks;
    return hooks.of('list.filter', entry.server).length === 0 || hooks.listing.listed(principal, entry);
  }

  /** Resolves when these entries are decided, or the time for it is up; undefined when they are decided now. */
  prepare(principal: ListPrincipal, entries: readonly ListedEntry[]): Promise<void> | undefined {
    const hooks = this.#hooks;
    const concerned = entries.filter(({ server }) => hooks.of('list.filter', server).length > 0);
    return concerned.length === 0 ? undefined : hooks.listing.prepare(principal, concerned);
  }

  /**
   * Loads the hooks of another configuration; the function it resolves with exchanges old and new. Rejects with
   * `SWB_CONFIG` when any cannot be loaded. Edited modules are loaded anew; hooks that are the same keep their state.
   */
  async prepareReload(configs: readonly HookConfig[]): Promise<() => void> {
    const arranged = this.#arrange(await loadHooks(configs, this.#hooks.all));
    return () => {
      this.#hooks = arranged;
    };
  }

  #arrange(hooks: readonly LoadedHook[]): HooksOfPhases {
    const arranged: HooksOfPhases = new HooksOfPhases(
      hooks,
      new HookListing(
        (input) => new HookRun(arranged.of('list.filter', input.server), input, undefined, this.#log).go(),
        this.#listingOptions,
      ),
    );
    return arranged;
  }
}

const NONE: readonly LoadedHook[] = Object.freeze([]);

/** Servers come and go at run time. */
const MAX_SERVERS = 1000;

/** One set of hooks, indexed by phase and server. */
class HooksOfPhases {
  readonly all: readonly LoadedHook[];
  readonly listing: HookListing;
  readonly #byPhase = new Map<HookPhase, { hooks: LoadedHook[]; byServer: Map<string, readonly LoadedHook[]> }>();

  constructor(all: readonly LoadedHook[], listing: HookListing) {
    this.all = all;
    this.listing = listing;
    for (const loaded of all) {
      for (const phase of loaded.phases) {
        const ofPhase = this.#byPhase.get(phase);
        if (ofPhase === undefined) this.#byPhase.set(phase, { hooks: [loaded], byServer: new Map() });
        else ofPhase.hooks.push(loaded);
      }
    }
  }

  hasAny(phase: HookPhase): boolean {
    return this.#byPhase.has(phase);
  }

  of(phase: HookPhase, server: string): readonly LoadedHook[] {
    const ofPhase = this.#byPhase.get(phase);
    if (ofPhase === undefined) return NONE;
    let found = ofPhase.byServer.get(server);
    if (found === undefined) {
      found = ofPhase.hooks.filter(({ concerns }) => concerns(server));
      if (ofPhase.byServer.size >= MAX_SERVERS) ofPhase.byServer.clear();
      ofPhase.byServer.set(server, found);
    }
    return found;
  }
}
