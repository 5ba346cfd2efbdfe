import { expect, it } from 'vitest';
import type { Call } from '../core/call.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Member } from '../federation/types.ts';
import { type ConcludedEvent, subscribe } from '../observe/events.ts';
import { PolicyDecision } from '../policy/decision/policy-decision.ts';
import type { Policy } from '../policy/policy.ts';
import type { Subject } from '../policy/types.ts';
import { ownSealing } from './asks/request-state.ts';
import { SuspendedCalls } from './asks/suspended-calls.ts';
import { RelayCall } from './call.ts';
import { Dispatcher } from './dispatch.ts';
import { subcall } from './subcalls.ts';
import { ClientTasks } from './tasks/client-tasks.ts';
import { fakeCaller } from './testing/fakes.ts';

it('concludes the decision of a subcall whose server is away', async () => {
  const concluded: ConcludedEvent[] = [];
  const stop = subscribe('concluded', (event) => concluded.push(event), 'tested');
  const policy = { instance: 'tested', planFor: () => ({ redactsResult: false }), hooks: { has: () => false } };
  const caller = fakeCaller('legacy');
  const decision = new PolicyDecision(policy as unknown as Policy, {
    caller,
    subject: { server: 'one', section: 'agents' } as Subject,
    method: 'agents/call',
    requestId: undefined,
    given: undefined,
  });
  const away = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'It is away.');
  const require = (): never => {
    throw away;
  };
  const sealing = ownSealing();
  const outer: Call = new RelayCall(caller, { notify() {} }, undefined);
  const dispatcher = new Dispatcher({
    suspended: new SuspendedCalls(sealing),
    sealing,
    clientTasks: new ClientTasks(),
    gate: undefined,
  });
  const request = { member: { require } as unknown as Member, method: 'agents/call', params: {} };
  await expect(subcall(dispatcher, outer, request, decision)).rejects.toBe(away);
  stop();
  expect(concluded).toMatchObject([{ method: 'agents/call', outcome: 'error', errorCode: 'SWB_UPSTREAM_UNAVAILABLE' }]);
});
