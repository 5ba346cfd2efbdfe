import { describe, expect, it } from 'vitest';
import { fakeServer } from '../testing/fakes.ts';
import { MAX_TASKS, TaskLedger } from './task-owners.ts';

const server = (name: string) => fakeServer(name, 'legacy', async () => ({ value: {} })).member;
const ada = { key: 's1', principal: 'ada' };
const adaToo = { key: 's2', principal: 'ada' };
const bob = { key: 's3', principal: 'bob' };

describe('whose a task is', () => {
  it('is its principal’s, in every session, and no other principal’s', () => {
    const ledger = new TaskLedger();
    const one = server('one');
    ledger.note(one, 't', ada);
    expect([ada, adaToo, bob].map((caller) => ledger.isForeign(one, 't', caller))).toEqual([false, false, true]);
    expect([ada, adaToo, bob].map((caller) => ledger.owns(one, 't', caller))).toEqual([true, false, false]);
    expect(ledger.ownersOf(one, 't')).toEqual(new Set(['s1']));
  });

  it('is left to the server when nobody is known to have created it, and is a matter of one server', () => {
    const ledger = new TaskLedger();
    const [one, two] = [server('one'), server('two')];
    ledger.note(one, 't', ada);
    expect(ledger.isForeign(two, 't', bob)).toBe(false);
    expect(ledger.isForeign(one, 'other', bob)).toBe(false);
    expect(ledger.ownersOf(two, 't')).toEqual(new Set());
  });

  it('is shared where a server numbers the tasks of each session', () => {
    const ledger = new TaskLedger();
    const one = server('one');
    for (const caller of [ada, adaToo, bob]) ledger.note(one, '1', caller);
    expect([ada, adaToo, bob].every((caller) => ledger.owns(one, '1', caller))).toBe(true);
    expect([ada, bob].some((caller) => ledger.isForeign(one, '1', caller))).toBe(false);
    expect(ledger.ownersOf(one, '1')).toEqual(new Set(['s1', 's2', 's3']));
  });

  it('is forgotten, oldest first, for a principal with too many, and for no other', () => {
    const ledger = new TaskLedger();
    const one = server('one');
    ledger.note(one, 'bob’s', bob);
    for (let i = 0; i <= MAX_TASKS; i++) ledger.note(one, `t${i}`, ada);
    expect([ledger.owns(one, 't0', ada), ledger.owns(one, 't1', ada)]).toEqual([false, true]);
    expect(ledger.isForeign(one, 'bob’s', ada)).toBe(true);
    expect(ledger.ownedBy(ada, [one])).toHaveLength(MAX_TASKS);
  });

  it('is listed in the order of creation, over all servers', () => {
    const ledger = new TaskLedger();
    const [one, two] = [server('one'), server('two')];
    ledger.note(one, 'a', ada);
    ledger.note(two, 'b', ada);
    ledger.note(two, 'c', adaToo);
    ledger.note(one, 'd', ada);
    expect(ledger.ownedBy(ada, [two, one]).map(({ taskId }) => taskId)).toEqual(['a', 'b', 'd']);
    expect(ledger.ownedBy(ada, [two]).map(({ taskId }) => taskId)).toEqual(['b']);
  });
});
