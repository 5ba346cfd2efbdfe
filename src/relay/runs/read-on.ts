/**
 * Reads a run on that another process began, to its end. A server that is lost meanwhile is waited for, and the run is looked for there
 * again: it goes on at the server.
 * @module
 */
import type { AgentCallResult, AgentRunRef } from '../../core/agent-call.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Federation, Member } from '../../federation/types.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { agentToolResult } from '../agents/outcome.ts';
import type { RelayCall } from '../call.ts';
import type { Dispatcher } from '../dispatch.ts';
import type { Gate } from '../gate/gate.ts';
import { resultObject } from '../types.ts';
import type { Execute } from './run.ts';
import { serverOf } from './run-server.ts';
import type { RunRecord } from './stored-runs.ts';

/** What the client of a run gets that ended with its process. */
export const lostRun = (): SwitchboardError =>
  new SwitchboardError(
    'SWB_AGENT_FAILED',
    'The gateway was restarted while this run went on, and its server cannot be asked for it again.',
  );

export interface ReadOnOptions {
  federation: Federation;
  dispatcher: Pick<Dispatcher, 'exchange'>;
  gate: Pick<Gate, 'attach'> | undefined;
}

/** `agent` is that of the record; its `ref` changes while the run is read. */
export function readOn(
  { federation, dispatcher, gate }: ReadOnOptions,
  record: RunRecord,
  { server, key, isTool }: NonNullable<RunRecord['agent']>,
): Execute {
  // How many pieces were said at this place is not known: readers have some of those behind it, and get the rest with the answer.
  const uncounted = record.said && !record.resume && record.ref?.continues ? record.ref : undefined;
  const attach = async (call: RelayCall, member: Member, run: AgentRunRef): Promise<JsonObject> => {
    const of = { member, original: key };
    if (isTool) call.tool = of;
    else call.agent = of;
    // What was decided when the run began is not known any more: what policy hides of answers now is hidden.
    call.decision = gate?.attach(call.caller, member, isTool ? 'tools' : 'agents', key);
    const sent = isTool
      ? { method: 'tools/attach', params: { name: key, run } }
      : { method: 'agents/attach', params: { agent: key, run, stream: run !== uncounted } };
    const reply = await dispatcher.exchange(call, { member, ...sent });
    const result = resultObject(reply as Exclude<typeof reply, { inputRequired: JsonObject }>);
    return isTool ? result : agentToolResult(of, result as AgentCallResult, Date.now() - record.createdAt);
  };
  return async (call) => {
    for (;;) {
      const member = await serverOf(federation, server, call.signal);
      const { upstream } = member;
      try {
        return await attach(call, member, record.ref ?? {});
      } catch (error) {
        if (codeOf(error) === 'SWB_NOT_SUPPORTED') throw lostRun();
        // The member of a server that is disconnected or changed is removed or replaced; its run is cancelled.
        const isLost = upstream !== undefined && federation.member(server) === member && member.upstream !== upstream;
        if (codeOf(error) !== 'SWB_UPSTREAM_UNAVAILABLE' || !isLost || call.aborted) throw error;
      }
    }
  };
}

const codeOf = (error: unknown): string | undefined => (error instanceof SwitchboardError ? error.code : undefined);
