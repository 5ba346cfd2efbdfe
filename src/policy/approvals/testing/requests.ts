/**
 * Calls that need an approval, for tests.
 * @module
 */
import type { Log } from '../../../core/log.ts';
import type { ApprovalRequest } from '../types.ts';

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

export const request = (changes: Partial<ApprovalRequest> = {}): ApprovalRequest => ({
  principal: 'agent',
  subject: { server: 'bank', section: 'tools', name: 'pay', builtin: false },
  arguments: { amount: 5, nested: { a: 1, b: 2 } },
  policyVersion: 'v1',
  need: {
    policy: 'server:bank',
    rule: '/tools/pay',
    reason: 'Money moves.',
    timeoutMs: 60_000,
    approver: 'operator',
  },
  shown: { amount: '[redacted]' },
  ...changes,
});

export async function untilTrue(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('timed out');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
