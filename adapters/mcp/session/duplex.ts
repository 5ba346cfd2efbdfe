/**
 * What links have in common where every reply comes in on one stream (stdio, old SSE): replies find their request by
 * id, and the end of the stream is the end of everything in flight.
 * @module
 */
import { SwitchboardError } from '../../../src/core/errors.ts';
import { type Linked, LinkedList } from '../../../src/core/linked-list.ts';
import type { Outline } from '../../../src/wire/json/outline.ts';
import type { Edges } from '../../../src/wire/lines.ts';
import type { Pieces } from '../../../src/wire/pieces.ts';
import { eachMessage, isResponse } from './frames.ts';
import { type LinkEvents, NO_EVENTS, type ResponseHandler, type Sent } from './link.ts';

/** One request whose response is expected, as an item of the list of them. */
class ExpectedResponse implements Sent, Linked<ExpectedResponse> {
  previous: ExpectedResponse | undefined;
  next: ExpectedResponse | undefined;
  readonly handler: ResponseHandler;
  readonly #list: LinkedList<ExpectedResponse>;

  constructor(handler: ResponseHandler, list: LinkedList<ExpectedResponse>) {
    this.handler = handler;
    this.#list = list;
  }

  drop(): void {
    this.#list.remove(this);
  }
}

export class ResponseHandlers {
  events: LinkEvents = NO_EVENTS;
  readonly #waiting = new LinkedList<ExpectedResponse>();
  readonly #ignored: (what: string) => void;

  /** `ignored` is called for frames that are no messages. */
  constructor(noise: (what: string) => void) {
    this.#ignored = noise;
  }

  /** From now on the reply to this request is expected. */
  add(handler: ResponseHandler): Sent {
    const expected = new ExpectedResponse(handler, this.#waiting);
    this.#waiting.append(expected);
    return expected;
  }

  receive(frame: Pieces): void {
    try {
      eachMessage(frame, (message, outline) => this.#message(message, outline));
    } catch {
      this.#ignored('a line that is no JSON-RPC message');
    }
  }

  #message(message: Pieces, outline: Outline): void {
    if (!isResponse(outline)) {
      if (typeof outline.method === 'string') this.events.serverMessage(message, outline);
      else this.#ignored('an object that is no JSON-RPC message');
      return;
    }
    const handler = this.#take(outline.id);
    // A late reply to a dropped request, or an error without an id (an answer to a notification: MQTTX): not for anyone.
    if (handler) handler.reply(message, outline);
  }

  #take(id: unknown): ResponseHandler | undefined {
    const key = asRequestId(id);
    // Servers answer more or less in order, so the one that is looked for is among the first.
    for (const expected of this.#waiting) {
      if (expected.handler.id !== key) continue;
      this.#waiting.remove(expected);
      return expected.handler;
    }
    return undefined;
  }

  /**
   * A frame was over the limit and thrown away. Servers write a reply's id next to one of its ends, so its request is
   * found there; when it is not, any request in flight may be the one, and none may be left waiting.
   */
  oversize(error: SwitchboardError, edges: Edges): void {
    const answered = answeredIn(edges);
    if (answered === 'unknown') this.failAll(error);
    else if (answered !== 'none') this.#take(answered)?.failed(error);
  }

  /** Fails everything in flight. True when there was anything. */
  failAll(reason: Error): boolean {
    const all = [...this.#waiting];
    for (const expected of all) this.#waiting.remove(expected);
    for (const { handler } of all) handler.failed(reason);
    return all.length > 0;
  }

  fail(handler: ResponseHandler, reason: Error): void {
    if (this.#take(handler.id)) handler.failed(reason);
  }
}

/** The id of a response as one of ours. Some servers answer with the id as a string. */
export const asRequestId = (id: unknown): unknown =>
  typeof id === 'string' && /^\d{1,15}$/.test(id) ? Number(id) : id;

/**
 * The request that a frame of which only the edges are left replies to. `none`: it is a message of the server's own, whose ids
 * may well be those of requests in flight.
 */
export function answeredIn(edges: Edges): number | 'none' | 'unknown' {
  return startsWithMethod(edges) ? 'none' : (idAtEdges(edges) ?? 'unknown');
}

function idAtEdges({ head, tail }: Edges): number | undefined {
  const found =
    /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*"?(\d{1,15})"?\s*,\s*"(?:result|error)"/.exec(head) ??
    /[\]}]\s*,\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*"?(\d{1,15})"?\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/.exec(
      tail,
    );
  return found ? Number(found[1]) : undefined;
}

const startsWithMethod = ({ head }: Edges): boolean =>
  /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?(?:"id"\s*:\s*[^,]{1,64},\s*)?"method"\s*:/.test(head);

export const tooLarge = (name: string, bytes: number): SwitchboardError =>
  new SwitchboardError('SWB_REPLY_TOO_LARGE', `Server '${name}' sent a message over the limit of ${bytes} bytes.`);
