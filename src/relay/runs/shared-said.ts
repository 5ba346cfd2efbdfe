/**
 * What a run says, for processes on the same state that do not read the run: they ask the one that reads it over the bus, which
 * sends what was said so far and then each piece. Who asks says again every second how far it has come, so a message that is lost is
 * sent again, and one that asks no more is forgotten.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { ReplicaId } from '../../state/replica.ts';
import type { Bus } from '../../state/state.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { Said } from './said.ts';

/** Pieces are sent together where several come within this time, in milliseconds. */
const GATHER_MS = 40;
const ASK_EVERY_MS = 1_000;
const FORGET_AFTER_MS = 5_000;
/** A run that has ended can still be read by those that have not got all of it. */
const KEEP_MS = 30_000;
/** Of the pieces of one message, in characters. */
const MAX_SENT = 64 * 1024;

/** A run that another process reads, as it is heard here. */
export interface Hearing {
  readonly said: Said;
  /** Resolves when the process that reads it has told what was said so far. */
  readonly known: Promise<void>;
  /** Which process reads it now. */
  from(replica: ReplicaId): void;
  close(): void;
}

/** Another process that hears a run of this one. */
interface Listening {
  /** What it calls this hearing: one that began anew takes nothing that was sent before. */
  as: string;
  section: number;
  index: number;
  until: number;
  gathering: NodeJS.Timeout | undefined;
  stop(): void;
}

interface Heard {
  as: string;
  said: Said;
  known: PromiseWithResolvers<void>;
  from: ReplicaId | undefined;
  readers: number;
  timer: NodeJS.Timeout | undefined;
}

export class SharedSaid {
  readonly #bus: Bus;
  readonly #own = new Map<string, Said>();
  readonly #listening = new Map<string, Listening>();
  readonly #heard = new Map<string, Heard>();
  readonly #stop: () => void;

  constructor({ bus, replica }: { bus: Bus; replica: ReplicaId }) {
    this.#bus = bus;
    this.#stop = bus.subscribe(topicOf(replica), (message, from) => this.#received(message, from));
  }

  /** A run that this process reads. Returns what is called when it has ended. `isKept`: other processes can find it. */
  reads(run: string, said: Said): (isKept: boolean) => void {
    this.#own.set(run, said);
    const forget = (): void => {
      if (this.#own.get(run) !== said) return;
      this.#own.delete(run);
      for (const [key, listening] of this.#listening) if (key.endsWith(` ${run}`)) this.#forget(key, listening);
    };
    return (isKept) => {
      said.stir();
      if (isKept) setTimeout(forget, KEEP_MS).unref();
      else forget();
    };
  }

  /** A run that another process reads. Every reader here shares one. */
  hear(run: string): Hearing {
    let heard = this.#heard.get(run);
    if (!heard) {
      const [as, known] = [randomUUID(), Promise.withResolvers<void>()];
      heard = { as, said: new Said(), known, from: undefined, readers: 0, timer: undefined };
      this.#heard.set(run, heard);
    }
    const shared = heard;
    shared.readers++;
    let isOpen = true;
    return {
      said: shared.said,
      known: shared.known.promise,
      from: (replica) => {
        if (isOpen && shared.from !== replica) this.#askOf(run, shared, replica);
      },
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        if (--shared.readers > 0) return;
        clearInterval(shared.timer);
        this.#heard.delete(run);
      },
    };
  }

  close(): void {
    this.#stop();
    for (const [key, listening] of this.#listening) this.#forget(key, listening);
    for (const { timer } of this.#heard.values()) clearInterval(timer);
    this.#own.clear();
    this.#heard.clear();
  }

  #askOf(run: string, heard: Heard, replica: ReplicaId): void {
    heard.from = replica;
    clearInterval(heard.timer);
    const ask = (): void => {
      const { section, count } = heard.said;
      this.#bus.publish(topicOf(replica), { run, as: heard.as, section, index: count });
    };
    heard.timer = setInterval(ask, ASK_EVERY_MS).unref();
    ask();
  }

  #received(message: unknown, from: ReplicaId): void {
    if (!isObject(message) || typeof message.run !== 'string') return;
    if (Array.isArray(message.pieces)) this.#told(message);
    else this.#asked(message, from);
  }

  #asked(message: JsonObject, by: ReplicaId): void {
    const run = String(message.run);
    const said = this.#own.get(run);
    if (!said) return;
    const asked = { as: String(message.as), section: Number(message.section), index: Number(message.index) };
    const key = `${by} ${run}`;
    let listening = this.#listening.get(key);
    if (!listening) {
      const made: Listening = { ...asked, until: 0, gathering: undefined, stop: () => {} };
      made.stop = said.onChange(() => {
        made.gathering ??= setTimeout(() => this.#send(key, run, said, by), GATHER_MS).unref();
      });
      this.#listening.set(key, made);
      listening = made;
    }
    Object.assign(listening, { ...asked, until: Date.now() + FORGET_AFTER_MS });
    this.#send(key, run, said, by);
  }

  /** Also with no piece: who hears it looks how the run stands. */
  #send(key: string, run: string, said: Said, to: ReplicaId): void {
    const listening = this.#listening.get(key);
    if (!listening) return;
    clearTimeout(listening.gathering);
    listening.gathering = undefined;
    if (listening.until < Date.now()) {
      this.#forget(key, listening);
      return;
    }
    const { section, start, isWhole: whole } = said;
    let index = listening.section === section ? listening.index : 0;
    do {
      const first = Math.max(index, start);
      const pieces = enough(said.from(first));
      this.#bus.publish(topicOf(to), { run, as: listening.as, section, start, first, whole, pieces });
      index = first + pieces.length;
    } while (index < said.count);
    Object.assign(listening, { section, index });
  }

  #forget(key: string, { gathering, stop }: Listening): void {
    clearTimeout(gathering);
    stop();
    this.#listening.delete(key);
  }

  #told({ run, as, section, start, first, whole, pieces }: JsonObject): void {
    const heard = this.#heard.get(String(run));
    if (!heard || heard.as !== as) return;
    const { said } = heard;
    const at = Number(first);
    const from = Number(start);
    // Pieces between those heard here and those there are gone: of another process, or dropped.
    const isAnother = Number(section) !== said.section || said.count === 0 || from > said.count;
    if (isAnother) said.begin(Number(section), from, whole === true);
    // Otherwise a message was lost: what is asked for next brings it.
    if (at <= said.count) {
      const known = said.count - at;
      for (const piece of (pieces as unknown[]).slice(known)) said.add(String(piece));
      heard.known.resolve();
    }
    said.stir();
  }
}

const topicOf = (replica: ReplicaId): string => `replica:${replica}`;

/** The first of these pieces, as many as one message takes. */
function enough(pieces: readonly string[]): string[] {
  let length = 0;
  const taken: string[] = [];
  for (const piece of pieces) {
    if (taken.length > 0 && length + piece.length > MAX_SENT) break;
    taken.push(piece);
    length += piece.length;
  }
  return taken;
}
