import { expect, it } from 'vitest';
import type { MemoryValue } from '../../src/core/server-memory.ts';
import { fakeCall } from '../testing/call.ts';
import { fakeMemory } from '../testing/context.ts';
import type { MastraApi } from './api.ts';
import type { Pending } from './turn.ts';
import { WaitingRuns } from './waiting.ts';

const pending = (runId: string): Pending => ({
  type: 'tool-approval',
  runId,
  toolCallId: 't',
  toolName: 'x',
  args: {},
  payload: undefined,
  schema: undefined,
});
const as = (principal: string) => fakeCall({ caller: { principal } });

/** A server whose list of suspended runs has these, by resource. */
function serverWith(runs: Record<string, string>): MastraApi {
  const getFor = async (_call: unknown, _path: unknown, query: string) => {
    const resource = new URLSearchParams(query).get('resourceId');
    const found = Object.entries(runs).filter(([, of]) => resource === null || of === resource);
    const body = {
      runs: found.map(([runId]) => ({
        runId,
        toolCalls: [{ toolCallId: 't', toolName: 'x', args: {}, requiresApproval: true }],
      })),
    };
    return { status: 200, headers: {}, body: Buffer.from(JSON.stringify(body)) };
  };
  return { getFor } as unknown as MastraApi;
}

it('a run that waits is decided once, by its principal, also in another process', async () => {
  const kept = new Map<string, MemoryValue>();
  await new WaitingRuns(fakeMemory(kept), serverWith({})).add('a', 'ann', [pending('r')]);
  const runs = new WaitingRuns(fakeMemory(kept), serverWith({}));
  expect(await runs.take('a', 'r', 't', as('bob'))).toBe(false);
  expect(await runs.take('b', 'r', 't', as('ann'))).toBe(false);
  expect(await runs.of('a', as('ann'))).toEqual([expect.objectContaining({ runId: 'r', toolName: 'x' })]);
  expect(await runs.of('a', as('bob'))).toEqual([]);
  expect(await runs.take('a', 'r', 't', as('ann'))).toBe(true);
  expect(await runs.take('a', 'r', 't', as('ann'))).toBe(false);
});

it('a run that is no longer remembered is found at the server, by its resource, and decided once', async () => {
  const server = serverWith({ own: 'switchboard:ann', other: 'switchboard:bob', none: '' });
  const runs = new WaitingRuns(fakeMemory(), server);
  expect(await runs.take('a', 'other', 't', as('ann'))).toBe(false);
  expect(await runs.take('a', 'none', 't', as('ann'))).toBe(false);
  const both = await Promise.all([runs.take('a', 'own', 't', as('ann')), runs.take('a', 'own', 't', as('ann'))]);
  expect(both.sort()).toEqual([false, true]);
  expect(await runs.take('a', 'none', 't', as('local'))).toBe(true);
});

it('a decision that did not leave can be made again', async () => {
  const runs = new WaitingRuns(fakeMemory(), serverWith({}));
  await runs.add('a', 'ann', [pending('r')]);
  expect(await runs.take('a', 'r', 't', as('ann'))).toBe(true);
  await runs.giveBack('a', 'r', 't', 'ann');
  expect(await runs.take('a', 'r', 't', as('ann'))).toBe(true);
});
