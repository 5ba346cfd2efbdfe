/**
 * `tools/call` of a tool that stands for an agent: its arguments as a turn with the agent, dispatched as that turn, and its
 * answer as the result of a tool. Policy, queue and time are those of the agent, as for `callAgent`.
 * @module
 */
import { AGENT_TOOL_ARGUMENTS } from '../../core/agent-tool.ts';
import { RPC, SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { shorten } from '../../core/text.ts';
import type { Entry, Reply } from '../../core/upstream.ts';
import type { Member, Route } from '../../federation/types.ts';
import { Denied } from '../../policy/denied.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { ownResult } from '../bridge/results.ts';
import type { Dispatcher } from '../dispatch.ts';
import { subjectOf } from '../gate/subjects.ts';
import type { RequestContext } from '../request-context.ts';
import { type LastingCalls, wantsTask } from '../runs/lasting-calls.ts';
import { argumentsResult, failureResult } from '../tool-failures.ts';
import { type CallResult, resultObject } from '../types.ts';
import { agentToolResult } from './outcome.ts';
import { PATH_META, type PathOf } from './path.ts';

/** The agent that the tool stands for. */
export interface AgentToolRoute {
  member: Member;
  /** The agent's key. */
  original: string;
  entry: Entry;
}

/** Undefined: the tool is the server's own. */
export const agentOf = ({ member, entry: { agent } }: Route): AgentToolRoute | undefined =>
  agent && { member, original: agent.key, entry: agent };

interface Ways {
  dispatcher: Dispatcher;
  lasting: LastingCalls;
  pathOf: PathOf;
}

export async function callAgentTool(
  { dispatcher, lasting, pathOf }: Ways,
  context: RequestContext,
  agent: AgentToolRoute,
): Promise<CallResult> {
  const { call, caller, params } = context;
  const { member, original } = agent;
  const given = isObject(params.arguments) ? params.arguments : {};
  const problems = problemsOf(given, agent);
  if (problems.length > 0) return ownResult(argumentsResult(String(params.name), problems), caller.era);
  const started = performance.now();
  try {
    const added = { agent: original, _meta: { [PATH_META]: pathOf(call, agent) } };
    if (wantsTask(context) && !isRound(params)) {
      return await lasting.call(context, {
        member,
        method: 'agents/call',
        subject: subjectOf('agents', agent),
        params: turnOf(given, true),
        added,
        result: (result) => agentToolResult(agent, result, Math.round(performance.now() - started)),
        prepare: (running) => {
          running.agent = agent;
        },
      });
    }
    return await dispatcher.dispatch(context, {
      member,
      method: 'agents/call',
      subject: subjectOf('agents', agent),
      params: { ...turnOf(given, call.wantsProgress), ...continuationOf(params) },
      shape: 'complete',
      structured: 'values',
      send: (running, turn) =>
        dispatcher.send(running, { member, method: 'agents/call', params: { ...turn, ...added } }),
      answer: (reply) => toolReply(agent, reply, Math.round(performance.now() - started)),
    });
  } catch (error) {
    if (!isForModel(error) || call.aborted) throw error;
    return ownResult(failureResult(error), caller.era);
  }
}

/** Failures of the agent and its server. Denials have a form of their own, and what only the client can mend is an error. */
function isForModel(error: unknown): error is SwitchboardError | UpstreamError {
  if (error instanceof UpstreamError) {
    return error.rpcCode !== RPC.missingClientCapability && error.rpcCode !== RPC.urlElicitationRequired;
  }
  return error instanceof SwitchboardError && !(error instanceof Denied) && !PROTOCOL.has(error.code);
}

/** About the request, and not about the agent. */
const PROTOCOL: ReadonlySet<string> = new Set([
  'SWB_MISSING_CLIENT_CAPABILITY',
  'SWB_UNKNOWN_TOOL',
  'SWB_CANCELLED',
  'SWB_SHUTTING_DOWN',
  'SWB_UNAUTHENTICATED',
  // Its person can log in, and then the call is sent again.
  'SWB_LOGIN_NEEDED',
]);

const toolReply = (agent: AgentToolRoute, reply: Reply, elapsedMs: number): Reply =>
  'inputRequired' in reply ? reply : { value: agentToolResult(agent, resultObject(reply), elapsedMs) };

const isRound = ({ requestState }: JsonObject): boolean => requestState !== undefined;

/** What a modern client sends back with a round. */
function continuationOf({ requestState, inputResponses }: JsonObject): JsonObject {
  return {
    ...(requestState === undefined ? {} : { requestState }),
    ...(inputResponses === undefined ? {} : { inputResponses }),
  };
}

/** Params of `agents/call`, without the agent. Also for `policy explain`, which is given the arguments of the tool. */
export function turnOf(given: JsonObject, stream: boolean): JsonObject {
  const { message, ...rest } = given;
  const turn: JsonObject = { messages: message === undefined ? [] : [{ role: 'user', content: message }], stream };
  for (const name of AGENT_TOOL_ARGUMENTS) if (rest[name] !== undefined) turn[name] = rest[name];
  return turn;
}

interface Problem {
  path: string;
  problem: string;
}

const MAX_ID = 512;

function problemsOf(given: JsonObject, { member, entry }: AgentToolRoute): Problem[] {
  const problems: Problem[] = [];
  const wrong = (path: string, found: unknown, allowed: string): void => {
    problems.push({ path, problem: `found ${typeName(found)}; allowed: ${allowed}` });
  };
  for (const name of Object.keys(given)) {
    if ((AGENT_TOOL_ARGUMENTS as readonly string[]).includes(name)) continue;
    problems.push({
      path: shorten(name, 60),
      problem: `found an unknown argument; allowed: ${AGENT_TOOL_ARGUMENTS.join(', ')}`,
    });
    if (problems.length >= MAX_PROBLEMS) return problems;
  }
  const { message, input, options } = given;
  if (message !== undefined && (typeof message !== 'string' || message === '')) wrong('message', message, 'a text');
  for (const name of ['threadId', 'resourceId'] as const) {
    const id = given[name];
    const isId = typeof id === 'string' && id !== '' && id.length <= MAX_ID;
    if (id !== undefined && !isId) wrong(name, id, `a text of at most ${MAX_ID} characters`);
  }
  if (options !== undefined && !isObject(options)) wrong('options', options, 'an object');
  const goesOn = member.upstream && isObject(options) && isContinuation(options);
  if (message === undefined && input === undefined && !goesOn && problems.length === 0) {
    const { takesMessages, inputSchema } = entry.value;
    if (takesMessages === false) wrong('input', undefined, "what the agent works on, by the tool's schema");
    else wrong('message', undefined, inputSchema ? 'a text, or data in input' : 'a text');
  }
  return problems;

  function isContinuation(named: JsonObject): boolean {
    return (member.continuations?.() ?? []).some((name) => Object.hasOwn(named, name));
  }
}

const MAX_PROBLEMS = 20;

function typeName(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === '') return 'an empty text';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : typeof value;
}
