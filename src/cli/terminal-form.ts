/**
 * Answers what an agent or tool asks in the middle of a call, at the terminal: the fields of a form one by one, or a page to
 * open. What is asked is shown as the server's words, without control characters.
 * @module
 */
import { createInterface } from 'node:readline/promises';
import type { Ask } from '../core/call.ts';
import { SwitchboardError } from '../core/errors.ts';
import { line } from '../core/text.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { safeText } from './format/text.ts';
import type { Io } from './io.ts';
import type { Output } from './output.ts';

/** What a person at a terminal can answer. */
export const TERMINAL_CAPABILITIES: JsonObject = { elicitation: { form: {}, url: {} } };

/** Whether there is a person to ask. */
export const isInteractive = ({ stdin, stderr }: Io): boolean => stdin.isTTY === true && stderr.isTTY === true;

const DECLINE = '/decline';
const CANCEL = '/cancel';

class Refused extends Error {
  readonly action: 'decline' | 'cancel';

  constructor(action: 'decline' | 'cancel') {
    super(action);
    this.action = action;
  }
}

/** Lines of the terminal, which edits them. The end of the input is a refusal. */
class Lines {
  readonly #signal: AbortSignal;
  readonly #ended: Promise<never>;
  readonly #lines;

  constructor({ stdin, stderr }: Io, signal: AbortSignal) {
    this.#signal = signal;
    this.#lines = createInterface({ input: stdin, output: stderr, terminal: false });
    this.#ended = new Promise((_, reject) => this.#lines.once('close', () => reject(new Refused('cancel'))));
    this.#ended.catch(() => {});
  }

  question(prompt: string): Promise<string> {
    return Promise.race([this.#lines.question(prompt, { signal: this.#signal }), this.#ended]);
  }

  close(): void {
    this.#lines.close();
  }
}

/** Asks one thing at a time, however many questions come at once. */
export class TerminalForm {
  readonly #io: Io;
  readonly #out: Output;
  readonly #signal: AbortSignal;
  #last: Promise<unknown> = Promise.resolve();

  constructor(io: Io, out: Output, signal: AbortSignal) {
    this.#io = io;
    this.#out = out;
    this.#signal = signal;
  }

  answer(ask: Ask): Promise<JsonObject> {
    const answered = this.#last.then(() => this.#answer(ask));
    this.#last = answered.catch(() => {});
    return answered;
  }

  async #answer({ method, params = {} }: Ask): Promise<JsonObject> {
    if (method !== 'elicitation/create') {
      throw new SwitchboardError('SWB_ASK_REFUSED', `A terminal cannot answer '${method}'.`);
    }
    const lines = new Lines(this.#io, this.#signal);
    try {
      this.#out.note('');
      this.#out.note(this.#out.paintNote('bold', safeText(String(params.message ?? 'The agent asks:'))));
      this.#out.note(this.#out.paintNote('dim', `${DECLINE} says no, ${CANCEL} ends the question.`));
      if (params.mode === 'url') return await this.#page(lines, params);
      return { action: 'accept', content: await this.#form(lines, params.requestedSchema) };
    } catch (error) {
      if (error instanceof Refused) return { action: error.action };
      throw error;
    } finally {
      lines.close();
    }
  }

  async #page(lines: Lines, { url }: JsonObject): Promise<JsonObject> {
    this.#out.note(`Open this page: ${line(String(url), 2_000)}`);
    const isDone = await this.#ask(lines, 'Done? (y/n)', yesOrNo);
    return { action: isDone ? 'accept' : 'decline' };
  }

  async #form(lines: Lines, schema: unknown): Promise<JsonObject> {
    const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
    const required = isObject(schema) && Array.isArray(schema.required) ? schema.required : [];
    const content: JsonObject = {};
    const fields = Object.entries(properties);
    if (fields.length === 0 && !(await this.#ask(lines, 'Go on? (y/n)', yesOrNo))) throw new Refused('decline');
    for (const [name, field] of fields) {
      const value = await this.#field(lines, name, isObject(field) ? field : {}, required.includes(name));
      if (value !== undefined) content[name] = value;
    }
    return content;
  }

  #field(lines: Lines, name: string, field: JsonObject, isRequired: boolean): Promise<unknown> {
    const { title, description, default: usual } = field;
    const options = optionsOf(field);
    const about = typeof description === 'string' && description !== '' ? ` (${line(description, 300)})` : '';
    for (const [i, { label }] of options.entries()) this.#out.note(`  ${i + 1} ${line(label, 200)}`);
    const kind = options.length > 0 ? 'a number' : typeOf(field);
    const hint =
      usual !== undefined ? `, empty for ${line(JSON.stringify(usual), 100)}` : isRequired ? '' : ', or nothing';
    const prompt = `${line(typeof title === 'string' && title !== '' ? title : name, 100)}${about} [${kind}${hint}]`;
    return this.#ask(lines, prompt, (text) => {
      if (text === '') {
        if (usual !== undefined) return { value: usual };
        return isRequired && field.type !== 'string'
          ? 'Something has to be said here.'
          : { value: isRequired ? '' : undefined };
      }
      return options.length > 0 ? chosen(text, options, field.type === 'array') : parsed(text, field);
    });
  }

  /** Asks until `read` takes the answer. */
  async #ask<T>(lines: Lines, prompt: string, read: (text: string) => { value: T } | string): Promise<T> {
    for (;;) {
      const text = (await lines.question(`${prompt}: `)).trim();
      if (text === DECLINE) throw new Refused('decline');
      if (text === CANCEL) throw new Refused('cancel');
      const taken = read(text);
      if (typeof taken !== 'string') return taken.value;
      this.#out.note(this.#out.paintNote('yellow', taken));
    }
  }
}

interface Option {
  value: unknown;
  label: string;
}

/** Of `enum`, or of `oneOf` and `anyOf` with titles (2025-11-25 client/elicitation, SEP-1330). */
function optionsOf(field: JsonObject): Option[] {
  const of = field.type === 'array' && isObject(field.items) ? field.items : field;
  const titled = Array.isArray(of.oneOf) ? of.oneOf : Array.isArray(of.anyOf) ? of.anyOf : [];
  const options = titled.filter(isObject).map(({ const: value, title }) => ({ value, label: String(title ?? value) }));
  if (options.length > 0) return options;
  const names = Array.isArray(of.enumNames) ? of.enumNames : [];
  return Array.isArray(of.enum) ? of.enum.map((value, i) => ({ value, label: String(names[i] ?? value) })) : [];
}

function chosen(text: string, options: readonly Option[], several: boolean): { value: unknown } | string {
  const wanted = several ? text.split(',').map((each) => each.trim()) : [text];
  const found = wanted.map(
    (each) => options[Number(each) - 1] ?? options.find(({ value, label }) => value === each || label === each),
  );
  if (found.some((each) => each === undefined)) return `One of the numbers from 1 to ${options.length}.`;
  const values = found.map((each) => each?.value);
  return { value: several ? values : values[0] };
}

function parsed(text: string, field: JsonObject): { value: unknown } | string {
  switch (field.type) {
    case 'boolean':
      return yesOrNo(text);
    case 'number':
    case 'integer': {
      const value = Number(text);
      const isFine = Number.isFinite(value) && (field.type === 'number' || Number.isInteger(value));
      return isFine ? { value } : `${field.type === 'integer' ? 'A whole number' : 'A number'} is asked for.`;
    }
    default:
      return { value: text };
  }
}

const yesOrNo = (text: string): { value: boolean } | string => {
  if (/^(?:y|yes|true)$/i.test(text)) return { value: true };
  return /^(?:n|no|false)$/i.test(text) ? { value: false } : 'y or n, please.';
};

const typeOf = ({ type }: JsonObject): string =>
  type === 'boolean' ? 'y/n' : type === 'integer' || type === 'number' ? 'a number' : 'text';
