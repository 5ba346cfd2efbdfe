import { expect, it } from 'vitest';
import type { Call } from '../core/call.ts';
import type { Caller } from '../core/caller.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Member } from '../federation/types.ts';
import type { Plan } from '../policy/engine/plan.ts';
import type { Subject } from '../policy/types.ts';
import { ownSealing } from './asks/request-state.ts';
import { SuspendedCalls } from './asks/suspended-calls.ts';
import { RelayCall } from './call.ts';
import { Dispatcher } from './dispatch.ts';
import { type AdmissionHost, type Outcome, PolicyDecision } from './gate/admission.ts';
import { callInside } from './nested.ts';

it('is concluded too when the server of the agent is away', async () => {
  const concluded: Outcome[] = [];
  const host = { concluded: (_: PolicyDecision, outcome: Outcome) => concluded.push(outcome) };
  const admission = new PolicyDecision(host as unknown as AdmissionHost, {
    caller: {} as Caller,
    subject: {} as Subject,
    method: 'agents/call',
    requestId: undefined,
    plan: {} as Plan,
    given: undefined,
  });
  const away = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'It is away.');
  const require = (): never => {
    throw away;
  };
  const outer: Call = new RelayCall({} as Caller, { notify() {} }, undefined);
  const dispatcher = new Dispatcher(new SuspendedCalls(ownSealing()), ownSealing());
  const asked = callInside(outer, dispatcher, { require } as unknown as Member, 'agents/call', {}, admission);
  await expect(asked).rejects.toBe(away);
  expect(concluded).toEqual([{ kind: 'error', error: away }]);
});
