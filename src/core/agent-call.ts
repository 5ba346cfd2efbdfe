/**
 * `agents/call`, the gateway's own method: params and result of one turn with an agent.
 * @module
 */
import type { JsonObject } from '../wire/jsonrpc.ts';

/** Params of `agents/call`, our own method: one turn with an agent. */
export interface AgentCallParams extends JsonObject {
  /** The upstream's own id of the agent. */
  agent: string;
  messages: { role: string; content: unknown }[];
  threadId?: string;
  resourceId?: string;
  /** Send the text as it is made: `notifications/progress` whose `message` is the piece of text. */
  stream?: boolean;
  /** Passed to the upstream's API as its own options (model settings, config, `resume`, …). */
  options?: JsonObject;
}

/** Result of `agents/call`. */
export interface AgentCallResult extends JsonObject {
  /** `interrupted`: the agent waits for a person and the client could not be asked; `interrupts` says for what. */
  status: 'completed' | 'interrupted';
  text: string;
  threadId?: string;
  runId?: string;
  finishReason?: string;
  usage?: JsonObject;
  interrupts?: unknown[];
  /** The upstream's structured output or final state values, where it has one. Bounded. */
  output?: unknown;
}
