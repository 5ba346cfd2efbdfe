/**
 * The events of a streamed response, numbered as OpenAI's are. The numbers follow from the pieces of the text alone, so each process
 * that streams a response again counts the same, and a client can go on after the last event it got.
 * @module
 */
import type { JsonObject } from '../../../wire/jsonrpc.ts';
import type { SentEvents } from '../reply.ts';
import { messageIdOf, textPart } from './response.ts';

/** Events before the first piece of the text. */
const BEFORE_TEXT = 4;

export class ResponseStream {
  readonly #events: SentEvents;
  /** The client has the events up to this number. */
  readonly #after: number;
  #number = 0;
  #opened = false;

  constructor(events: SentEvents, after = -1) {
    this.#events = events;
    this.#after = after;
  }

  async begin(response: JsonObject): Promise<void> {
    await this.#send('response.created', { response });
    await this.#send('response.in_progress', { response });
  }

  /** `index`: which piece of the text it is. */
  async text(id: string, delta: string, index: number): Promise<void> {
    if (!this.#opened) await this.#open(id);
    this.#number = Math.max(this.#number, BEFORE_TEXT + index);
    await this.#send('response.output_text.delta', {
      item_id: id,
      output_index: 0,
      content_index: 0,
      delta,
      logprobs: [],
    });
  }

  async #open(id: string): Promise<void> {
    this.#opened = true;
    const item = { id, type: 'message', status: 'in_progress', role: 'assistant', content: [] };
    await this.#send('response.output_item.added', { output_index: 0, item });
    await this.#send('response.content_part.added', {
      item_id: id,
      output_index: 0,
      content_index: 0,
      part: textPart(''),
    });
  }

  /** The items of the answer: the streamed message is closed, the others are added whole. */
  async closing({ id, status, output }: JsonObject): Promise<void> {
    if (status !== 'completed') return;
    const messageId = messageIdOf(String(id));
    // The message was begun as the first item: its place in the stream stays that.
    let index = this.#opened ? 1 : 0;
    for (const item of output as JsonObject[]) {
      if (item.id !== messageId) {
        await this.#send('response.output_item.added', { output_index: index, item });
        await this.#send('response.output_item.done', { output_index: index++, item });
      } else if (this.#opened) await this.#close(item, 0);
      else await this.#whole(item, index++);
    }
  }

  async #whole(item: JsonObject, index: number): Promise<void> {
    const [part] = item.content as JsonObject[];
    const added = { ...item, status: 'in_progress', content: [] };
    await this.#send('response.output_item.added', { output_index: index, item: added });
    await this.#send('response.content_part.added', {
      item_id: item.id,
      output_index: index,
      content_index: 0,
      part: textPart(''),
    });
    const delta = part?.text;
    if (typeof delta === 'string' && delta !== '') {
      await this.#send('response.output_text.delta', {
        item_id: item.id,
        output_index: index,
        content_index: 0,
        delta,
        logprobs: [],
      });
    }
    await this.#close(item, index);
  }

  async #close(item: JsonObject, index: number): Promise<void> {
    const [part] = item.content as JsonObject[];
    const place = { item_id: item.id, output_index: index, content_index: 0 };
    await this.#send('response.output_text.done', { ...place, text: part?.text, logprobs: [] });
    await this.#send('response.content_part.done', { ...place, part });
    await this.#send('response.output_item.done', { output_index: index, item });
  }

  async end(response: JsonObject): Promise<void> {
    const type = response.status === 'completed' ? 'response.completed' : 'response.failed';
    await this.#send(type, { response });
    this.#events.end();
  }

  /** Pieces of the text are not known any more: what follows has the whole, and a client gets it whatever it had got. */
  skip(): void {
    this.#number = Math.max(this.#number, this.#after + 1);
  }

  /** The stream breaks off: the client can come back to it. */
  close(): void {
    this.#events.end();
  }

  async #send(type: string, more: JsonObject): Promise<void> {
    const number = this.#number++;
    if (number > this.#after) await this.#events.send({ type, sequence_number: number, ...more }, type);
  }
}
