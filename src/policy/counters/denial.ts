/**
 * The denial of a call that a limit refuses: which limit it is, and when to come back.
 * @module
 */
import type { Refusal } from '../../state/state.ts';
import type { Denial, LimitUse } from '../types.ts';

/** The last moment a date can name. */
const LAST_DATE = 8.64e15;

export function limitDenial(refusal: Refusal<LimitUse>): Denial {
  const { use, resetsAt, retryAfterMs } = refusal;
  return {
    code: 'SWB_RATE_LIMITED',
    policy: use.policy,
    rule: use.rule,
    reason: use.onDeny ?? reasonOf(refusal),
    hidden: false,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    data: {
      counter: use.counter,
      window: use.windowName,
      max: use.max,
      ...(resetsAt === undefined ? {} : { resetsAt }),
    },
  };
}

/** Of a call that cannot be counted at the moment. */
export function uncountedDenial({ policy, rule, counter, windowName, max }: LimitUse, retryAfterMs?: number): Denial {
  return {
    code: 'SWB_STATE',
    policy,
    rule,
    reason: `The limit of ${max} per ${windowName} (counter "${counter}") cannot be counted at the moment. Try again later.`,
    hidden: false,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    data: { counter, window: windowName, max },
  };
}

function reasonOf({ use, why, resetsAt }: Refusal<LimitUse>): string {
  const { counter, max, windowName, amount } = use;
  const when = resetsAt === undefined ? '' : ` It resets at ${new Date(Math.min(resetsAt, LAST_DATE)).toISOString()}.`;
  if (why === 'reached') return `Rate limit of ${max} per ${windowName} reached (counter "${counter}").${when}`;
  if (why === 'full') return `Too many limits are being counted at the moment (counter "${counter}"). Try again later.`;
  if (!(max > 0)) return `No call is allowed by the limit of ${max} per ${windowName} (counter "${counter}").`;
  return (
    `This call counts for ${amount}, more than the ${max} per ${windowName} that are allowed at all ` +
    `(counter "${counter}"). Waiting does not help; a smaller amount may.`
  );
}
