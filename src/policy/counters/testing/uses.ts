/**
 * Uses of limits as tests need them.
 * @module
 */
import type { Log } from '../../../core/log.ts';
import type { LimitUse } from '../../types.ts';
import type { Counters, Refusal, Reservation } from '../counters.ts';

export const MINUTE = 60_000;
export const DAY = 86_400_000;

export function use(over: Partial<LimitUse> = {}): LimitUse {
  return {
    key: 'grant:a calls',
    counter: 'calls',
    windowMs: MINUTE,
    windowName: 'minute',
    sliding: false,
    max: 3,
    amount: 1,
    policy: 'server:a',
    rule: '/tools/t/limits/calls',
    onDeny: undefined,
    ...over,
  };
}

export function taken(result: Reservation | Refusal): Reservation {
  if (!result.granted) throw new Error(`refused: ${result.why}`);
  return result;
}

export function refusal(result: Reservation | Refusal): Refusal {
  if (result.granted) throw new Error('granted');
  return result;
}

/** How many calls of one use pass one after the other, up to a hundred. */
export function passing(counters: Counters, one: LimitUse, now?: number): number {
  let passed = 0;
  while (passed < 100 && counters.reserve([one], now).granted) passed++;
  return passed;
}

export function recorder(): Log & { warnings: string[] } {
  const warnings: string[] = [];
  const warn = (_fields: object, message = ''): void => void warnings.push(message);
  return { warnings, warn, debug() {}, info() {}, error() {} };
}
