/**
 * The hooks of a running gateway: which there are, asking them, and exchanging them while calls go on. A call that has begun
 * to ask the hooks of before an exchange finishes with them.
 * @module
 */

import type { Log } from '../../core/log.ts';
import type { HookConfig, HookPhase } from '../language/types.ts';
import type { EndingCall } from './ask.ts';
import type { HookInput } from './contract.ts';
import { HookListing, type ListedEntry, type ListingOptions, type ListPrincipal } from './listing.ts';
import { type LoadedHook, loadHooks } from './load.ts';
import { type HookAsked, type HookOutcome, NOTHING_AGAINST } from './outcome.ts';
import { HookRun } from './run.ts';

export interface HooksOptions {
  log: Log;
  listing?: ListingOptions;
}

/** Records an `audit` hook has not answered yet; beyond this it is left out until it keeps up. */
const MAX_RECORDS_UNANSWERED = 1000;

export class Hooks {
  readonly #log: Log;
  readonly #listingOptions: ListingOptions | undefined;
  #hooks: HooksOfPhases;
  /** Reloads run one after the other, so that the last one asked for is the one that stays. */
  #reloading: Promise<unknown> = Promise.resolve();
  #recordsUnanswered = 0;
  #recordsLeftOut = 0;

  private constructor(hooks: readonly LoadedHook[], { log, listing }: HooksOptions) {
    this.#log = log;
    this.#listingOptions = listing;
    this.#hooks = this.#arrange(hooks);
  }

  /** Loads the hooks. Throws `SWB_CONFIG` with a line for each that cannot be loaded. */
  static async load(configs: readonly HookConfig[], options: HooksOptions): Promise<Hooks> {
    return new Hooks(await loadHooks(configs), options);
  }

  /** The hooks as they are configured now. */
  get configs(): readonly HookConfig[] {
    return this.#hooks.all.map(({ config }) => config);
  }

  /** Whether any hook wants to see this. Ask first: without hooks nothing need be made for {@link run}. */
  has(phase: HookPhase, server: string): boolean {
    return this.#hooks.of(phase, server).length > 0;
  }

  /** Whether any hook wants to see this of any server. */
  hasAny(phase: HookPhase): boolean {
    return this.#hooks.hasAny(phase);
  }

  /**
   * Asks the hooks of the input's phase and server. A promise only where one of them answers with one; it never rejects.
   * For `audit` see {@link observe}.
   *
   * @param call is told of when it ends before the hooks have answered; the outcome then is a denial nobody waits for
   * @param told hears what each hook answered
   */
  run(input: HookInput, call?: EndingCall, told?: (asked: HookAsked) => void): HookOutcome | Promise<HookOutcome> {
    const hooks = this.#hooks.of(input.phase, input.server);
    return hooks.length === 0 ? NOTHING_AGAINST : new HookRun(hooks, input, call, this.#log, told).go();
  }

  /**
   * Shows a record to the hooks of `audit`, a frozen copy to each. They change and hold up nothing: nobody waits for them,
   * their answers are ignored, their failures are logged. A hook that cannot keep up misses records, which is logged too.
   */
  observe(input: HookInput): void {
    for (const hook of this.#hooks.of('audit', input.server)) this.#observeWith(hook, input);
  }

  #observeWith(hook: LoadedHook, input: HookInput): void {
    if (this.#recordsUnanswered >= MAX_RECORDS_UNANSWERED) {
      if (this.#recordsLeftOut++ === 0) {
        this.#log.warn({ hook: hook.name, phase: 'audit' }, 'Audit hooks cannot keep up; records are left out');
      }
      return;
    }
    if (this.#recordsLeftOut > 0 && this.#recordsUnanswered === 0) {
      this.#log.warn({ phase: 'audit', records: this.#recordsLeftOut }, 'Audit hooks missed records');
      this.#recordsLeftOut = 0;
    }
    // One run for each: a denial must not keep the record from the next.
    const outcome = new HookRun([hook], input, undefined, this.#log).go();
    if (!(outcome instanceof Promise)) return;
    this.#recordsUnanswered++;
    void outcome.then(() => {
      this.#recordsUnanswered--;
    });
  }

  /**
   * Whether a list shows this entry to this principal. Undecided is hidden: {@link prepare} first where hooks may need time.
   */
  listed(principal: ListPrincipal, entry: ListedEntry): boolean {
    const hooks = this.#hooks;
    return hooks.of('list.filter', entry.server).length === 0 || hooks.listing.listed(principal, entry);
  }

  /** Resolves when {@link listed} has an answer for these entries, or the time for it is up; undefined when it has now. */
  prepare(principal: ListPrincipal, entries: readonly ListedEntry[]): Promise<void> | undefined {
    const hooks = this.#hooks;
    const concerned = entries.filter(({ server }) => hooks.of('list.filter', server).length > 0);
    return concerned.length === 0 ? undefined : hooks.listing.prepare(principal, concerned);
  }

  /**
   * Exchanges all hooks at once, or none: throws `SWB_CONFIG` and keeps those that run when any cannot be loaded. Modules that
   * were edited are loaded anew; hooks that are the same keep their state.
   */
  reload(configs: readonly HookConfig[]): Promise<void> {
    const reloaded = this.#reloading.then(async () => {
      this.#hooks = this.#arrange(await loadHooks(configs, this.#hooks.all));
    });
    this.#reloading = reloaded.catch(() => {});
    return reloaded;
  }

  /** {@link reload} in two steps: everything that can fail is done when it resolves, and what it gives exchanges them. */
  async prepareReload(configs: readonly HookConfig[]): Promise<() => void> {
    await this.#reloading;
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

/** One set of hooks, found by phase and server without looking through them for every call. */
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
