/**
 * Uses of counters as tests need them.
 * @module
 */
import type { Log } from '../../core/log.ts';
import type { Counters, CounterUse, Refusal, Reservation } from '../state.ts';

export const MINUTE = 60_000;
export const DAY = 86_400_000;

export const use = (over: Partial<CounterUse> = {}): CounterUse => ({
  key: 'grant:a calls',
  windowMs: MINUTE,
  sliding: false,
  max: 3,
  amount: 1,
  ...over,
});

export function taken(result: Reservation | Refusal): Reservation {
  if (!result.granted) throw new Error(`refused: ${result.why}`);
  return result;
}

export function refusal<Use extends CounterUse>(result: Reservation | Refusal<Use>): Refusal<Use> {
  if (result.granted) throw new Error('granted');
  return result;
}

/** How many calls of one use pass one after the other, up to a hundred. */
export async function passing(counters: Counters, one: CounterUse, now?: number): Promise<number> {
  let passed = 0;
  while (passed < 100 && (await counters.reserve([one], now)).granted) passed++;
  return passed;
}

export function recorder(): Log & { warnings: string[] } {
  const warnings: string[] = [];
  const warn = (_fields: object, message = ''): void => void warnings.push(message);
  return { warnings, warn, debug() {}, info() {}, error() {} };
}
