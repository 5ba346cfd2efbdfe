import { randomUUID } from 'node:crypto';
import type { Task } from '@a2a-js/sdk';
import type { ServerCallContext } from '@a2a-js/sdk/server';
import { describe, expect, it } from 'vitest';
import { recordingLog } from '../../../../adapters/testing/context.ts';
import { AGENT_META } from '../../../core/agent-tool.ts';
import { SwitchboardError } from '../../../core/errors.ts';
import { LOCAL_IDENTITY } from '../../../core/identity.ts';
import { Said } from '../../../relay/runs/said.ts';
import { memoryState } from '../../../state/memory/memory-state.ts';
import { Kept } from '../kept.ts';
import type { AgentRuns } from '../turn.ts';
import { RUN_META, STATE } from './events.ts';
import { loadSdk } from './sdk.ts';
import { KeptTasks } from './tasks.ts';

const USER = { isAuthenticated: true, userName: 'ada', identity: LOCAL_IDENTITY, sends: false, pace: undefined };
const CONTEXT = { user: USER } as unknown as ServerCallContext;

/** Runs of another process: the record of each can be read so often, and then the state is away. `open`: how many are heard. */
function runsOf(reads: Record<string, number>) {
  const left = { ...reads };
  const heard = { open: 0, most: 0 };
  const runs = {
    isClosed: false,
    live: () => undefined,
    asksOf: () => undefined,
    find: async (id: string) => {
      left[id] = (left[id] ?? 0) - 1;
      if (left[id] < 0) throw new SwitchboardError('SWB_STATE', 'The state is away.');
      return { id, status: 'working', owner: { replica: 'there' }, said: { section: 0, count: 0 } };
    },
    hear: () => {
      heard.most = Math.max(heard.most, ++heard.open);
      return { said: new Said(), known: Promise.resolve(), from() {}, close: () => void heard.open-- };
    },
  };
  return { runs: runs as unknown as AgentRuns, heard };
}

async function tasksOn(runs: AgentRuns, ids: readonly string[]): Promise<KeptTasks> {
  const { kv } = memoryState(recordingLog());
  const kept = (namespace: string) => new Kept({ kv, namespace, keepMs: 60_000, most: 30, log: recordingLog() });
  const tasks = new KeptTasks(await loadSdk(), { kept: kept('tasks'), runs, threads: kept('threads') });
  for (const id of ids) {
    const status = { state: STATE.WORKING, message: undefined, timestamp: new Date().toISOString() };
    const more = { contextId: randomUUID(), artifacts: [], history: [] };
    await tasks.save({ id, status, ...more, metadata: { [RUN_META]: id } } as Task, CONTEXT);
  }
  return tasks;
}

const LIST = { contextId: '', status: 0, pageToken: '', tenant: '' } as never;

describe('tasks whose runs another process reads', () => {
  it('are heard no more once they are listed', async () => {
    const { runs, heard } = runsOf({ a: 10, b: 10 });
    expect((await (await tasksOn(runs, ['a', 'b'])).list(LIST, CONTEXT)).totalSize).toBe(2);
    expect(heard).toMatchObject({ open: 0, most: expect.any(Number) });
    expect(heard.most).toBeGreaterThan(0);
  });

  it.each([2, 3])('are heard no more where the state is away after %i reads', async (reads) => {
    const { runs, heard } = runsOf({ a: reads });
    await expect((await tasksOn(runs, ['a'])).standing('a', CONTEXT)).rejects.toMatchObject({ code: 'SWB_STATE' });
    expect(heard).toEqual({ open: 0, most: 1 });
  });

  it('are heard no more where one of a list cannot be read', async () => {
    const { runs, heard } = runsOf({ a: 10, b: 0 });
    await expect((await tasksOn(runs, ['a', 'b'])).list(LIST, CONTEXT)).rejects.toMatchObject({ code: 'SWB_STATE' });
    await expect.poll(() => heard).toEqual({ open: 0, most: 1 });
  });
});

describe('a task', () => {
  it('is there at the address of its agent alone', async () => {
    const { runs } = runsOf({ a: 10 });
    const tasks = await tasksOn(runs, []);
    const at = (agent: string, sends = false) => ({ user: { ...USER, agent, sends } }) as unknown as ServerCallContext;
    const status = { state: STATE.WORKING, message: undefined, timestamp: undefined };
    const metadata = { [RUN_META]: 'a', [AGENT_META]: 's/one' };
    await tasks.save({ id: 'a', contextId: 'c', status, artifacts: [], history: [], metadata } as Task, at('s/one'));
    for (const sends of [false, true]) {
      expect(await tasks.load('a', at('s/one', sends))).toMatchObject({ id: 'a' });
      expect(await tasks.load('a', at('s/two', sends))).toBeUndefined();
    }
    expect((await tasks.list(LIST, at('s/one'))).totalSize).toBe(1);
    expect((await tasks.list(LIST, at('s/two'))).totalSize).toBe(0);
  });
});
