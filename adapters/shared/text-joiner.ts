/**
 * Puts the messages of one answer into one text, so that the last word of one and the first of the next do not run
 * together, and a message that is made while another is still being spoken does not interrupt it.
 * @module
 */

/** Most text kept back of messages that wait for the one being spoken. In UTF-16 units. */
const MAX_HELD = 262_144;
/** Longest names in a place. */
const MAX_NAMES = 512;

/** Where a joiner is between two pieces. */
export interface JoinerPlace {
  /** The message that is being spoken. */
  message?: string;
  task: string;
  /** How the text ends: at most two characters. */
  tail: string;
}

export class TextJoiner {
  readonly #emit: (piece: string) => void;
  /** The message that is being spoken. */
  #current: string | undefined;
  #task = '';
  /** Messages that wait, by id, in the order they began. */
  readonly #held = new Map<string, string>();
  #heldLength = 0;
  /** The end of the text: as much of it as was said last, and at least two characters where there are so many. */
  #tail = '';

  /** `emit` receives pieces that make up the whole text when they are joined. `from`: where another one was, whose text goes on here. */
  constructor(emit: (piece: string) => void, from?: JoinerPlace) {
    this.#emit = emit;
    this.#current = from?.message;
    this.#task = from?.task ?? '';
    this.#tail = from?.tail ?? '';
  }

  /** Undefined where no other one could go on from here: text is kept back, or names are too long to be noted. */
  get place(): JoinerPlace | undefined {
    const message = this.#current;
    if (this.#held.size > 0 || (message ?? '').length + this.#task.length > MAX_NAMES) return undefined;
    return { ...(message === undefined ? {} : { message }), task: this.#task, tail: this.#tail.slice(-2) };
  }

  /**
   * A piece of the message of this id. `task` is what makes it: messages of one task come one after the other, those of
   * another one that runs at the same time wait.
   */
  piece(id: string, text: string, task = ''): void {
    if (text === '') return;
    if (this.#current === undefined || this.#current === id || this.#task === task) {
      this.#task = task;
      this.#begin(id);
      this.#say(text);
      return;
    }
    this.#held.set(id, (this.#held.get(id) ?? '') + text);
    this.#heldLength += text.length;
    if (this.#heldLength > MAX_HELD) this.ended();
  }

  /** A line of its own, such as a report between messages. */
  line(text: string): void {
    if (text === '') return;
    this.#say(this.#tail === '' || this.#tail.endsWith('\n') ? `${text}\n` : `\n${text}\n`);
  }

  /** The messages so far are finished. */
  ended(): void {
    for (const [id, text] of this.#held) {
      this.#current = undefined;
      this.#begin(id);
      this.#say(text);
    }
    this.#held.clear();
    this.#heldLength = 0;
    this.#current = undefined;
  }

  #begin(id: string): void {
    if (this.#current === id) return;
    this.#current = id;
    if (this.#tail !== '') this.#say(this.#tail.endsWith('\n\n') ? '' : this.#tail.endsWith('\n') ? '\n' : '\n\n');
  }

  #say(text: string): void {
    if (text === '') return;
    this.#tail = text.length > 1 ? text : (this.#tail + text).slice(-2);
    this.#emit(text);
  }
}

/** Whole messages as one text. */
export const joinTexts = (texts: readonly string[]): string =>
  texts
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .join('\n\n');
