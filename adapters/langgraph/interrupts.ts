/**
 * Interrupts as elicitation forms, and the content of the forms as resume values. An interrupt holds any value; the usual
 * shapes become fields, any other is shown as JSON.
 * @module
 */
import { shorten } from '../../src/core/text.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { approvalQuestion, type InterruptForm } from './approvals.ts';
import { humanInterruptQuestion, isHumanInterrupt } from './human-interrupt.ts';

export interface Interrupt {
  id: string | undefined;
  value: unknown;
}

const MAX_MESSAGE = 4_000;
const MAX_OPTIONS = 100;
const MESSAGE_FIELDS = ['question', 'message', 'prompt', 'description'] as const;

export function readInterrupt(value: unknown): Interrupt {
  if (!isObject(value)) return { id: undefined, value };
  const id = value.id ?? value.interrupt_id;
  return { id: typeof id === 'string' ? id : undefined, value: 'value' in value ? value.value : value };
}

/** The text of an interrupt; undefined when it has none. */
export function messageOf(value: unknown): string | undefined {
  if (typeof value === 'string' && value !== '') return value.slice(0, MAX_MESSAGE);
  const [first] = Array.isArray(value) ? value : [value];
  if (isHumanInterrupt(first)) return humanInterruptQuestion(value)?.message.slice(0, MAX_MESSAGE);
  if (!isObject(value)) return undefined;
  const text = MESSAGE_FIELDS.map((field) => value[field]).find((said) => typeof said === 'string' && said !== '');
  return (text as string | undefined)?.slice(0, MAX_MESSAGE);
}

export function questionFor({ value }: Interrupt): InterruptForm {
  const approval = approvalQuestion(value) ?? humanInterruptQuestion(value);
  if (approval) return approval;
  const message = messageOf(value);
  const shown = message ?? asText(value);
  const options = isObject(value) ? readOptions(value.options ?? value.choices) : undefined;
  return options ? choice(shown, options) : freeText(shown, message === undefined);
}

interface Option {
  label: string;
  value: unknown;
}

function choice(message: string, options: Option[]): InterruptForm {
  const answer = { type: 'string', title: 'Answer', enum: options.map((option) => option.label) };
  return {
    message,
    requestedSchema: { type: 'object', properties: { answer }, required: ['answer'] },
    read(content) {
      const chosen = options.find((option) => option.label === content.answer);
      return chosen && { resume: chosen.value };
    },
  };
}

/** `json`: the interrupt is data and no sentence, so an answer that is JSON is parsed. */
function freeText(message: string, json: boolean): InterruptForm {
  const answer: JsonObject = { type: 'string', title: 'Answer', minLength: 1 };
  if (json) answer.description = 'Text, or JSON where the agent expects it';
  return {
    message,
    requestedSchema: { type: 'object', properties: { answer }, required: ['answer'] },
    read({ answer: text }) {
      if (typeof text !== 'string' || text === '') return undefined;
      return { resume: json ? jsonOrText(text) : text };
    },
  };
}

function jsonOrText(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Strings, numbers and booleans, or objects with a `value` and a label; anything else is no list of options. */
function readOptions(list: unknown): Option[] | undefined {
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_OPTIONS) return undefined;
  const options: Option[] = [];
  for (const item of list) {
    const value: unknown = isObject(item) && 'value' in item ? item.value : item;
    const label: unknown = isObject(item) ? (item.label ?? item.title ?? item.value) : item;
    if (!['string', 'number', 'boolean'].includes(typeof label)) return undefined;
    options.push({ label: String(label), value });
  }
  return new Set(options.map((option) => option.label)).size === options.length ? options : undefined;
}

function asText(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return `The agent waits for an answer: ${shorten(text, MAX_MESSAGE)}`;
}

/**
 * The value the graph is resumed with; undefined for several interrupts without ids, whose answers cannot be assigned. One
 * answer is sent unchanged, which every version understands, unless it is falsy: LangGraph.js drops such a resume value
 * (measured) but keeps it in a map by interrupt id.
 */
export function resumeValue(interrupts: readonly Interrupt[], answers: readonly unknown[]): unknown {
  if (answers.length === 1 && (answers[0] || interrupts[0]?.id === undefined)) return answers[0];
  const byId: JsonObject = {};
  for (const [i, { id }] of interrupts.entries()) {
    if (id === undefined) return undefined;
    byId[id] = answers[i];
  }
  return byId;
}
