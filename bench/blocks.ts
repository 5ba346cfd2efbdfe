/**
 * What is measured: blocks, each one load that several targets are put under in turn, so that its ratios are paired.
 * @module
 */
import type { Era } from '../src/wire/eras.ts';
import type { Operation } from './messages.ts';

/**
 * `direct`: the upstream itself. `b`, `c`: the limits. `gateway`: same era on both sides. `cross`: the gateway in front of an
 * upstream of the other era. `paged`: the gateway with small pages, a listing being all of them. `policy`: same era, for
 * a grant, under documents and with an audit. `redacted`: the same with a hook that reads every result.
 */
export type Target = 'direct' | 'b' | 'c' | 'gateway' | 'cross' | 'paged' | 'policy' | 'redacted';

export interface Block {
  id: string;
  operation: Operation;
  /** Of the client. */
  era: Era;
  callers: number;
  targets: readonly Target[];
}

export const GATEWAY_TARGETS: ReadonlySet<Target> = new Set<Target>([
  'gateway',
  'cross',
  'paged',
  'policy',
  'redacted',
]);

const ERAS: readonly Era[] = ['legacy', 'modern'];
const CALL_TARGETS: readonly Target[] = ['direct', 'b', 'c', 'gateway', 'cross'];
const LIST_TARGETS: readonly Target[] = ['direct', 'b', 'c', 'gateway', 'paged'];

const COUNTS: Readonly<Record<Operation, readonly number[]>> = {
  small: [1, 16, 64],
  large: [1, 16, 64],
  both: [16],
  logs: [16],
  list: [1, 16],
};

/** The number of callers that budgets are about. */
export const BUDGET_CALLERS = 16;

export function allBlocks(callerCounts: Readonly<Record<Operation, readonly number[]>> = COUNTS): Block[] {
  const blocks: Block[] = [];
  for (const operation of ['small', 'large', 'both', 'logs', 'list'] as const) {
    for (const era of ERAS) {
      for (const callers of callerCounts[operation]) {
        const targets = targetsOf(operation, callers);
        blocks.push({ id: `${operation}/${era}/C${callers}`, operation, era, callers, targets });
      }
    }
  }
  return blocks;
}

/** Policy costs the same whatever the number of callers and the size of the result: once per era is enough. */
function targetsOf(operation: Operation, callers: number): readonly Target[] {
  const targets = operation === 'list' ? LIST_TARGETS : CALL_TARGETS;
  if (callers !== BUDGET_CALLERS) return targets;
  if (operation === 'small') return [...targets, 'policy', 'redacted'];
  return operation === 'list' ? [...targets, 'policy'] : targets;
}

/** The blocks of `--quick`: only what has a budget. */
export const quickBlocks = (): Block[] =>
  allBlocks({
    small: [BUDGET_CALLERS],
    large: [BUDGET_CALLERS],
    both: [BUDGET_CALLERS],
    logs: [],
    list: [BUDGET_CALLERS],
  });

/** Targets of a block, starting with another one each round: none is always the first after a pause. */
export function rotated<Item>(items: readonly Item[], round: number): Item[] {
  const start = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
