import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Reply } from '../../core/upstream.ts';
import { fakeCaller } from '../../relay/testing/fakes.ts';
import { notification } from '../../wire/jsonrpc.ts';
import type { HookInput } from '../hooks/contract.ts';
import { denialOf, type HookOutcome, NO_HOOKS } from '../hooks/outcome.ts';
import type { Policy } from '../policy.ts';
import type { Subject } from '../types.ts';
import { PolicyDecision } from './policy-decision.ts';

const faults: unknown[] = [];
const onFault = (reason: unknown): void => void faults.push(reason);

beforeEach(() => {
  faults.length = 0;
  process.on('unhandledRejection', onFault);
});
afterEach(() => {
  process.off('unhandledRejection', onFault);
});

/** A decision whose notifications and results pass these hooks. */
function decisionWith(run: (input: HookInput) => HookOutcome | Promise<HookOutcome>): PolicyDecision {
  const policy = { planFor: () => ({ redactsResult: false }), hooks: { has: () => true, run } };
  return new PolicyDecision(policy as unknown as Policy, {
    caller: fakeCaller('legacy'),
    subject: { server: 'one', section: 'tools' } as Subject,
    method: 'tools/call',
    requestId: 1,
    given: undefined,
  });
}

it('refuses a result after the notifications before it, without an unhandled rejection meanwhile', async () => {
  const looking = Promise.withResolvers<HookOutcome>();
  const denial = denialOf('(hook x)', 'not this result');
  const decision = decisionWith(({ phase }) =>
    phase === 'notify' ? looking.promise : Promise.resolve({ effect: 'deny', denial, failed: false, shadow: [] }),
  );
  const delivered: string[] = [];
  decision.notify(notification('notifications/message'), ({ method }) => delivered.push(method));
  const screened = Promise.resolve(decision.screen({ value: {} })).catch((error: Error) =>
    delivered.push(error.message),
  );
  // Unhandled rejections are reported at the end of a turn.
  await new Promise((next) => setImmediate(next));
  await new Promise((next) => setImmediate(next));
  expect(faults).toEqual([]);
  expect(delivered).toEqual([]);
  looking.resolve(NO_HOOKS);
  await screened;
  expect(delivered).toEqual(['notifications/message', 'not this result']);
});

it('lets the result through although a notification could not be delivered', async () => {
  const reply: Reply = { value: { ok: true } };
  const decision = decisionWith(async () => NO_HOOKS);
  decision.notify(notification('notifications/message'), () => {
    throw new Error('the client is gone');
  });
  expect(await decision.screen(reply)).toBe(reply);
  await new Promise((next) => setImmediate(next));
  expect(faults).toEqual([]);
});
