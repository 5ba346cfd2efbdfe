/**
 * `switchboard ask <agent> <text…>`: sends one message to an agent and prints its answer as it arrives.
 * @module
 */

import type { Route } from '../../federation/types.ts';
import { agentId } from '../../relay/agents/outcome.ts';
import { isObject, type JsonObject, type Notification } from '../../wire/jsonrpc.ts';
import { EXIT, type ExitCode, UsageError } from '../exit.ts';
import { resultText } from '../format/result.ts';
import { oneLine, safeText } from '../format/text.ts';
import { readAll } from '../input.ts';
import { untilFound } from '../progress.ts';
import type { CommandContext } from '../session.ts';
import { resultCode } from './call.ts';

export interface AskOptions {
  thread?: string;
  resource?: string;
}

/** `failed` when the agent fails, or waits for a person. */
export async function ask(
  context: CommandContext,
  agent: string,
  words: readonly string[],
  options: AskOptions = {},
): Promise<ExitCode> {
  const { gateway, io, out, signal } = context;
  const said = words.length === 1 && words[0] === '-' ? await readAll(io.stdin) : words.join(' ');
  if (said.trim() === '') throw new UsageError('There is nothing to say: the text is empty.');
  await untilFound(context, () => qualified(context, agent));
  const args: JsonObject = { agent, message: said, stream: true };
  if (options.thread !== undefined) args.threadId = options.thread;
  if (options.resource !== undefined) args.resourceId = options.resource;
  const answer = new Answer(context);
  const params = { name: 'callAgent', arguments: args, _meta: { progressToken: 'ask' } };
  const result = await gateway.call('tools/call', params, {
    signal,
    onNotification: (note) => answer.piece(note),
  });
  const outcome = isObject(result.structuredContent) ? result.structuredContent : undefined;
  if (context.json) {
    out.json(result.isError === true ? result : (outcome ?? result));
  } else if (result.isError === true) {
    answer.end('');
    out.note(`${out.paintNote('red', 'error')} ${safeText(resultText(result))}`);
  } else {
    answer.end(typeof outcome?.text === 'string' ? outcome.text : resultText(result));
    if (outcome !== undefined) tellRest(context, outcome);
  }
  return outcome?.status === 'interrupted' ? EXIT.failed : resultCode(result);
}

/**
 * The agent, once its server lists it. A bare id may be ambiguous until every server has been tried, so it is left to
 * `callAgent`.
 */
function qualified({ gateway }: CommandContext, agent: string): Route | undefined {
  const spellings = (route: Route): string[] => [
    agentId(route),
    `${route.member.name}:${route.original}`,
    route.exposed,
  ];
  return gateway.federation.all.routes('agents').find((route) => spellings(route).includes(agent));
}

function tellRest({ out }: CommandContext, outcome: JsonObject): void {
  if (outcome.status === 'interrupted') {
    out.note(out.paintNote('yellow', 'The agent waits for a person:'));
    const interrupts = Array.isArray(outcome.interrupts) ? outcome.interrupts : [];
    for (const interrupt of interrupts) out.note(`  ${oneLine(JSON.stringify(interrupt))}`);
  }
  if (typeof outcome.threadId === 'string' && out.noteToTerminal) {
    out.note(out.paintNote('dim', `Go on with: --thread ${oneLine(outcome.threadId)}`));
  }
}

/** Prints an answer while it arrives, and in the end the rest of it. */
class Answer {
  readonly #context: CommandContext;
  #printed = '';

  constructor(context: CommandContext) {
    this.#context = context;
  }

  piece({ method, params }: Notification): void {
    const text = params?.message;
    if (this.#context.json || method !== 'notifications/progress' || typeof text !== 'string') return;
    this.#write(text);
  }

  /** `text` is the whole answer. It is printed in full when no pieces of it were printed. */
  end(text: string): void {
    if (text.startsWith(this.#printed)) this.#write(text.slice(this.#printed.length));
    // Pieces of an agent that works in steps are of all steps; its text may be of the last one.
    else if (!this.#printed.includes(text.trim())) this.#write(`\n${text}`);
    if (this.#printed !== '' && !this.#printed.endsWith('\n')) this.#write('\n');
  }

  #write(text: string): void {
    const { out } = this.#context;
    this.#printed += text;
    if (text !== '') out.write(out.toTerminal ? safeText(text) : text);
  }
}
