/**
 * The arguments of `callAgent`, in its own spelling and in that of mcp-agent-proxy (`targetAgentId`, `interactionType`,
 * `agentOptions`, `serverUrl`), and the one request both mean.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../core/adapter.ts';
import type { AgentCallParams } from '../core/agent-call.ts';
import { THREAD_ARGUMENT } from '../core/agent-tool.ts';
import { MAX_LENT_TOOLS } from '../relay/agents/lending.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { AGENT_ARGUMENT } from './schemas.ts';

const MAX_ID = 512;

const options = () => z.record(z.string(), z.unknown());
const alias = (of: string) => ({ description: `The same as ${of}, as mcp-agent-proxy spells it.`, deprecated: true });

// What LangGraph's tool messages have beside these two goes along.
const message = z.looseObject({
  role: z.enum(['user', 'assistant', 'system', 'tool']),
  content: z
    .union([z.string(), z.array(z.record(z.string(), z.unknown())).min(1).max(1_000)])
    .meta({ description: 'Text, or content parts as the server takes them.' }),
});

export const agentRequest = (adapters: readonly Adapter[]) =>
  z
    .strictObject({
      agent: z.string().min(1).max(MAX_ID).optional().meta({ description: AGENT_ARGUMENT }),
      message: z.string().min(1).optional().meta({
        description: 'What to say to the agent. Either this or messages; neither when options continue a run.',
      }),
      messages: z
        .array(message)
        .min(1)
        .max(1_000)
        .optional()
        .meta({ description: 'A conversation, oldest first. Either this or message.' }),
      input: z.unknown().optional().meta({
        description: 'What an agent works on whose input is data, by its input schema. With or without a message.',
      }),
      threadId: z.string().min(1).max(MAX_ID).optional().meta({ description: THREAD_ARGUMENT }),
      resourceId: z
        .string()
        .min(1)
        .max(512)
        .optional()
        .meta({ description: 'Whom the conversation belongs to, for servers that keep memory by user.' }),
      stream: z.boolean().optional().meta({
        description: 'Send the text as progress notifications while it is made. The result is the same.',
        default: false,
      }),
      background: z.boolean().optional().meta({
        description:
          'Begin the run and answer at once with its id, for getRun and cancelRun. It goes on without this client.',
      }),
      idempotencyKey: z.string().min(1).max(256).optional().meta({
        description:
          'The same key for the same agent is one run: a call that repeats it gets the outcome of the first one.',
      }),
      lend: z
        .strictObject({
          tools: z.array(z.string().min(1).max(256)).min(1).max(MAX_LENT_TOOLS).meta({
            description: 'Your tools that the agent may use: names, or globs such as `docs__*`.',
          }),
          ttl: z.number().int().min(1_000).optional().meta({
            description: 'Milliseconds the key is valid at most. It ends with the call. Default: an hour.',
          }),
        })
        .optional()
        .meta({
          description:
            'Gives the agent the address of this gateway and a key for some of your tools while the call lasts, where its server has a place for them.',
        }),
      options: options().optional().meta({
        description:
          "Options of the server's own API for this run: model settings, config, or how a run that waits goes on.",
      }),
      targetAgentId: z.string().min(1).max(512).optional().meta(alias('agent')),
      interactionType: z
        .enum(['generate', 'stream'])
        .optional()
        .meta(alias('stream: false (generate) or true (stream)')),
      agentOptions: options().optional().meta(alias('options')),
      serverUrl: z.string().min(1).max(2_048).optional().meta({
        description:
          'URL of the server the agent is on, as mcp-agent-proxy takes it. It only selects among connected servers.',
        deprecated: true,
      }),
    })
    .superRefine((given, context) => {
      const problem = (path: string, message: string): void =>
        context.addIssue({ code: 'custom', path: [path], message });
      if (given.agent === undefined && given.targetAgentId === undefined) {
        problem('agent', 'found nothing; allowed: string');
      }
      if (
        given.message === undefined &&
        given.messages === undefined &&
        given.input === undefined &&
        !continues(given, adapters)
      ) {
        problem(
          'message',
          'found neither message nor messages, and no input; allowed: one of message and messages, or input',
        );
      }
      for (const [own, other] of PAIRS) {
        if (given[own] !== undefined && given[other] !== undefined) {
          problem(own, `found ${own} and ${other}; allowed: one of them`);
        }
      }
    });

interface Options {
  options?: Readonly<Record<string, unknown>> | undefined;
  agentOptions?: Readonly<Record<string, unknown>> | undefined;
}

/** Whether the options carry on a run that waits, which has its messages already. */
const continues = ({ options, agentOptions }: Options, adapters: readonly Adapter[]): boolean =>
  adapters.some(({ agents }) =>
    agents?.continuations.some((name) => Object.hasOwn(options ?? agentOptions ?? {}, name)),
  );

const PAIRS = [
  ['agent', 'targetAgentId'],
  ['message', 'messages'],
  ['stream', 'interactionType'],
  ['options', 'agentOptions'],
] as const;

export type AgentRequest = z.output<ReturnType<typeof agentRequest>>;

/**
 * The arguments that most calls have, where they fit at a glance: what comes of the schema then is the same, and checking each of its
 * members costs a tenth of a short call (measured). Undefined: the schema decides, and says what is wrong.
 */
export function plainRequest(given: JsonObject): AgentRequest | undefined {
  let isAgent = false;
  let isMessage = false;
  for (const name in given) {
    const value = given[name];
    if (name === 'stream' && typeof value === 'boolean') continue;
    if (typeof value !== 'string' || value === '') return undefined;
    if (name === 'message') isMessage = true;
    else if (name === 'agent' && value.length <= MAX_ID) isAgent = true;
    else if (name !== 'threadId' || value.length > MAX_ID) return undefined;
  }
  return isAgent && isMessage ? (given as AgentRequest) : undefined;
}

/** Which agent, in the caller's words. The schema has made sure that there are some. */
export const agentWanted = (request: AgentRequest): string => request.agent ?? request.targetAgentId ?? '';

export function agentCallParams(request: AgentRequest, agent: string): AgentCallParams {
  const params: AgentCallParams = {
    agent,
    messages: request.messages ?? (request.message === undefined ? [] : [{ role: 'user', content: request.message }]),
    stream: request.stream ?? request.interactionType === 'stream',
  };
  const runOptions = request.options ?? request.agentOptions;
  if (request.threadId !== undefined) params.threadId = request.threadId;
  if (request.resourceId !== undefined) params.resourceId = request.resourceId;
  if (request.input !== undefined) params.input = request.input;
  if (request.idempotencyKey !== undefined) params.idempotencyKey = request.idempotencyKey;
  if (request.lend !== undefined) params.lend = request.lend;
  if (runOptions !== undefined) params.options = runOptions;
  return params;
}
