/**
 * Runs that another process of the gateway began: what they are known by, and how they ended. The server keeps a run and the
 * state of its thread, so both can be read at any time (`GET …/runs/{run}`, `GET …/state`).
 * @module
 */
import type { AgentRunRef } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject } from '../../src/wire/jsonrpc.ts';
import { pause } from '../shared/pause.ts';
import { type LanggraphApi, parseJson } from './api.ts';
import { cancelledElsewhere, httpFailure, notLanggraph } from './failure.ts';
import { type Interrupt, readInterrupt } from './interrupts.ts';
import type { RunEnd } from './run.ts';
import type { ThreadId } from './threads.ts';

const POLL_MS = 1_000;
const CONTROL_TIMEOUT_MS = 5_000;
const MOST_INTERRUPTS = 100;

export const refOf = (thread: ThreadId, runId: string): AgentRunRef => ({
  runId,
  threadId: thread.server,
  thread: { ...thread },
});

/** What {@link refOf} made. */
export function readRef(ref: unknown): { runId: string; thread: ThreadId } {
  const { runId, thread } = isObject(ref) ? ref : {};
  if (typeof runId !== 'string' || !isObject(thread) || typeof thread.server !== 'string') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'run must be what the call was told when it began.');
  }
  return { runId, thread: thread as unknown as ThreadId };
}

interface Began {
  agent: string;
  runId: string;
  thread: string;
}

/** Waits for the end of a run. An abort cancels it at the server, unless the gateway is shutting down. */
export async function untilEnded(api: LanggraphApi, { agent, runId, thread }: Began, call: Call): Promise<RunEnd> {
  const path = `/threads/${thread}/runs/${runId}`;
  try {
    for (;;) {
      const reply = await api.reply('GET', path, undefined, call.signal);
      if (reply.status === 404) {
        throw new SwitchboardError(
          'SWB_AGENT_FAILED',
          `Server '${api.name}' does not know this run of '${agent}' any more.`,
        );
      }
      if (reply.status !== 200) throw httpFailure(api.name, reply);
      const run = parseJson(reply.body, api.name);
      const status = isObject(run) ? run.status : undefined;
      if (status === 'success' || status === 'interrupted')
        return await endOf(api, { agent, runId, thread }, status, call);
      if (status === 'error') throw new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' failed.`);
      if (status === 'timeout') {
        throw new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' ran out of its server's time.`);
      }
      if (status !== 'running' && status !== 'pending') throw notLanggraph(api.name);
      call.alive?.();
      await pause(call, POLL_MS);
    }
  } catch (error) {
    if (call.aborted && !isShutdown(call.signal.reason)) {
      await api.reply('POST', `${path}/cancel`, undefined, AbortSignal.timeout(CONTROL_TIMEOUT_MS)).catch(() => {});
    }
    throw error;
  }
}

async function endOf(api: LanggraphApi, { agent, runId, thread }: Began, status: string, call: Call): Promise<RunEnd> {
  const state = await api.json('GET', `/threads/${thread}/state`, undefined, call.signal);
  const { values, tasks, next } = isObject(state) ? state : {};
  const interrupts: Interrupt[] = (Array.isArray(tasks) ? tasks : [])
    .flatMap((task) => (isObject(task) && Array.isArray(task.interrupts) ? task.interrupts : []))
    .slice(0, MOST_INTERRUPTS)
    .map(readInterrupt);
  const waits = interrupts.length > 0 || (Array.isArray(next) && next.length > 0);
  // LangGraph gives a cancelled run the status `interrupted` as well; it has no interrupts.
  if (status === 'interrupted' && interrupts.length === 0) throw cancelledElsewhere(agent);
  return { runId, values, interrupts, stopped: waits };
}

const isShutdown = (reason: unknown): boolean =>
  reason instanceof SwitchboardError && reason.code === 'SWB_SHUTTING_DOWN';
