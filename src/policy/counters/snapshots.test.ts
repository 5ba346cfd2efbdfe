import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FileStore } from '../../state/file-store.ts';
import { MemoryStore } from '../../state/memory-store.ts';
import type { Counters } from './counters.ts';
import { openCounters } from './open.ts';
import { DAY, MINUTE, passing, recorder, taken, use } from './testing/uses.ts';

const T = Date.UTC(2026, 10, 20, 12, 0, 0);
const folders: string[] = [];
const opened: Counters[] = [];

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'swb-counters-'));
  folders.push(made);
  return made;
}

async function openAt(state: MemoryStore | FileStore, now: number, log = recorder(), everyMs = 1): Promise<Counters> {
  const snapshots = { everyMs, maxChars: 100_000, maxPageChars: 1_000 };
  const counters = await openCounters({ log, state, clock: () => now, snapshots });
  opened.push(counters);
  return counters;
}

afterEach(async () => {
  for (const counters of opened.splice(0)) await counters.close();
  for (const made of folders.splice(0)) await rm(made, { recursive: true, force: true });
});

describe('counts on disk', () => {
  it('survive a restart, as far as their windows last', async () => {
    const at = await folder();
    const day = use({ key: 'day', windowMs: DAY });
    const sliding = use({ key: 'sliding', sliding: true });
    const before = await openAt(await FileStore.open(at, recorder()), T + 30_000, recorder(), 60_000);
    for (const one of [use(), day, sliding]) for (let i = 0; i < 2; i++) taken(before.reserve([one])).commit();
    await before.close();

    const soon = await openAt(await FileStore.open(at, recorder()), T + 40_000, recorder(), 60_000);
    expect([use(), day, sliding].map((one) => passing(soon, one))).toEqual([1, 1, 1]);
    await soon.close();

    const later = await openAt(await FileStore.open(at, recorder()), T + 95_000, recorder(), 60_000);
    expect([use(), day, sliding].map((one) => passing(later, one))).toEqual([3, 0, 2]);
  });

  it('are written soon after they change, without waiting for the end', async () => {
    const state = new MemoryStore();
    const counters = await openAt(state, T);
    expect(passing(counters, use())).toBe(3);
    await vi.waitFor(async () => expect(await state.entries('counters')).toHaveLength(1));
    const crashed = await openAt(state, T + 1);
    expect(crashed.reserve([use()]).granted).toBe(false);
  });

  it('are written together however many change, and in as many pages as they need', async () => {
    const state = new MemoryStore();
    const set = vi.spyOn(state, 'set');
    const counters = await openAt(state, T, recorder(), 20);
    for (let i = 0; i < 500; i++) taken(counters.reserve([use({ key: `k${i % 100}`, max: 9 })]));
    expect(set).not.toHaveBeenCalled();
    await counters.close();
    const pages = (await state.entries('counters')).length;
    expect(pages).toBeGreaterThan(3);
    expect(set).toHaveBeenCalledTimes(pages);
    const again = await openAt(state, T + 1);
    for (let i = 0; i < 100; i++) expect(passing(again, use({ key: `k${i}`, max: 9 }))).toBe(4);
  });

  it('drop pages that are needed no more', async () => {
    const state = new MemoryStore();
    const counters = await openAt(state, T);
    for (let i = 0; i < 100; i++) taken(counters.reserve([use({ key: `k${i}` })]));
    await counters.close();
    const later = await openAt(state, T + MINUTE);
    taken(later.reserve([use()]));
    await later.close();
    expect(await state.entries('counters')).toHaveLength(1);
  });

  it('are kept, for a window at most, when the clock was set back in between', async () => {
    const state = new MemoryStore();
    const before = await openAt(state, T);
    expect(passing(before, use())).toBe(3);
    await before.close();
    const after = await openAt(state, T - DAY);
    expect(passing(after, use())).toBe(0);
    expect(passing(after, use(), T - DAY + MINUTE)).toBe(3);
  });

  it('do not hold for a limit whose window was changed', async () => {
    const state = new MemoryStore();
    const before = await openAt(state, T);
    expect(passing(before, use())).toBe(3);
    await before.close();
    const after = await openAt(state, T + 1);
    expect(passing(after, use({ windowMs: 3_600_000 }))).toBe(3);
    expect(passing(after, use({ sliding: true }))).toBe(3);
    expect(passing(after, use())).toBe(0);
  });

  it.each([
    ['no page', 7],
    ['another format', { format: 2, counts: [] }],
    ['no pairs', { format: 1, counts: [1] }],
    ['an unknown kind of window', { format: 1, counts: [['x60000 k', [T, 1]]] }],
    ['no window', { format: 1, counts: [['c0 k', [T, 1]]] }],
    ['a negative count', { format: 1, counts: [['c60000 k', [T, -5]]] }],
    ['a sliding window out of order', { format: 1, counts: [['s60000 k', [T, T, 1, T - 9, T - 9, 1]]] }],
    ['text for a number', { format: 1, counts: [['c60000 k', [T, '1']]] }],
  ])('that are broken are told and start at nothing: %s', async (_what, page) => {
    const state = new MemoryStore();
    await state.set('counters', 'page-0', { format: 1, counts: [['c60000 grant:a calls', [T, 3]]] });
    await state.set('counters', 'page-1', page);
    const log = recorder();
    const counters = await openAt(state, T, log);
    expect(passing(counters, use())).toBe(3);
    expect(log.warnings).toEqual(['The counts of limits could not be read: they start at nothing.']);
  });

  it('in a file that is cut off start at nothing', async () => {
    const at = await folder();
    await writeFile(join(at, 'counters.json'), '{"format":1,"entries":[["page-0",');
    const log = recorder();
    const counters = await openAt(await FileStore.open(at, log), T, log);
    expect(passing(counters, use())).toBe(3);
    expect(log.warnings).toHaveLength(1);
  });

  it('that cannot be written are told once and counted on', async () => {
    const state = new MemoryStore();
    vi.spyOn(state, 'set').mockRejectedValue(new Error('disk full'));
    const log = recorder();
    const counters = await openAt(state, T, log);
    expect(passing(counters, use())).toBe(3);
    await vi.waitFor(() => expect(log.warnings).toHaveLength(1));
    expect(counters.reserve([use()]).granted).toBe(false);
    await counters.close();
    expect(log.warnings).toHaveLength(1);
  });
});
