/**
 * `callAgent` with the result of mcp-agent-proxy. Its arguments our own tool reads anyway.
 * @module
 */
import { z } from 'zod';
import type { Call } from '../../core/call.ts';
import type { JsonObject, Notification } from '../../wire/jsonrpc.ts';
import type { Tool, ToolContext } from '../tool.ts';
import { addressOf, defined, disguised, fullyQualifiedId, ownResult, serverType } from './disguise.ts';
import { resolve } from './resolution.ts';

const members = {
  success: z.literal(true),
  responseData: z.unknown().meta({ description: 'What the agent answered.' }),
  interactionType: z.string(),
  serverUsed: z.string(),
  agentIdUsed: z.string(),
  fullyQualifiedId: z.string(),
  resolutionMethod: z.string(),
  serverType: z.string(),
};

export const callAgentAsProxy = (tool: Tool): Tool =>
  disguised(tool, {
    input: tool.input,
    members,
    async run(input, context) {
      const { targetAgentId, agent = targetAgentId, serverUrl, ...rest } = input;
      const wanted = String(agent);
      const resolution = await resolve(wanted, serverUrl as string | undefined, context);
      const collected = new CollectedStream();
      const isStream = input.interactionType === 'stream' || input.stream === true;
      const given = defined({ ...rest, agent: resolution.agent, serverUrl: resolution.serverUrl });
      const own = await ownResult(tool, given, isStream ? collected.tap(context) : context);
      const member = context.visible.server(String(own.server));
      if (!member) throw new Error('the server that answered is one the caller may know');
      const agentIdUsed = String(own.agent).slice(member.name.length + 1);
      const isQualified = resolution.method === 'explicit_qualification' && wanted.includes(':');
      const proxy = {
        success: true,
        responseData: isStream ? collected.result(String(own.text)) : responseData(own, serverType(member)),
        interactionType: isStream ? 'stream' : 'generate',
        serverUsed: addressOf(member) ?? member.name,
        agentIdUsed,
        fullyQualifiedId: isQualified ? wanted : fullyQualifiedId(member, agentIdUsed),
        resolutionMethod: resolution.method,
        serverType: serverType(member),
      };
      return { own, proxy };
    },
  });

/** The text alone of LangGraph, as that program gives it; of others what their API answers, as far as it is known here. */
function responseData(own: JsonObject, type: string): unknown {
  if (type === 'langgraph' && own.status !== 'interrupted') return own.text;
  const { agent: _agent, server: _server, elapsedMs: _elapsed, output, ...rest } = own;
  return output === undefined ? rest : { ...rest, object: output };
}

interface Chunk {
  content: unknown;
  timestamp: string;
  index: number;
}

/** The pieces of an answer with the time of each, as that program collects them. */
class CollectedStream {
  readonly #startedAt = new Date();
  readonly #chunks: Chunk[] = [];

  /** A context whose agent calls are streamed, to here and to the client where it asked for progress. */
  tap(context: ToolContext): ToolContext {
    const { call } = context;
    const tapped: Call = {
      caller: call.caller,
      get signal() {
        return call.signal;
      },
      get aborted() {
        return call.aborted;
      },
      onAbort: (listener) => call.onAbort(listener),
      wantsProgress: true,
      paramHeaders: undefined,
      notify: (notification) => {
        this.#hear(notification);
        if (call.wantsProgress || notification.method !== 'notifications/progress') call.notify(notification);
      },
      alive: () => call.alive?.(),
      ask: (ask) => call.ask(ask),
      canAsk: (method) => call.canAsk(method),
    };
    return {
      ...context,
      callAgent: (route, method, params) => context.callAgent(route, method, params, tapped),
    };
  }

  #hear({ method, params }: Notification): void {
    if (method !== 'notifications/progress' || typeof params?.message !== 'string' || params.message === '') return;
    this.#add(params.message);
  }

  #add(content: unknown): void {
    this.#chunks.push({ content, timestamp: new Date().toISOString(), index: this.#chunks.length });
  }

  /** `text`: the whole answer, which is one piece where the server sent no pieces. */
  result(text: string): JsonObject {
    if (this.#chunks.length === 0 && text !== '') this.#add(text);
    const end = new Date();
    return {
      type: 'collected_stream',
      chunks: this.#chunks,
      summary: {
        totalChunks: this.#chunks.length,
        startTime: this.#startedAt.toISOString(),
        endTime: end.toISOString(),
        durationMs: end.getTime() - this.#startedAt.getTime(),
      },
    };
  }
}
