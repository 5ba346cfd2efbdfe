/**
 * Records for tests.
 * @module
 */
import type { AuditRecord } from '../record.ts';

export const auditRecord = (overrides: Partial<AuditRecord> = {}): AuditRecord => ({
  time: '2026-01-02T03:04:05.678Z',
  requestId: 1,
  principal: 'ci',
  grant: 'ci',
  session: undefined,
  server: 'calculator',
  kind: 'tools',
  name: 'add',
  method: 'tools/call',
  era: 'modern',
  verdict: 'allow',
  policy: undefined,
  rule: undefined,
  queueMs: 0.1234,
  durationMs: 12.5,
  outcome: 'ok',
  errorCode: undefined,
  argKeys: ['a', 'b'],
  argHash: 'x'.repeat(22),
  ...overrides,
});
