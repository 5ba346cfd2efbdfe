import { afterEach, describe, expect, it, vi } from 'vitest';
import { recordingLog } from '../../../adapters/testing/context.ts';
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { LOCAL_IDENTITY } from '../../core/identity.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import type { RelayCall } from '../call.ts';
import type { UpstreamRequest } from '../sending.ts';
import type { Run } from './run.ts';
import { Runs, type RunsOptions } from './runs.ts';
import type { RunRecord } from './stored-runs.ts';

const CALLER: Caller = {
  key: 'ada',
  principal: 'ada',
  identity: LOCAL_IDENTITY,
  era: 'legacy',
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: undefined,
  logLevel: undefined,
  sessionId: undefined,
};
const ENDING = new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');

const open: Runs[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close(ENDING);
});

function runsOn(state = memoryState(recordingLog())): Runs {
  const made = new Runs({ state, log: recordingLog(), gate: undefined } as unknown as RunsOptions);
  open.push(made);
  return made;
}

const begin = (
  runs: Runs,
  {
    speaks = false,
    via = undefined as string | undefined,
    execute = async (_: RelayCall) => ({ content: [] as unknown[] }),
  } = {},
): Run =>
  runs.begin({
    ...{ caller: CALLER, tool: 'callAgent', progressToken: undefined, canBeAsked: false, speaks, via, execute },
    subject: { server: 's', section: 'agents', namespaced: 's/a' } as never,
  });

describe('the runs of a principal that have ended', () => {
  it('are kept, however many brief ones end after them, and are listed without those', async () => {
    const runs = runsOn();
    const kept = begin(runs);
    await kept.keep();
    await kept.ended;
    for (let i = 0; i < 250; i++) {
      const brief = begin(runs);
      await brief.keep(true);
      await brief.ended;
    }
    expect(await runs.find(kept.record.id, CALLER)).toMatchObject({ status: 'completed' });
    expect((await runs.ownedBy(CALLER)).map(({ id }) => id)).toEqual([kept.record.id]);
  });

  it('are kept, however many of another protocol end after them', async () => {
    const runs = runsOn();
    const finish = async (via: string | undefined): Promise<string> => {
      const run = begin(runs, { via });
      await run.keep();
      await run.ended;
      return run.record.id;
    };
    const first = new Map<string | undefined, string>();
    for (const via of [undefined, 'a2a', 'responses']) first.set(via, await finish(via));
    for (let i = 0; i < 200; i++) await finish('a2a');
    expect(await runs.find(first.get(undefined) as string, CALLER)).toMatchObject({ status: 'completed' });
    expect(await runs.find(first.get('responses') as string, CALLER)).toMatchObject({ status: 'completed' });
    expect(await runs.find(first.get('a2a') as string, CALLER)).toBeUndefined();
  });

  it('are soon gone from the state where they are brief, and are there as long as others once they have asked', async () => {
    const state = memoryState(recordingLog());
    const set = vi.spyOn(state.kv, 'set');
    const runs = runsOn(state);
    const [brief, asked] = [begin(runs), begin(runs)];
    await Promise.all([brief.keep(true), asked.keep(true)]);
    await asked.keep();
    await Promise.all([brief.ended, asked.ended]);
    const last = (id: string) => set.mock.calls.findLast(([, key]) => key === id)?.[3];
    await expect.poll(() => last(brief.record.id)).toBe(60_000);
    await expect.poll(() => last(asked.record.id)).toBe(runs.limits.keepRunsMs);
  });
});

describe('who waits for a change of a run', () => {
  /** A run that goes on, and how many listen to it. */
  function goingOn(): { runs: Runs; run: Run; listening: () => number } {
    const runs = runsOn();
    const run = begin(runs, {
      execute: (call) => new Promise((_, reject) => void call.onAbort(reject)),
    });
    const onChange = run.onChange.bind(run);
    let open = 0;
    vi.spyOn(run, 'onChange').mockImplementation((listener) => {
      const stop = onChange(listener);
      open++;
      return () => {
        open--;
        stop();
      };
    });
    return { runs, run, listening: () => open };
  }

  it('leaves nothing behind at it once the time is over, or waiting is', async () => {
    const { runs, run, listening } = goingOn();
    await runs.changed(run.record.id, 1);
    expect(listening()).toBe(0);
    const leaving = new AbortController();
    const waits = runs.changed(run.record.id, Number.POSITIVE_INFINITY, leaving.signal);
    expect(listening()).toBe(1);
    leaving.abort();
    await waits;
    expect(listening()).toBe(0);
  });

  it('is told its end, also afterwards', async () => {
    const { runs, run, listening } = goingOn();
    const waits = runs.changed(run.record.id, Number.POSITIVE_INFINITY);
    run.cancel('Enough.');
    await run.ended;
    await waits;
    await runs.changed(run.record.id, Number.POSITIVE_INFINITY);
    expect(listening()).toBe(0);
  });
});

describe('a run that is taken over', () => {
  it('is read from where its text begins here until its adapter has told another place', async () => {
    const state = memoryState(recordingLog());
    const first = { runId: 'r', after: 1, continues: true } as const;
    const record: Partial<RunRecord> = {
      ...{
        id: 'run_1',
        principal: 'ada',
        status: 'working',
        tool: 'callAgent',
        createdAt: 0,
        updatedAt: 0,
        keepMs: 1_000,
      },
      ...{ agent: { server: 's', key: 'a' }, ref: { ...first, after: 9 }, said: { section: 0, count: 8 } },
      ...{
        resume: { ref: first, section: 0, count: 2 },
        owner: { replica: 'gone', pid: 1, host: 'gone' },
        leaseUntil: 0,
      },
    };
    await state.kv.set('agent-runs', 'run_1', record as never);
    const member = { name: 's', upstream: {} };
    const federation = { whenSettled: () => undefined, member: () => member, onStateChange: () => () => {} };
    const read: unknown[] = [];
    const exchange = async (_: RelayCall, { params }: UpstreamRequest) => {
      read.push(params.run);
      if (read.length > 1) return { value: { status: 'completed', text: 'whole' } };
      member.upstream = {};
      throw new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'It is away.');
    };
    const runs = new Runs({
      state,
      log: recordingLog(),
      federation,
      dispatcher: { exchange },
    } as unknown as RunsOptions);
    open.push(runs);
    await runs.find('run_1', CALLER);
    await runs.live('run_1', CALLER)?.ended;
    expect(await runs.find('run_1', CALLER)).toMatchObject({ status: 'completed' });
    expect(read).toEqual([first, first]);
  });
});

describe('a run when the gateway ends', () => {
  /** How the call of a run looks to its adapter when it is aborted. */
  async function ended(prepare: (run: Run) => Promise<void> | void): Promise<[lasting: boolean, run: Run]> {
    const runs = runsOn();
    const lasting = Promise.withResolvers<boolean>();
    const run = begin(runs, {
      speaks: true,
      execute: (call) =>
        new Promise((_, reject) => {
          call.onAbort((reason) => {
            lasting.resolve(call.lasting);
            reject(reason);
          });
        }),
    });
    await prepare(run);
    runs.close(ENDING);
    await run.ended;
    return [await lasting.promise, run];
  }

  it('goes on at its server where its client finds it again', async () => {
    const [lasting, run] = await ended((begun) => begun.keep());
    expect([lasting, run.isOver, run.error]).toEqual([true, false, ENDING]);
  });

  it('ends where only a connection follows it, with that error', async () => {
    const [lasting, run] = await ended(() => {});
    expect([lasting, run.record.status, run.error]).toEqual([false, 'failed', ENDING]);
  });
});
