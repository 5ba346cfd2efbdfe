import { expect, it } from 'vitest';
import type { Call } from '../core/call.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Route } from '../federation/types.ts';
import { type ConcludedEvent, subscribe } from '../observe/events.ts';
import { PolicyDecision } from '../policy/decision/policy-decision.ts';
import type { Policy } from '../policy/policy.ts';
import type { Subject } from '../policy/types.ts';
import { pathsAt } from './agents/path.ts';
import { ownSealing } from './asks/request-state.ts';
import { SuspendedCalls } from './asks/suspended-calls.ts';
import { RelayCall } from './call.ts';
import { Dispatcher } from './dispatch.ts';
import { Subcalls } from './subcalls.ts';
import { ClientTasks } from './tasks/client-tasks.ts';
import { fakeCaller, fakeFederation } from './testing/fakes.ts';

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
    given: {},
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
  const subcalls = new Subcalls({
    dispatcher,
    federation: fakeFederation([]),
    gate: { decideSubcall: () => decision, viewFor: (_, view) => view },
    runs: { begin: () => expect.unreachable() },
    pathOf: pathsAt('tested', {}),
    lending: undefined,
  });
  const route = { member: { name: 'one', require }, original: 'a' } as unknown as Route;
  await expect(subcalls.make(route, 'agents/call', { agent: 'a' }, outer)).rejects.toBe(away);
  stop();
  expect(concluded).toMatchObject([{ method: 'agents/call', outcome: 'error', errorCode: 'SWB_UPSTREAM_UNAVAILABLE' }]);
});
