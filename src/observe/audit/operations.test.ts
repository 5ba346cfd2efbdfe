import { afterEach, describe, expect, it, vi } from 'vitest';
import { CHANNELS, type OperatorEvent } from '../events.ts';
import { operationLine } from './line.ts';
import { OperationRecords } from './operations.ts';
import type { AuditOperation } from './record.ts';

afterEach(() => vi.useRealTimers());

const did = (event: Partial<OperatorEvent> = {}): void =>
  CHANNELS.operator.publish({
    instance: 'one',
    principal: 'https://login.example#7',
    person: 'ada',
    action: 'approvals/:id/approve',
    target: 'apr_1',
    outcome: 'ok',
    errorCode: undefined,
    ...event,
  });

describe('what operators do', () => {
  it('has a line each in the audit of its gateway, until that ends', () => {
    const written: AuditOperation[] = [];
    const records = new OperationRecords('one', (operation) => written.push(operation));
    did();
    did({ instance: 'two' });
    did({ principal: 'admin', person: undefined, action: 'grants', target: 'ci' });
    records.close();
    did();
    expect(written.map(({ operator, person, action, target }) => [operator, person, action, target])).toEqual([
      ['https://login.example#7', 'ada', 'approvals/:id/approve', 'apr_1'],
      ['admin', undefined, 'grants', 'ci'],
    ]);
  });

  it('fills the audit with no refusals: those beyond ten in a minute are counted for each operator', () => {
    vi.useFakeTimers();
    const written: AuditOperation[] = [];
    const records = new OperationRecords('one', (operation) => written.push(operation));
    const refused = { action: 'login', target: undefined, outcome: 'denied', errorCode: 'SWB_FORBIDDEN' } as const;
    for (let i = 0; i < 500; i++) did(refused);
    did({ ...refused, principal: 'https://login.example#8' });
    expect(written).toHaveLength(11);
    vi.advanceTimersByTime(60_000);
    expect(written).toHaveLength(12);
    expect(written.at(-1)).toMatchObject({ operator: 'https://login.example#7', action: 'login', repeated: 490 });
    expect(written.at(-1)?.since).toMatch(/Z$/);
    for (let i = 0; i < 50; i++) did();
    expect(written).toHaveLength(62);
    records.close();
  });

  it('stands on one line each, bounded, and without what drives a terminal', () => {
    const line = operationLine({
      time: 't',
      operator: `https://login.example#${'x'.repeat(5_000)}`,
      person: 'ada\u202e\n\u009b31m',
      action: 'login',
      target: undefined,
      outcome: 'denied',
      errorCode: 'SWB_FORBIDDEN',
    });
    expect(line.length).toBeLessThan(600);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(line).not.toMatch(/[\u202e\u009b]/);
    expect(JSON.parse(line)).toMatchObject({ person: 'ada\u202e\n\u009b31m', outcome: 'denied' });
  });
});
