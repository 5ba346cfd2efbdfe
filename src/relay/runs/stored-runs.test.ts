import { describe, expect, it } from 'vitest';
import { memoryState } from '../../state/memory/memory-state.ts';
import { recorder } from '../../state/testing/uses.ts';
import { type RunRecord, StoredRuns } from './stored-runs.ts';

const record = (owner: RunRecord['owner']): RunRecord => ({
  id: 'run_1',
  principal: 'ada',
  grant: 'ada',
  tool: 'callAgent',
  agent: undefined,
  ref: undefined,
  lent: undefined,
  status: 'working',
  message: undefined,
  asks: undefined,
  createdAt: 1,
  updatedAt: 1,
  keepMs: 60_000,
  result: undefined,
  owner,
  leaseUntil: Date.now() + 60_000,
});

describe('the record of a run', () => {
  it('is written by the replica that owns it, and by no other, until that one takes it over', async () => {
    const { kv } = memoryState(recorder());
    const [first, second] = [new StoredRuns(kv, 'replica1', recorder()), new StoredRuns(kv, 'replica2', recorder())];
    const own = record(first.owner);
    expect(await first.save(own)).toBe(true);
    expect(await second.save({ ...own, owner: second.owner, status: 'failed' })).toBe(false);
    expect(await first.get('run_1')).toMatchObject({ status: 'working', owner: { replica: 'replica1' } });

    const taken = (await second.get('run_1')) as RunRecord;
    expect([await second.claim(taken), await first.claim(taken)]).toEqual([true, false]);
    await second.take(taken);
    // The first one stood still, and goes on now.
    expect(await first.save({ ...own, status: 'failed' })).toBe(false);
    expect(await second.save({ ...taken, status: 'completed', result: {} })).toBe(true);
    expect(await first.get('run_1')).toMatchObject({ status: 'completed', owner: { replica: 'replica2' } });
    for (const each of [first, second]) each.close();
  });
});
