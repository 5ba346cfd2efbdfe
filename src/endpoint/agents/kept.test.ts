import { describe, expect, it, vi } from 'vitest';
import { recordingLog } from '../../../adapters/testing/context.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import type { KeyValue } from '../../state/state.ts';
import { Kept, MAX_KEPT_BYTES } from './kept.ts';

const keptOn = (kv: KeyValue = memoryState(recordingLog()).kv, most = 30): Kept =>
  new Kept({ kv, namespace: 'things', keepMs: 60_000, most, log: recordingLog() });

describe('what is kept for a principal', () => {
  it('is there for every process on the state, and for no other principal', async () => {
    const { kv } = memoryState(recordingLog());
    const long = 'x'.repeat(5_000);
    await keptOn(kv).set('ann', long, { n: 1 });
    const kept = keptOn(kv);
    expect(await kept.get('ann', long)).toEqual({ n: 1 });
    expect([await kept.get('bob', long), await kept.all('bob')]).toEqual([undefined, []]);
    await kept.delete('bob', long);
    expect(await kept.all('ann')).toEqual([{ n: 1 }]);
    await kept.delete('ann', long);
    expect(await kept.get('ann', long)).toBeUndefined();
  });

  it('is the latest, in number and in bytes, and takes nothing from others', async () => {
    const kept = keptOn();
    await kept.set('bob', 'own', 'his');
    for (let i = 0; i < 100; i++) await kept.set('ann', `${i}`, i);
    const values = await kept.all('ann');
    expect(values.length).toBeLessThanOrEqual(30);
    expect(values.at(-1)).toBe(99);
    for (let i = 0; i < 8; i++) await kept.set('ann', `large ${i}`, 'x'.repeat(400_000));
    const bytes = (await kept.all('ann')).reduce<number>((sum, value) => sum + JSON.stringify(value).length, 0);
    expect(bytes).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(await kept.get('bob', 'own')).toBe('his');
  });

  it('is whole for the process that has it, and shortened for others, where it is too large', async () => {
    const { kv } = memoryState(recordingLog());
    const [here, there] = [keptOn(kv), keptOn(kv)];
    const large = 'x'.repeat(MAX_KEPT_BYTES);
    await here.set('ann', 'a', large, (bytes) => `${bytes} bytes`);
    expect(await here.get('ann', 'a')).toBe(large);
    expect(await there.get('ann', 'a')).toBe(`${MAX_KEPT_BYTES + 2} bytes`);
    await here.set('ann', 'a', 'short now');
    expect(await here.get('ann', 'a')).toBe('short now');
  });

  it('is this process’s alone while the state takes nothing', async () => {
    const { kv } = memoryState(recordingLog());
    vi.spyOn(kv, 'set').mockRejectedValue(new SwitchboardError('SWB_STATE', 'full'));
    const kept = keptOn(kv);
    await kept.set('ann', 'a', 1);
    expect(await kept.get('ann', 'a')).toBe(1);
    expect(await kept.all('ann')).toEqual([1]);
  });
});
