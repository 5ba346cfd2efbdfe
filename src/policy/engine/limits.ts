/**
 * Compiles limits: what one call adds to which counter. `policy/counters` and the state count.
 * @module
 */

import type { Caller } from '../../core/caller.ts';
import { compareDecimals, type Decimal, parseDecimal } from '../../core/decimal.ts';
import { parsePath, valueAt } from '../language/paths.ts';
import { pointerTo } from '../language/pointers.ts';
import type { Limit } from '../language/types.ts';
import { numberOf, textOf } from '../language/values.ts';
import type { LimitUse } from '../types.ts';

export interface CompiledLimit {
  /** JSON pointer. */
  readonly rule: string;
  readonly limit: Limit;
  /** What this call adds, or in a sentence why its arguments do not say. */
  amount(args: unknown): number | string;
  use(amount: number, caller: Pick<Caller, 'identity' | 'key'>, server: string): LimitUse;
}

/** `pointer` is the list's. */
export const compileLimits = (limits: readonly Limit[], policy: string, pointer: string): CompiledLimit[] =>
  limits.map((limit) => compileLimit(limit, policy, pointer + pointerTo(limit.counter)));

function compileLimit(limit: Limit, policy: string, rule: string): CompiledLimit {
  const { counter, windowMs, windowName, sliding, max, scope, onDeny, onStateFailure } = limit;
  // JSON keeps the parts apart whatever characters they hold.
  const head = `[${JSON.stringify(scope === 'global' ? null : policy)},${JSON.stringify(scope)},`;
  const tail = `,${JSON.stringify(counter)},${windowMs}]`;
  const whose = {
    // Callers without a grant are counted each by itself.
    grant: ({ identity }: Pick<Caller, 'identity'>) => identity.grant ?? identity.principal,
    session: ({ key }: Pick<Caller, 'key'>) => key,
    server: (_: unknown, server: string) => server,
    global: () => null,
  }[scope] as (caller: Pick<Caller, 'identity' | 'key'>, server: string) => string | null;
  const make = (amount: number, caller: Pick<Caller, 'identity' | 'key'>, server: string): LimitUse => ({
    key: head + JSON.stringify(whose(caller, server)) + tail,
    counter,
    ...(scope === 'session' ? { sessionOf: caller.identity.principal } : {}),
    windowMs,
    windowName,
    sliding,
    max,
    amount,
    policy,
    rule,
    onDeny,
    ...(onStateFailure && { onStateFailure }),
  });
  // Sessions come and go, and amounts from arguments differ; all other uses are equal for every call and are cached.
  const isSame = scope !== 'session' && limit.incrementFrom === undefined;
  const uses = new Map<string | null, LimitUse>();
  const cached = (amount: number, caller: Pick<Caller, 'identity' | 'key'>, server: string): LimitUse => {
    const owner = whose(caller, server);
    let use = uses.get(owner);
    if (!use) {
      use = make(amount, caller, server);
      if (uses.size >= MAX_CACHED) uses.clear();
      uses.set(owner, use);
    }
    return use;
  };
  return { rule, limit, amount: amountOf(limit), use: isSame ? cached : make };
}

/** Grants or servers whose uses of one limit are cached. */
const MAX_CACHED = 1_000;

/** An argument that is no number, or a negative one, would give back what other calls used: such calls are denied. */
function amountOf({ counter, increment, incrementFrom }: Limit): CompiledLimit['amount'] {
  if (incrementFrom === undefined) return () => increment;
  const path = parsePath(incrementFrom);
  const named = `the limit "${counter}" counts it`;
  return (args) => {
    const value = valueAt(args, path) ?? undefined;
    if (value === undefined) return `${incrementFrom} is missing, and ${named}. Give it as a number of 0 or more.`;
    const double = numberOf(value);
    const amount = double === undefined || !Number.isFinite(double) ? undefined : parseDecimal(textOf(value) ?? '');
    if (double === undefined || !amount) return `${incrementFrom} is not a finite number, and ${named}.`;
    if (amount.sign < 0) return `${incrementFrom} is negative, and ${named}. Give a number of 0 or more.`;
    // `-0` adds nothing, and is spelled like nothing else.
    return amount.sign === 0 ? 0 : roundedUp(double, amount);
  };
}

/** Counts are doubles. A number that none holds adds the next larger one: no digit that is left out is used for nothing. */
function roundedUp(double: number, amount: Decimal): number {
  const held = parseDecimal(String(double));
  return held && compareDecimals(held, amount) < 0 ? nextDouble(double) : double;
}

/** The smallest double that is larger. Of one of 0 or more the next bits are those of the next double. */
function nextDouble(double: number): number {
  const bits = new BigInt64Array(1);
  const view = new Float64Array(bits.buffer);
  view[0] = double;
  bits[0] = (bits[0] as bigint) + 1n;
  return view[0] as number;
}

/**
 * Limits that share a counter take from it once for a call: the largest amount of any, within the smallest maximum of any.
 */
export function onePerCount(uses: LimitUse[]): readonly LimitUse[] {
  if (!uses.some((use, at) => isCountedBefore(use, at, uses))) return uses;
  const byCount = new Map<string, LimitUse>();
  for (const use of uses) {
    const id = `${use.sliding} ${use.key}`;
    const other = byCount.get(id);
    if (!other) byCount.set(id, use);
    else byCount.set(id, merged(use, other));
  }
  return [...byCount.values()];
}

function merged(use: LimitUse, other: LimitUse): LimitUse {
  const amount = Math.max(use.amount, other.amount);
  const both = { ...(use.max < other.max ? use : other), amount };
  if (use.onStateFailure === other.onStateFailure) return both;
  // The one that says nothing does as the gateway: deny, or what the other one says.
  const said = [use, other].map(({ onStateFailure }) => onStateFailure);
  return { ...both, onStateFailure: said.includes('deny') ? 'deny' : undefined };
}

function isCountedBefore({ key, sliding }: LimitUse, at: number, uses: readonly LimitUse[]): boolean {
  for (let before = 0; before < at; before++) {
    const other = uses[before] as LimitUse;
    if (other.key === key && other.sliding === sliding) return true;
  }
  return false;
}
