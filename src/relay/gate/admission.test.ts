import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Caller } from '../../core/caller.ts';
import type { Reply } from '../../core/upstream.ts';
import type { Plan } from '../../policy/engine/plan.ts';
import type { Subject } from '../../policy/types.ts';
import { type Notification, notification } from '../../wire/jsonrpc.ts';
import { type AdmissionHost, PolicyDecision } from './admission.ts';

const faults: unknown[] = [];
const onFault = (reason: unknown): void => void faults.push(reason);

beforeEach(() => {
  faults.length = 0;
  process.on('unhandledRejection', onFault);
});
afterEach(() => {
  process.off('unhandledRejection', onFault);
});

function admitted(host: Partial<AdmissionHost>): PolicyDecision {
  return new PolicyDecision(host as AdmissionHost, {
    caller: {} as Caller,
    subject: {} as Subject,
    method: 'tools/call',
    requestId: 1,
    plan: {} as Plan,
    given: undefined,
  });
}

it('refuses a result after what was said before it, and is no fault of the process meanwhile', async () => {
  const looking = Promise.withResolvers<Notification>();
  const admission = admitted({
    screenNote: () => looking.promise,
    screen: () => Promise.reject(new Error('not this result')),
  });
  const said: string[] = [];
  admission.note(notification('notifications/message'), ({ method }) => said.push(method));
  const screened = Promise.resolve(admission.screen({ value: {} })).catch((error: Error) => said.push(error.message));
  // Rejections nobody has taken up are told of at the end of a turn.
  await new Promise((next) => setImmediate(next));
  await new Promise((next) => setImmediate(next));
  expect(faults).toEqual([]);
  expect(said).toEqual([]);
  looking.resolve(notification('notifications/message'));
  await screened;
  expect(said).toEqual(['notifications/message', 'not this result']);
});

it('answers although a notification could not be delivered', async () => {
  const reply: Reply = { value: { ok: true } };
  const admission = admitted({ screenNote: async (_, sent) => sent, screen: () => reply });
  admission.note(notification('notifications/message'), () => {
    throw new Error('the client is gone');
  });
  expect(await admission.screen(reply)).toBe(reply);
  await new Promise((next) => setImmediate(next));
  expect(faults).toEqual([]);
});
