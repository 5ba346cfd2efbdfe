/**
 * `switchboard ask <agent> <text…>`: sends one message to an agent and prints its answer as it arrives.
 * @module
 */

import { ADAPTERS } from '../../../adapters/index.ts';
import type { Route } from '../../federation/types.ts';
import { agentId } from '../../relay/agents/outcome.ts';
import { isObject, type JsonObject, type Notification } from '../../wire/jsonrpc.ts';
import { EXIT, type ExitCode, UsageError } from '../exit.ts';
import { resultText } from '../format/result.ts';
import { oneLine, safeText } from '../format/text.ts';
import { readAll } from '../input.ts';
import { untilFound } from '../progress.ts';
import { type CommandContext, ownGateway, type RequestContext } from '../session.ts';
import { isInteractive, TERMINAL_CAPABILITIES, TerminalForm } from '../terminal-form.ts';
import { resultCode } from './call.ts';

export interface AskOptions {
  thread?: string;
  resource?: string;
  /** The answer to what the agent waits for, as JSON or text; an object with the server's own names is passed on as it is. */
  resume?: string;
}

/** `failed` when the agent fails, or waits for a person who could not be asked. */
export async function ask(
  context: RequestContext,
  agent: string,
  words: readonly string[],
  options: AskOptions = {},
): Promise<ExitCode> {
  const { io, out, signal } = context;
  const isPiped = words.length === 1 && words[0] === '-';
  const said = isPiped ? await readAll(io.stdin) : words.join(' ');
  if (said.trim() === '' && options.resume === undefined) {
    throw new UsageError('There is nothing to say: the text is empty.');
  }
  const own = ownGateway(context);
  if (own) await untilFound(own, () => qualified(own, agent));
  const args: JsonObject = { agent, stream: true };
  if (said.trim() !== '') args.message = said;
  if (options.thread !== undefined) args.threadId = options.thread;
  if (options.resource !== undefined) args.resourceId = options.resource;
  if (options.resume !== undefined) args.options = resumption(options.resume);
  const answer = new Answer(context);
  const form = !isPiped && isInteractive(io) ? new TerminalForm(io, out, signal) : undefined;
  const params = { name: 'callAgent', arguments: args, _meta: { progressToken: 'ask' } };
  const result = await context.request('tools/call', params, {
    signal,
    onNotification: (note) => answer.piece(note),
    ...(form ? { onAsk: (asked) => form.answer(asked), capabilities: TERMINAL_CAPABILITIES } : {}),
  });
  const outcome = isObject(result.structuredContent) ? result.structuredContent : undefined;
  if (context.json) {
    out.json(result.isError === true ? result : (outcome ?? result));
  } else if (result.isError === true) {
    answer.end('');
    out.note(`${out.paintNote('red', 'error')} ${safeText(resultText(result))}`);
  } else {
    answer.end(answerText(result, outcome));
    if (outcome !== undefined) tellRest(context, agent, outcome);
  }
  return outcome?.status === 'interrupted' ? EXIT.failed : resultCode(result);
}

/** Options with which servers go on with a run, whatever their kind. */
const CONTINUATIONS = ADAPTERS.flatMap(({ agents }) => agents?.continuations ?? []);

function resumption(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // A text that is no JSON is the answer itself.
    return { resume: text };
  }
  const isOptions = isObject(value) && CONTINUATIONS.some((name) => Object.hasOwn(value as JsonObject, name));
  return isOptions ? (value as JsonObject) : { resume: value };
}

/** What the agent said, or the data it answered with. */
function answerText(result: JsonObject, outcome: JsonObject | undefined): string {
  if (typeof outcome?.text === 'string' && outcome.text !== '') return outcome.text;
  if (outcome?.status === 'interrupted') return '';
  if (outcome?.output === undefined) return resultText(result);
  return typeof outcome.output === 'string' ? outcome.output : JSON.stringify(outcome.output, null, 2);
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

function tellRest({ out }: RequestContext, agent: string, outcome: JsonObject): void {
  const thread = typeof outcome.threadId === 'string' ? ` --thread ${oneLine(outcome.threadId)}` : '';
  if (outcome.status === 'interrupted') {
    out.note(out.paintNote('yellow', 'The agent waits for a person:'));
    const interrupts = Array.isArray(outcome.interrupts) ? outcome.interrupts : [];
    for (const interrupt of interrupts) {
      const { continueWith, ...rest } = isObject(interrupt) ? interrupt : { continueWith: undefined, interrupt };
      out.note(`  ${oneLine(JSON.stringify(rest))}`);
      for (const options of Array.isArray(continueWith) ? continueWith : []) {
        out.note(`  Go on with: --resume '${oneLine(JSON.stringify(options))}'`);
      }
    }
    out.note(
      out.paintNote('dim', out.hint(`Answer with: switchboard ask ${oneLine(agent)}${thread} --resume '<answer>'`)),
    );
  } else if (thread !== '' && out.noteToTerminal) {
    out.note(out.paintNote('dim', `Go on with:${thread}`));
  }
}

/** Prints an answer while it arrives, and in the end the rest of it. */
class Answer {
  readonly #context: RequestContext;
  #printed = '';

  constructor(context: RequestContext) {
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
