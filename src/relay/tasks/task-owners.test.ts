import { describe, expect, it } from 'vitest';
import { fakeServer } from '../testing/fakes.ts';
import { MAX_TASKS, TaskOwners } from './task-owners.ts';

const server = (name: string) => fakeServer(name, 'legacy', async () => ({ value: {} })).member;
const ada = { key: 's1', principal: 'ada' };
const adaToo = { key: 's2', principal: 'ada' };
const bob = { key: 's3', principal: 'bob' };

describe('the owner of a task', () => {
  it('is its principal, in every session', () => {
    const owners = new TaskOwners();
    const one = server('one');
    owners.note(one, 't', ada);
    expect([ada, adaToo, bob].map((caller) => owners.isForeign(one, 't', caller))).toEqual([false, false, true]);
    expect([ada, adaToo, bob].map((caller) => owners.owns(one, 't', caller))).toEqual([true, false, false]);
    expect(owners.ownersOf(one, 't')).toEqual(new Set(['s1']));
  });

  it('is unknown for a task of no known creator, and known for one server only', () => {
    const owners = new TaskOwners();
    const [one, two] = [server('one'), server('two')];
    owners.note(one, 't', ada);
    expect(owners.isForeign(two, 't', bob)).toBe(false);
    expect(owners.isForeign(one, 'other', bob)).toBe(false);
    expect(owners.ownersOf(two, 't')).toEqual(new Set());
  });

  it('may be several callers, where a server numbers the tasks of each session', () => {
    const owners = new TaskOwners();
    const one = server('one');
    for (const caller of [ada, adaToo, bob]) owners.note(one, '1', caller);
    expect([ada, adaToo, bob].every((caller) => owners.owns(one, '1', caller))).toBe(true);
    expect([ada, bob].some((caller) => owners.isForeign(one, '1', caller))).toBe(false);
    expect(owners.ownersOf(one, '1')).toEqual(new Set(['s1', 's2', 's3']));
  });

  it('is forgotten for the oldest tasks of a principal with too many, and of no other', () => {
    const owners = new TaskOwners();
    const one = server('one');
    owners.note(one, 'bob’s', bob);
    for (let i = 0; i <= MAX_TASKS; i++) owners.note(one, `t${i}`, ada);
    expect([owners.owns(one, 't0', ada), owners.owns(one, 't1', ada)]).toEqual([false, true]);
    expect(owners.isForeign(one, 'bob’s', ada)).toBe(true);
    expect(owners.ownedBy(ada, [one])).toHaveLength(MAX_TASKS);
  });

  it('finds its tasks in the order of creation, over all servers', () => {
    const owners = new TaskOwners();
    const [one, two] = [server('one'), server('two')];
    owners.note(one, 'a', ada);
    owners.note(two, 'b', ada);
    owners.note(two, 'c', adaToo);
    owners.note(one, 'd', ada);
    expect(owners.ownedBy(ada, [two, one]).map(({ taskId }) => taskId)).toEqual(['a', 'b', 'd']);
    expect(owners.ownedBy(ada, [two]).map(({ taskId }) => taskId)).toEqual(['b']);
  });
});
