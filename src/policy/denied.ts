/**
 * A denial as an error; for tools also as a result that a model can read.
 * @module
 */
import { SwitchboardError } from '../core/errors.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import type { Denial } from './types.ts';

/** `_meta` key of the denial in a tool result, for programs. */
export const DENIAL_META = 'switchboard/denial';

export class Denied extends SwitchboardError {
  readonly denial: Denial;

  constructor(denial: Denial) {
    super(denial.code, denial.reason, {
      data: { policy: denial.policy, rule: denial.rule, ...denial.data },
      ...(denial.retryAfterMs === undefined ? {} : { retryAfterMs: denial.retryAfterMs }),
    });
    this.denial = denial;
  }

  /** The denial as the result of a tool. */
  toolResult(): JsonObject {
    return {
      content: [{ type: 'text', text: this.message }],
      isError: true,
      _meta: { [DENIAL_META]: { ...this.data, reason: this.message } },
    };
  }
}
