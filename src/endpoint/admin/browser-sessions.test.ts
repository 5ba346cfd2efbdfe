import { describe, expect, it, vi } from 'vitest';
import { sha256 } from '../../core/hash.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import { silentLog } from '../testing/http.ts';
import { BrowserSessions } from './browser-sessions.ts';

const HOUR = 60 * 60_000;
const ADA = { principal: 'https://login.example#7', name: 'ada', mayChange: true };

function sessionsAt() {
  let now = 0;
  const { kv } = memoryState(silentLog);
  const replica = (token = 'the admin token', login?: string): BrowserSessions =>
    new BrowserSessions({ kv, token, login, now: () => now });
  return {
    kv,
    sessions: replica(),
    replica,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

describe("an operator's session", () => {
  it('is open for the cookie and the key of one session together, in every replica', async () => {
    const { sessions, replica } = sessionsAt();
    const other = replica();
    const [one, two] = [await sessions.open(), await sessions.open()];
    for (const each of [sessions, other]) {
      expect(await each.isOpen(one.cookie, one.key)).toBe(true);
      expect(await each.isOpen(one.cookie, two.key)).toBe(false);
      expect(await each.isOpen(one.key, one.cookie)).toBe(false);
    }
    await other.close(one.cookie);
    expect(await sessions.isOpen(one.cookie, one.key)).toBe(false);
    expect(await sessions.isOpen(two.cookie, two.key)).toBe(true);
  });

  it('ends with the admin token it was opened with', async () => {
    const { sessions, replica } = sessionsAt();
    const { cookie, key } = await sessions.open();
    const link = await sessions.newLink();
    const changed = replica('another token');
    expect(await changed.isOpen(cookie, key)).toBe(false);
    expect(await changed.useLink(link)).toBe(false);
  });

  it('is kept as digests', async () => {
    const { sessions, kv } = sessionsAt();
    const { cookie, key } = await sessions.open();
    const link = await sessions.newLink();
    const kept = JSON.stringify([await kv.entries('admin-sessions'), await kv.entries('admin-links')]);
    for (const secret of [cookie, key, link, 'the admin token']) expect(kept).not.toContain(secret);
  });

  it('is none where another process wrote it into the state', async () => {
    const { sessions, kv } = sessionsAt();
    const { cookie, key } = await sessions.open();
    const link = await sessions.newLink();
    const [[, record]] = (await kv.entries('admin-sessions')) as [[string, object]];
    const [[, linked]] = (await kv.entries('admin-links')) as [[string, object]];
    const id = (code: string): string => sha256(code);
    const forged = { ...record, key: id('my key') };
    for (const session of [record, forged, { ...record, openedAt: 1 }, { ...record, operator: ADA }]) {
      await kv.set('admin-sessions', id('my cookie'), session as never);
      expect(await sessions.isOpen('my cookie', 'my key')).toBe(false);
      expect(await sessions.isOpen('my cookie', key)).toBe(false);
    }
    await kv.set('admin-sessions', id(cookie), { ...record, key: id('my key') } as never);
    expect(await sessions.isOpen(cookie, 'my key')).toBe(false);
    await kv.set('admin-links', id('my link'), linked as never);
    expect(await sessions.useLink('my link')).toBe(false);
    await kv.set('admin-links', id(link), { ...linked, expiresAt: 1e15 } as never);
    expect(await sessions.useLink(link)).toBe(false);
  });

  it('is none while the state is away', async () => {
    const { sessions, kv } = sessionsAt();
    const { cookie, key } = await sessions.open();
    vi.spyOn(kv, 'get').mockRejectedValue(new Error('away'));
    await expect(sessions.isOpen(cookie, key)).rejects.toThrow('away');
    vi.restoreAllMocks();
  });

  it('ends two hours after its last use, and twelve hours after its beginning', async () => {
    const { sessions, replica, pass } = sessionsAt();
    const idle = await sessions.open();
    const used = await sessions.open();
    pass(1.5 * HOUR);
    expect(await sessions.isOpen(used.cookie, used.key)).toBe(true);
    pass(HOUR);
    expect(await sessions.isOpen(idle.cookie, idle.key)).toBe(false);
    for (let hours = 2.5; hours < 12; hours++) {
      // Used here and there.
      const somewhere = hours % 2 < 1 ? sessions : replica();
      expect(await somewhere.isOpen(used.cookie, used.key)).toBe(true);
      pass(HOUR);
    }
    expect(await sessions.isOpen(used.cookie, used.key)).toBe(false);
  });

  it('gives way to newer ones where there are too many, the longest unused first', async () => {
    const { sessions, pass } = sessionsAt();
    const first = await sessions.open();
    const second = await sessions.open();
    for (let i = 0; i < 62; i++) await sessions.open();
    pass(HOUR);
    expect(await sessions.isOpen(first.cookie, first.key)).toBe(true);
    await sessions.open();
    expect(await sessions.isOpen(first.cookie, first.key)).toBe(true);
    expect(await sessions.isOpen(second.cookie, second.key)).toBe(false);
  });
});

describe('a session of a person who has logged in at the provider', () => {
  const ada = ADA;
  const LOGIN = 'provider and rules';

  it('is theirs, in every replica, also where the admin token is another one', async () => {
    const { replica } = sessionsAt();
    const sessions = replica('a token', LOGIN);
    const { cookie, key } = await sessions.open(ada);
    expect(await replica('another token', LOGIN).operatorOf(cookie, key)).toEqual(ada);
    const byToken = await sessions.open();
    expect(await sessions.operatorOf(byToken.cookie, byToken.key)).toMatchObject({ principal: 'admin' });
  });

  it('ends for no other, however many sessions one opens', async () => {
    const { replica } = sessionsAt();
    const sessions = replica('a token', LOGIN);
    const [holder, first] = [await sessions.open(), await sessions.open(ada)];
    const bob = { ...ada, principal: 'https://login.example#9' };
    const opened = [];
    for (let i = 0; i < 70; i++) opened.push(await sessions.open(bob));
    expect(await sessions.isOpen(holder.cookie, holder.key)).toBe(true);
    expect(await sessions.operatorOf(first.cookie, first.key)).toEqual(ada);
    const open = await Promise.all(opened.map(({ cookie, key }) => sessions.isOpen(cookie, key)));
    expect(open.filter(Boolean)).toHaveLength(64);
    expect(open.at(-1)).toBe(true);
  });

  it('makes no other person of its own, and none of one who may only look', async () => {
    const { replica, kv } = sessionsAt();
    const sessions = replica('a token', LOGIN);
    const { cookie, key } = await sessions.open({ ...ada, mayChange: false });
    const [[id, record]] = (await kv.entries('admin-sessions')) as [[string, object]];
    for (const operator of [ada, { ...ada, principal: 'https://login.example#8', mayChange: false }, undefined]) {
      await kv.set('admin-sessions', id, { ...record, operator: operator ?? null });
      expect(await sessions.operatorOf(cookie, key)).toBeUndefined();
    }
    const arrived = await sessions.arrive({ ...ada, mayChange: false });
    const [[code, arrival]] = (await kv.entries('admin-arrivals')) as [[string, object]];
    await kv.set('admin-arrivals', code, { ...arrival, operator: ada });
    expect(await sessions.useArrival(arrived.code, arrived.cookie)).toBeUndefined();
  });

  it('ends with the configuration that let the person in', async () => {
    const { replica } = sessionsAt();
    const { cookie, key } = await replica('a token', LOGIN).open(ada);
    const arrived = await replica('a token', LOGIN).arrive(ada);
    for (const other of [replica('a token', 'other rules'), replica('a token')]) {
      expect(await other.operatorOf(cookie, key)).toBeUndefined();
    }
    expect(await replica('a token').useArrival(arrived.code, arrived.cookie)).toBeUndefined();
    await expect(replica('a token').open(ada)).rejects.toThrow();
  });

  it('is opened by the code and the cookie of one arrival together, once, within a minute', async () => {
    const { replica, pass, kv } = sessionsAt();
    const sessions = replica('a token', LOGIN);
    const [one, two, late] = [await sessions.arrive(ada), await sessions.arrive(ada), await sessions.arrive(ada)];
    const kept = JSON.stringify(await kv.entries('admin-arrivals'));
    for (const secret of [one.code, one.cookie]) expect(kept).not.toContain(secret);
    expect(await sessions.useLink(one.code)).toBe(false);
    expect(await sessions.useArrival(one.code, one.cookie)).toEqual(ada);
    expect(await sessions.useArrival(one.code, one.cookie)).toBeUndefined();
    expect(await sessions.useArrival(two.code, one.cookie)).toBeUndefined();
    expect(await sessions.useArrival(two.code, two.cookie)).toBeUndefined();
    pass(60_000);
    expect(await sessions.useArrival(late.code, late.cookie)).toBeUndefined();
  });

  it('is not kept open by what only reads it', async () => {
    const { replica, pass } = sessionsAt();
    const sessions = replica('a token', LOGIN);
    const { cookie, key } = await sessions.open(ada);
    for (let half = 0; half < 3; half++) {
      expect(await sessions.operatorOf(cookie, key, false)).toEqual(ada);
      pass(0.5 * HOUR);
    }
    pass(0.5 * HOUR);
    expect(await sessions.operatorOf(cookie, key, false)).toBeUndefined();
  });
});

it('a link opens a session once, within ten minutes', async () => {
  const { sessions, replica, pass } = sessionsAt();
  const code = await sessions.newLink();
  expect(await replica().useLink(code)).toBe(true);
  expect(await sessions.useLink(code)).toBe(false);
  const late = await sessions.newLink();
  pass(10 * 60_000);
  expect(await sessions.useLink(late)).toBe(false);
  expect(await sessions.useLink('')).toBe(false);
});
