import { expect, it } from 'vitest';
import type { Call, Caller } from '../../adapters/adapter.ts';
import type { Member } from '../federation/types.ts';
import type { Plan } from '../policy/documents/plan.ts';
import type { Subject } from '../policy/types.ts';
import { SwitchboardError } from '../wire/errors.ts';
import { ParkingLot } from './asks/parking.ts';
import { RelayCall } from './call.ts';
import { Dispatcher } from './dispatch.ts';
import { Admission, type AdmissionHost, type Outcome } from './gate/admission.ts';
import { callInside } from './nested.ts';

it('is concluded too when the server of the agent is away', async () => {
  const concluded: Outcome[] = [];
  const host = { concluded: (_: Admission, outcome: Outcome) => concluded.push(outcome) };
  const admission = new Admission(host as unknown as AdmissionHost, {
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
  const dispatcher = new Dispatcher(new ParkingLot());
  const asked = callInside(outer, dispatcher, { require } as unknown as Member, 'agents/call', {}, admission);
  await expect(asked).rejects.toBe(away);
  expect(concluded).toEqual([{ kind: 'error', error: away }]);
});
