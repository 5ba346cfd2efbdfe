/**
 * Names and values of OpenTelemetry's conventions for MCP, shared by metrics and spans. Values are bounded: what a client or
 * a server may choose freely becomes `_OTHER`.
 * Source: open-telemetry/semantic-conventions-genai, docs/gen-ai/mcp.md.
 * @module
 */
import { ERROR_TABLE, type ErrorCode, errorCodeOf, RPC } from '../../core/errors.ts';
import { SUPPORTED_REVISIONS } from '../../wire/eras.ts';

export const SCOPE = 'agent-switchboard';

export const ATTRIBUTE = {
  method: 'mcp.method.name',
  tool: 'gen_ai.tool.name',
  prompt: 'gen_ai.prompt.name',
  agent: 'gen_ai.agent.name',
  operation: 'gen_ai.operation.name',
  error: 'error.type',
  status: 'rpc.response.status_code',
  requestId: 'jsonrpc.request.id',
  protocol: 'mcp.protocol.version',
  transport: 'network.transport',
  address: 'server.address',
  port: 'server.port',
  server: 'switchboard.server',
} as const;

/** Of durations, in seconds. */
export const DURATION_BOUNDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300] as const;

export const OTHER = '_OTHER';

const METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'server/discover',
  'ping',
  'logging/setLevel',
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'completion/complete',
  'tasks/get',
  'tasks/cancel',
  'tasks/list',
  'tasks/result',
  'tasks/update',
  'elicitation/create',
  'sampling/createMessage',
  'roots/list',
  'agents/call',
  'agents/attach',
  'tools/attach',
  'agents/describe',
]);

export const methodOf = (method: string): string => (METHODS.has(method) ? method : OTHER);

const REVISIONS: ReadonlySet<string> = new Set(SUPPORTED_REVISIONS);

/** Undefined for a version that is none of MCP's: other protocols have their own. */
export const revisionOf = (version: string | undefined): string | undefined =>
  version !== undefined && REVISIONS.has(version) ? version : undefined;

const RPC_CODES: ReadonlySet<number> = new Set(Object.values(RPC));

/** `tool_error`, an `SWB_…` name, the number of a defined JSON-RPC error, or `_OTHER`; undefined for success. */
export function errorTypeOf(error: unknown, toolError: boolean): string | undefined {
  if (error === undefined) return toolError ? 'tool_error' : undefined;
  const code = errorCodeOf(error);
  return typeof code === 'string' ? code : RPC_CODES.has(code) ? String(code) : OTHER;
}

/** The number of the JSON-RPC error that an {@link errorTypeOf} stands for, where it stands for one. */
export function statusOf(errorType: string | undefined): string | undefined {
  if (errorType === undefined || errorType === 'tool_error' || errorType === OTHER) return undefined;
  const row = Object.hasOwn(ERROR_TABLE, errorType) ? ERROR_TABLE[errorType as ErrorCode] : undefined;
  return row ? String(row.rpc) : errorType;
}

/** How requests end, in few words. A series begins for each of them, so that the first one that is counted is an increase. */
export const OUTCOMES = ['ok', 'tool_error', 'denied', 'cancelled', 'queue_full', 'failed'] as const;

export type RequestOutcome = (typeof OUTCOMES)[number];

/** What is neither an answer nor a fault of a server. */
const OUTCOME_OF: Readonly<Partial<Record<string, RequestOutcome>>> = {
  tool_error: 'tool_error',
  SWB_DENIED: 'denied',
  SWB_RATE_LIMITED: 'denied',
  SWB_ARGUMENTS_INVALID: 'denied',
  SWB_APPROVAL_PENDING: 'denied',
  SWB_APPROVAL_DENIED: 'denied',
  SWB_APPROVAL_DECIDED: 'denied',
  SWB_INSUFFICIENT_SCOPE: 'denied',
  SWB_LOGIN_NEEDED: 'denied',
  SWB_CANCELLED: 'cancelled',
  SWB_QUEUE_FULL: 'queue_full',
  SWB_QUEUE_TIMEOUT: 'queue_full',
};

/** Of an {@link errorTypeOf}. */
export const outcomeOf = (errorType: string | undefined): RequestOutcome =>
  errorType === undefined ? 'ok' : (OUTCOME_OF[errorType] ?? 'failed');

export function networkOf(transport: string | undefined): string | undefined {
  if (transport === undefined || transport === 'in-process') return undefined;
  return transport === 'stdio' ? 'pipe' : 'tcp';
}

/** What a request is about, in the attributes that its method has for that. */
export function subjectLabels(method: string, name: string | undefined): Record<string, string | undefined> {
  switch (method) {
    case 'tools/call':
      return { [ATTRIBUTE.operation]: 'execute_tool', [ATTRIBUTE.tool]: name };
    case 'prompts/get':
      return { [ATTRIBUTE.prompt]: name };
    case 'agents/call':
      return { [ATTRIBUTE.operation]: 'invoke_agent', [ATTRIBUTE.agent]: name };
    default:
      return {};
  }
}
