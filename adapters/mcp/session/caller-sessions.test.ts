import { expect, test, vi } from 'vitest';
import type { Caller } from '../../../src/core/caller.ts';
import { fakeCaller, modernCaller } from '../../testing/call.ts';
import { CallerSessions } from './caller-sessions.ts';
import type { UpstreamSession } from './session.ts';

/** As much of a session as its bookkeeping looks at. */
function stub(owner: string | undefined) {
  const session = { owner, busy: 0, closed: 0, link: { close: vi.fn() }, fail: vi.fn(), close: vi.fn() };
  session.close.mockImplementation(async () => void session.closed++);
  return session;
}

function sessions(idleMs: number) {
  const opened: ReturnType<typeof stub>[] = [];
  const all = new CallerSessions(
    {
      name: 'fixture',
      limit: 10,
      idleMs,
      open: async (caller) => {
        const session = stub(caller?.key);
        opened.push(session);
        return session as unknown as UpstreamSession;
      },
      renewed() {},
      down() {},
    },
    stub(undefined) as unknown as UpstreamSession,
    true,
  );
  return { all, opened };
}

test('what a modern caller leaves idle is ended, unless it is busy; a legacy caller’s own ends with its client', async () => {
  const { all, opened } = sessions(60);
  for (const caller of [modernCaller({ key: 'idle' }), modernCaller({ key: 'busy' }), fakeCaller({ key: 'legacy' })]) {
    await all.of(caller);
  }
  const [idle, busy, legacy] = opened;
  if (busy) busy.busy = 1;
  await expect.poll(() => idle?.closed, { timeout: 5_000 }).toBe(1);
  if (busy) busy.busy = 0;
  await expect.poll(() => busy?.closed, { timeout: 5_000 }).toBe(1);
  expect(legacy?.closed).toBe(0);
  await all.of(modernCaller({ key: 'idle' }));
  expect(opened.length).toBe(4);
  await all.close(new Error('over'));
});

test('capabilities tell sessions of a modern caller apart, however long they are', async () => {
  const { all, opened } = sessions(60_000);
  const declaring = (text: string): Caller => modernCaller({ key: 'one', capabilities: { experimental: { text } } });
  for (const text of ['a', 'b', 'a', 'x'.repeat(5_000), 'y'.repeat(5_000), 'x'.repeat(5_000)])
    await all.of(declaring(text));
  expect(opened.length).toBe(4);
  await all.close(new Error('over'));
});
