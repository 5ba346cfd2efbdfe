/**
 * What an agent says in the course of a call, over all its requests: text as it is made, thoughts, files, sources and tool
 * calls.
 * @module
 */
import type { AgentCallResult, AgentStep } from '../../src/core/agent-call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { AnswerParts, filePart, linkPart, shortened } from '../shared/content.ts';
import { publicMessage } from '../shared/sanitize.ts';
import { TextJoiner } from '../shared/text-joiner.ts';

const MAX_STEPS = 100;
const MAX_REASONING = 32_768;

export interface AnswerEvents {
  /** A piece of the text, as it is made. */
  onText(text: string): void;
  /** It goes on, and there is nothing to show. */
  onActivity(): void;
}

export class Answer {
  readonly #events: AnswerEvents;
  readonly #maxBytes: number;
  readonly #parts = new AnswerParts();
  readonly #steps: AgentStep[] = [];
  readonly #stepById = new Map<string, AgentStep>();
  readonly #joiner: TextJoiner;
  #text = '';
  #reasoning = '';
  #bytes = 0;
  /** Ids of texts begin anew with every step of the model. */
  #step = 0;

  /** `maxBytes`: of text and files together. */
  constructor(events: AnswerEvents, maxBytes: number) {
    this.#events = events;
    this.#maxBytes = maxBytes;
    this.#joiner = new TextJoiner((piece) => {
      this.#text += piece;
      events.onText(piece);
    });
  }

  /** Whether the event was one of these. Throws `SWB_REPLY_TOO_LARGE` beyond the limit. */
  read(type: unknown, payload: JsonObject): boolean {
    switch (type) {
      case 'text-delta':
        if (typeof payload.text === 'string') this.#say(payload);
        return true;
      case 'step-start':
        this.#step++;
        this.#events.onActivity();
        return true;
      case 'reasoning-delta':
        if (typeof payload.text === 'string' && this.#reasoning.length < MAX_REASONING) this.#reasoning += payload.text;
        this.#events.onActivity();
        return true;
      case 'reasoning-end':
        if (this.#reasoning !== '') this.#reasoning += '\n\n';
        return true;
      case 'source':
        this.#source(payload);
        return true;
      case 'file':
        this.#file(payload);
        return true;
      case 'tool-call':
      case 'tool-result':
      case 'tool-error':
        this.#tool(type, payload);
        this.#events.onActivity();
        return true;
      default:
        return false;
    }
  }

  /** The members of a result that are there. */
  members(): Pick<AgentCallResult, 'text' | 'content' | 'omitted' | 'reasoning' | 'steps'> {
    const members: Pick<AgentCallResult, 'text' | 'content' | 'omitted' | 'reasoning' | 'steps'> = {
      text: this.#text,
      ...this.#parts.members(),
    };
    const reasoning = this.#reasoning.trim();
    if (reasoning !== '') members.reasoning = reasoning.slice(0, MAX_REASONING);
    if (this.#steps.length > 0) members.steps = this.#steps;
    return members;
  }

  #say({ id, text }: JsonObject): void {
    this.#count(Buffer.byteLength(text as string));
    this.#joiner.piece(`${this.#step}:${String(id)}`, text as string);
  }

  #source({ url, title, sourceType }: JsonObject): void {
    const name = typeof title === 'string' && title !== '' ? { name: title.slice(0, 200) } : {};
    this.#parts.add(typeof url === 'string' ? linkPart(url, name) : undefined, `source ${String(sourceType)}`.trim());
  }

  #file({ base64, data, mimeType, mediaType, filename }: JsonObject): void {
    const content = [base64, data].find((value): value is string => typeof value === 'string');
    const type = [mediaType, mimeType].find((value): value is string => typeof value === 'string');
    if (content === undefined || type === undefined) {
      this.#parts.omit('file');
      return;
    }
    this.#count(content.length);
    this.#parts.add(filePart(content, type, typeof filename === 'string' ? filename : undefined), 'file');
  }

  #tool(type: string, { toolCallId, toolName, args, result, isError, error }: JsonObject): void {
    if (typeof toolCallId !== 'string') return;
    let step = this.#stepById.get(toolCallId);
    if (!step) {
      if (this.#steps.length >= MAX_STEPS || typeof toolName !== 'string') return;
      step = { tool: toolName.slice(0, 200) };
      if (args !== undefined) step.arguments = shortened(args);
      this.#steps.push(step);
      this.#stepById.set(toolCallId, step);
    }
    if (type === 'tool-result') step.result = shortened(result);
    if (type === 'tool-error') step.result = publicMessage(errorText(error));
    if (type === 'tool-error' || isError === true) step.isError = true;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) {
      throw new SwitchboardError('SWB_REPLY_TOO_LARGE', `The agent's answer is over ${this.#maxBytes} bytes.`);
    }
  }
}

const errorText = (error: unknown): string =>
  typeof error === 'string' ? error : isObject(error) && typeof error.message === 'string' ? error.message : '';
