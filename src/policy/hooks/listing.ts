/**
 * Decides which entries of lists `list.filter` hooks show to which principals. Lists are requested far more often than they
 * change, so a decision is cached for its entry and principal until the hooks are loaded anew: a hook of `list.filter` must
 * not depend on the time. It decides about listing only; `call.before` decides about calls.
 * @module
 */
import { within } from '../../core/deadline.ts';
import type { Entry } from '../../core/upstream.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import type { HookInput } from './contract.ts';
import type { HookOutcome } from './outcome.ts';

/** The principal a list is for. */
export type ListPrincipal = Pick<HookInput, 'principal' | 'grant'>;

/** One entry of a catalog, with the names hooks get. */
export interface ListedEntry extends Pick<HookInput, 'server' | 'kind' | 'name' | 'namespaced'> {
  readonly entry: Entry;
}

export interface ListingOptions {
  /** How many entries are decided at the same time. */
  concurrency?: number;
  /** How long {@link HookListing.prepare} takes at most; undecided entries stay hidden until the next call. */
  prepareMs?: number;
  /** How long an entry stays hidden after its hook failed, before the hook is called again. */
  failureMs?: number;
}

/** A failed decision is made again after `until`. */
type Decision = { listed: boolean; until: number } | Promise<void>;

/** One principal may come under several grants. A grant's own principal has its name. */
const keyOf = ({ principal, grant }: ListPrincipal): string =>
  grant === principal ? principal : `${grant ?? ''}\n${principal}`;

/** Principals are few; beyond this the decisions for an entry are dropped. */
const MAX_PRINCIPALS = 1000;

export class HookListing {
  readonly #decide: (input: HookInput) => HookOutcome | Promise<HookOutcome>;
  readonly #concurrency: number;
  readonly #prepareMs: number;
  readonly #failureMs: number;
  /** Entries are objects of a catalog and go with it. */
  readonly #decisions = new WeakMap<Entry, Map<string, Decision>>();

  constructor(decide: (input: HookInput) => HookOutcome | Promise<HookOutcome>, options: ListingOptions = {}) {
    this.#decide = decide;
    this.#concurrency = options.concurrency ?? 16;
    this.#prepareMs = options.prepareMs ?? 10_000;
    this.#failureMs = options.failureMs ?? 30_000;
  }

  /** An undecided entry is hidden. A hook that answers synchronously is called here. */
  listed(principal: ListPrincipal, entry: ListedEntry): boolean {
    const decision = this.#decision(principal, entry);
    return decision instanceof Promise ? false : decision.listed;
  }

  /** Undefined when everything is decided. */
  prepare(principal: ListPrincipal, entries: readonly ListedEntry[]): Promise<void> | undefined {
    for (const [index, entry] of entries.entries()) {
      const first = this.#decision(principal, entry);
      // The following entries may all need time; their number in flight is bounded.
      if (first instanceof Promise) return this.#decideRest(principal, entries.slice(index));
    }
    return undefined;
  }

  async #decideRest(principal: ListPrincipal, entries: readonly ListedEntry[]): Promise<void> {
    const deadline = Date.now() + this.#prepareMs;
    const rest = entries.values();
    const decideOneByOne = async (): Promise<void> => {
      for (const entry of rest) {
        if (Date.now() >= deadline) return;
        await this.#decision(principal, entry);
      }
    };
    const all = Promise.all(Array.from({ length: this.#concurrency }, decideOneByOne));
    await within(all, this.#prepareMs, () => undefined);
  }

  /** The cached or pending decision: no entry is decided twice at the same time. */
  #decision(principal: ListPrincipal, entry: ListedEntry): Decision {
    const decisions = this.#decisionsOf(entry.entry);
    const known = decisions.get(keyOf(principal));
    if (known !== undefined && (known instanceof Promise || Date.now() < known.until)) return known;
    const outcome = this.#decide(inputOf(principal, entry));
    const keep = (made: HookOutcome): Decision => {
      const until = made.effect === 'deny' && made.failed ? Date.now() + this.#failureMs : Number.POSITIVE_INFINITY;
      const decision = { listed: made.effect !== 'deny', until };
      decisions.set(keyOf(principal), decision);
      return decision;
    };
    if (!(outcome instanceof Promise)) return keep(outcome);
    const pending = outcome.then((made) => void keep(made));
    decisions.set(keyOf(principal), pending);
    return pending;
  }

  #decisionsOf(entry: Entry): Map<string, Decision> {
    let decisions = this.#decisions.get(entry);
    if (decisions === undefined || decisions.size > MAX_PRINCIPALS) {
      decisions = new Map();
      this.#decisions.set(entry, decisions);
    }
    return decisions;
  }
}

function inputOf(
  { principal, grant }: ListPrincipal,
  { server, kind, name, namespaced, entry }: ListedEntry,
): HookInput {
  const value = isObject(entry.value) ? entry.value : {};
  return { phase: 'list.filter', principal, grant, session: undefined, server, kind, name, namespaced, entry: value };
}
