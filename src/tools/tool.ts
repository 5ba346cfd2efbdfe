/**
 * The contract of a builtin tool, and what it may use. A tool is a declaration and a function: how calls arrive,
 * are checked and are answered is in `builtin-upstream.ts`.
 * @module
 */
import type { z } from 'zod';
import type { GatewayConfig } from '../config/types.ts';
import type { Adapter, DetectContext, NetworkGuard } from '../core/adapter.ts';
import type { AgentMethod } from '../core/agent-call.ts';
import type { Call } from '../core/call.ts';
import type { Caller } from '../core/caller.ts';
import type { Log } from '../core/log.ts';
import type { RuntimeServers } from '../federation/members/runtime-servers.ts';
import type { Federation, Route, View } from '../federation/types.ts';
import type { Runs } from '../relay/runs/runs.ts';
import type { RunRecord } from '../relay/runs/stored-runs.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import type { VisibleServers } from './visible-servers.ts';

export interface ToolDeps {
  /** To add and remove servers. What a caller sees of it is {@link ToolContext.visible}. */
  federation: Federation;
  /** The merged view as this caller may know it. */
  viewOf(caller: Caller): View;
  /** Whether a server of this name has a policy of its own. */
  governs(server: string): boolean;
  connect: GatewayConfig['connect'];
  /** How many of `max` servers one principal may have connected. Absent: all. */
  shareOf?(max: number): number;
  runtimeServers: RuntimeServers;
  /** Whether what is saved survives a restart (there is a state folder). */
  persistent: boolean;
  /** A new guard for one connection. */
  guard(): NetworkGuard;
  /** The adapter of the server at a URL. */
  detect(url: URL, context: DetectContext): Promise<Adapter>;
  /** Whether the gateway may connect there at all; rejects with `SWB_DENIED`. Absent: it may. */
  admit?(server: string, url: URL, signal: AbortSignal): Promise<void> | undefined;
  /**
   * Calls an agent through the queue, the clock and the gate of its own server; progress and asks go through `call`.
   * Rejects with `SwitchboardError` or `UpstreamError`.
   */
  callAgent(route: Route, method: AgentMethod, params: JsonObject, call: Call): Promise<JsonObject>;
  /** Begins a call of an agent that goes on without its client. Rejects as {@link callAgent} does before it calls. */
  beginRun(route: Route, params: JsonObject, call: Call): Promise<RunRecord>;
  runs: Pick<Runs, 'find' | 'ownedBy' | 'cancel' | 'changed'>;
  log: Log;
}

export interface ToolContext extends ToolDeps {
  call: Call;
  /** The federation as the caller may know it. */
  visible: VisibleServers;
  /** Servers that `connectServer` calls are connecting, by name: their names are taken, and they count as connected. */
  connecting: Map<string, Connecting>;
}

/** A server that is being connected. */
export interface Connecting {
  href: string;
  /** Of the caller that connects it. */
  principal: string;
}

/** MCP ToolAnnotations; every hint is set, because their defaults are the worst case. */
export interface ToolAnnotations {
  readOnlyHint: boolean;
  destructiveHint: boolean;
  idempotentHint: boolean;
  openWorldHint: boolean;
}

export interface ToolAnswer<Structured> {
  structured: Structured;
  /** The same for models: short, readable lines. */
  text: string;
  /** MCP content blocks after the text. */
  content?: readonly JsonObject[];
  /** `_meta` of the result. */
  meta?: JsonObject;
}

export interface Tool<Input extends z.ZodObject = z.ZodObject, Output extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly title: string;
  /** Facts about the tool. Never an instruction to act: that is the user's to give. */
  readonly description: string;
  readonly input: Input;
  /** Arguments that fit at a glance, as the schema would give them; undefined: the schema decides. */
  plain?(given: JsonObject): z.output<Input> | undefined;
  readonly output: Output;
  readonly annotations: ToolAnnotations;
  /** Its calls may become tasks of clients that know them. */
  readonly mayLast?: boolean;
  /** Rejects with `SwitchboardError` or `UpstreamError` for failures a caller can do something about. */
  run(input: z.output<Input>, context: ToolContext): Promise<ToolAnswer<z.input<Output>>>;
}

/** Ties the types of `run` to the schemas. */
export const defineTool = <Input extends z.ZodObject, Output extends z.ZodObject>(
  tool: Tool<Input, Output>,
): Tool<Input, Output> => tool;
