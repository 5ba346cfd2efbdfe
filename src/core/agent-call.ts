/**
 * The gateway's own methods for agents: what is sent, what comes back, and how an agent is described. Adapters of every
 * kind of agent server answer these shapes, so that tools, tasks and other protocols in front of them know no kind.
 *
 * | method | params | result |
 * |---|---|---|
 * | `agents/call` | {@link AgentCallParams} | {@link AgentCallResult} |
 * | `agents/attach` | {@link AgentAttachParams} | {@link AgentCallResult} |
 * | `agents/describe` | `{agent}` | {@link AgentDescription}, with more than the catalog has |
 * | `agents/threads/list` | {@link ListThreadsParams} | {@link ListThreadsResult} |
 * | `agents/threads/read` | {@link ThreadParams} with `limit` | {@link ThreadHistory} |
 * | `agents/threads/delete` | {@link ThreadParams} | `{}` |
 * | `agents/threads/fork` | {@link ThreadParams} | `{threadId}` of the copy |
 *
 * Threads are those of the caller's principal; another one's does not exist for it. A method that a server has nothing
 * for is `SWB_NOT_SUPPORTED`.
 *
 * **Runs that outlive the gateway.** A call with `Call.lasting` may be read by another process than the one that
 * began it. The adapter begins its run so that the server goes on without a reader, and tells `Call.began` what the server
 * calls it as soon as it knows. When the call is aborted with `SWB_SHUTTING_DOWN`, it lets go of a run that `began` knows and leaves it at
 * the server; any other abort, and closing the upstream, cancels it there. Where the upstream is closed because its server was lost, the call
 * rejects with `SWB_UPSTREAM_UNAVAILABLE`; only the LangGraph adapter leaves a run there then, and only one that it reads by `agents/attach`.
 * The next process sends `agents/attach` with what `began` was told last, and again when a server that was lost is back: the adapter waits for that run, reports its progress and asks as in any call, and answers with its result; or it rejects with
 * `SWB_AGENT_FAILED` where the server has no such run any more. An adapter whose servers cannot do this leaves `agents/attach`
 * out and tells `began` nothing. Tools whose entries say that they last (`Entry.lasts`) are the same: `tools/attach` has the tool's `name` in
 * place of the agent, and its result is that of the tool.
 * @module
 */
import type { JsonObject } from '../wire/jsonrpc.ts';

export type AgentMethod =
  | 'agents/call'
  | 'agents/describe'
  | 'agents/threads/list'
  | 'agents/threads/read'
  | 'agents/threads/delete'
  | 'agents/threads/fork';

/** A content block of MCP (2025-11-25 schema, `ContentBlock`): what messages and answers hold in every kind. */
export type ContentPart =
  | { type: 'text'; text: string }
  | { type: 'image' | 'audio'; data: string; mimeType: string }
  | { type: 'resource_link'; uri: string; name: string; title?: string; mimeType?: string; description?: string }
  | { type: 'resource'; resource: { uri: string; mimeType?: string; text?: string; blob?: string } };

export interface AgentMessage extends JsonObject {
  /** `user` or `assistant` everywhere; a kind refuses `system` and `tool` where its servers have no use for them. */
  role: string;
  /** Text, MCP content blocks, or parts of the server's own form, which are passed on unchanged. */
  content: unknown;
}

/** Params of `agents/call`: one turn with an agent. */
export interface AgentCallParams extends JsonObject {
  /** The upstream's own id of the agent: the key of its catalog entry. */
  agent: string;
  messages: AgentMessage[];
  /** What an agent works on whose input is data: a value of its {@link AgentDescription.inputSchema}. */
  input?: unknown;
  threadId?: string;
  resourceId?: string;
  /** Send the text as it is made: `notifications/progress` whose `message` is the piece of text. */
  stream?: boolean;
  /**
   * The same key from the same principal for the same agent is one run: a call that repeats it gets the outcome of the
   * first one, and starts nothing.
   */
  idempotencyKey?: string;
  /**
   * Tools of the caller's own that the agent may use meanwhile. Adapters receive a key in its place (`Call.lent`); policy and hooks
   * see this.
   */
  lend?: { tools: string[]; ttl?: number | undefined };
  /** Passed to the upstream's API as its own options (model settings, config, `resume`, …). */
  options?: JsonObject;
}

/** What the server calls a run, in words that {@link AgentAttachParams} takes back unchanged. Bounded: 4 KiB of JSON. */
export interface AgentRunRef extends JsonObject {
  runId?: string;
  /** The server's own, where it differs from that of results. */
  threadId?: string;
  /**
   * After `agents/attach` with this ref the adapter's progress begins right behind what it had sent when it gave this to `Call.began`. Absent: what
   * lies between may be lost or sent twice.
   */
  continues?: true;
}

/** Params of `agents/attach`: waits for a run that an earlier process of the gateway began. */
export interface AgentAttachParams extends JsonObject {
  agent: string;
  run: AgentRunRef;
  /** False: what the run still says is not sent as progress, and is in the answer alone. */
  stream?: boolean;
}

/** Params of `tools/attach`: the same for a tool whose calls last. */
export interface ToolAttachParams extends JsonObject {
  name: string;
  run: AgentRunRef;
}

/** One tool call of an agent in the course of its answer. Arguments and results are shortened where they are long. */
export interface AgentStep extends JsonObject {
  tool: string;
  /** As JSON, or as text. */
  arguments?: unknown;
  result?: unknown;
  /** The tool failed, or was declined. */
  isError?: boolean;
}

/** Result of `agents/call`. */
export interface AgentCallResult extends JsonObject {
  /** `interrupted`: the agent waits for a person and the client could not be asked; `interrupts` says for what. */
  status: 'completed' | 'interrupted';
  text: string;
  /** What the answer holds besides its text: images, audio, files, and the sources it names as links. */
  content?: ContentPart[];
  threadId?: string;
  runId?: string;
  finishReason?: string;
  /** Tokens: `inputTokens`, `outputTokens`, `totalTokens`, and what else the server counts. */
  usage?: JsonObject;
  interrupts?: unknown[];
  /** The upstream's structured output or final state values, where it has one. Bounded. */
  output?: unknown;
  /** What the model thought aloud, where the server tells. Bounded. */
  reasoning?: string;
  /** The tools the agent called, in order. Bounded. */
  steps?: AgentStep[];
  /** What the answer held and no member here can: a sentence for each kind of thing. */
  omitted?: string[];
}

/** The value of an agent's catalog entry, and of `agents/describe`. */
export interface AgentDescription extends JsonObject {
  /** The key: unique on its server, readable, stable. */
  name: string;
  /** The kind of its server: `mastra`. */
  kind: string;
  /** For people. */
  title?: string;
  description?: string;
  /** Other names that callers may use: the ids of the server. Each means this agent alone. */
  aliases?: string[];
  /**
   * JSON Schema of {@link AgentCallParams.input}, of type object. It may appear some time after the agent does, with a
   * change of the list, unless whole definitions are wanted (`ConnectContext.wholeDefinitions`).
   */
  inputSchema?: JsonObject;
  /** JSON Schema of {@link AgentCallResult.output}. */
  outputSchema?: JsonObject;
  /** False: it takes no messages, and its input is data. Undefined: it takes messages. */
  takesMessages?: boolean;
  /** What it takes besides text: media types with `*` (`image/*`). Undefined: not known. */
  inputModes?: string[];
  /** Conversations that a later call goes on with. Undefined: not known. */
  memory?: boolean;
}

export interface ListThreadsParams extends JsonObject {
  /** Of this agent only, where the server can tell. */
  agent?: string;
  resourceId?: string;
  /** 1 to 100. */
  limit?: number;
  /** `nextCursor` of the page before. */
  cursor?: string;
}

export interface AgentThread extends JsonObject {
  /** As `threadId` takes it. */
  threadId: string;
  title?: string;
  /** The agents that spoke in it, where the server tells. */
  agent?: string;
  /** `idle`, `busy`, `interrupted`, `error`. */
  status?: string;
  /** ISO 8601. */
  createdAt?: string;
  updatedAt?: string;
}

/** Result of `agents/threads/list`: the newest first. */
export interface ListThreadsResult extends JsonObject {
  threads: AgentThread[];
  nextCursor?: string;
}

export interface ThreadParams extends JsonObject {
  threadId: string;
  agent?: string;
  resourceId?: string;
}

/** Result of `agents/threads/read`: the newest messages, oldest first. */
export interface ThreadHistory extends AgentThread {
  messages: { role: string; text: string; content?: ContentPart[]; at?: string }[];
  /** There are older ones. */
  truncated?: boolean;
  /** State of a thread that is no conversation. */
  values?: unknown;
  /** What it waits for. */
  interrupts?: unknown[];
}
