/**
 * `tools/call` of a tool whose calls may outlive their client: tools of agents, workflows, and builtin tools that say so. Where the
 * client knows tasks, the call is a run that becomes one.
 * @module
 */

import type { Route } from '../../federation/types.ts';
import type { Subject } from '../../policy/types.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { toEra } from '../bridge/results.ts';
import type { RelayCall } from '../call.ts';
import type { Dispatcher } from '../dispatch.ts';
import { decidedParams, type Gate } from '../gate/gate.ts';
import type { RequestContext } from '../request-context.ts';
import type { UpstreamRequest } from '../sending.ts';
import { legacyTasks } from '../tasks/legacy-form.ts';
import { modernTasks } from '../tasks/modern-form.ts';
import type { CallResult } from '../types.ts';
import { resultObject } from '../types.ts';
import type { Run } from './run.ts';
import { asTask } from './run-tasks.ts';
import type { Runs } from './runs.ts';

/** Whether calls of this tool may become tasks of the gateway's own: tools of servers that have such runs, and builtin tools that say so. */
export const mayLast = ({ member, entry }: Pick<Route, 'member' | 'entry'>): boolean =>
  entry.lasts === true || (member.builtin && isOptional(entry.value.execution));

const isOptional = (execution: unknown): boolean => isObject(execution) && execution.taskSupport === 'optional';

/** Whether this call may become a task for its client. */
export function wantsTask({ caller, params }: RequestContext): boolean {
  if (caller.era === 'modern') return modernTasks.isKnownTo(caller);
  return isObject(params.task) && legacyTasks.isKnownTo(caller);
}

export interface LastingCall extends Pick<UpstreamRequest, 'member' | 'method' | 'params'> {
  subject: Subject;
  /** Params that no policy sees, added when the request is sent. */
  added: JsonObject;
  /** Makes what the server answers the result of the tool. */
  result(answer: JsonObject): JsonObject;
  prepare?(call: RelayCall): void;
  /** How the client names what it called, where that is no tool. */
  name?: string;
  /** Whether what the agent says is kept for readers of the run. */
  speaks?: boolean;
}

export class LastingCalls {
  readonly #dispatcher: Dispatcher;
  readonly #runs: Runs;
  readonly #gate: Gate | undefined;

  constructor(dispatcher: Dispatcher, runs: Runs, gate: Gate | undefined) {
    this.#dispatcher = dispatcher;
    this.#runs = runs;
    this.#gate = gate;
  }

  /** Rejects as the call does, while it has not become a task. */
  async call(context: RequestContext, request: LastingCall): Promise<CallResult> {
    const { caller } = context;
    const run = await this.begin(context, request);
    const answered = await asTask(context, run, this.#runs.limits.taskAfterMs);
    if (answered !== 'ended') return answered;
    if (run.error !== undefined) throw run.error;
    const value = run.record.result ?? {};
    return toEra(
      { value },
      { from: 'legacy', to: caller.era, shape: 'complete', serverInfo: undefined, structured: 'values' },
    );
  }

  /** Begins the call as a run, once policy has decided about it. Rejects where it does not begin. */
  async begin(context: RequestContext, request: LastingCall): Promise<Run> {
    const { caller, call: outer } = context;
    const { member, method, params, subject } = request;
    const decision = await this.#gate?.decide(context, subject, { method, params });
    const decided = decision?.changesArguments ? decidedParams({ method, params }, decision) : params;
    return this.#runs.begin({
      caller,
      tool: request.name ?? String(context.params.name),
      subject,
      progressToken: outer.progressToken,
      canBeAsked: true,
      speaks: request.speaks,
      // The endpoint of another protocol names itself as the client.
      via: request.speaks ? caller.clientInfo?.name : undefined,
      execute: async (call) => {
        call.decision = decision;
        call.trace = outer.trace;
        call.meta = outer.meta;
        request.prepare?.(call);
        try {
          const sent = { member, method, params: { ...decided, ...request.added } };
          const reply = await this.#dispatcher.exchange(call, sent);
          const answer = 'inputRequired' in reply ? reply.inputRequired : resultObject(reply);
          decision?.conclude();
          return request.result(answer);
        } catch (error) {
          decision?.conclude({ kind: 'error', error });
          throw error;
        }
      },
    });
  }
}
