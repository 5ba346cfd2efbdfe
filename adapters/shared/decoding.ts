/**
 * Undoes the `content-encoding` of a response, chunk by chunk. Requests ask for `identity`; some servers, and proxies in front
 * of them, compress all the same (RFC 9110, section 12.5.3, lets them).
 *
 * Nothing here gathers a body: what comes out goes to the sink at once, and the sink's limits count decoded bytes. The
 * decoders read no further while the sink works or rests, so a few bytes that decode to gigabytes cost no memory.
 * @module
 */
import type { Transform } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import { SwitchboardError } from '../../src/core/errors.ts';

/** Most codings of one reply: each has buffers of its own, so their number is bounded. */
const MAX_CODINGS = 3;

/** What RFC 9659 allows of `zstd` on the web: 8 MiB, as a power of two. */
const ZSTD_WINDOW = 23;

type NewDecoder = (first: number) => Transform;

// A body that stops before its checksum is passed on as far as it goes: whether it is whole shows in what it says.
const flushed = { finishFlush: constants.Z_SYNC_FLUSH };

const gunzip: NewDecoder = () => createGunzip(flushed);

const DECODERS: Readonly<Record<string, NewDecoder>> = {
  gzip: gunzip,
  'x-gzip': gunzip,
  // Some servers leave out the zlib header, whose first byte ends in 8.
  deflate: (first) => ((first & 0x0f) === 8 ? createInflate(flushed) : createInflateRaw(flushed)),
  br: () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH }),
  zstd: () =>
    createZstdDecompress({
      finishFlush: constants.ZSTD_e_flush,
      params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW },
    }),
};

export interface DecodedBody {
  /** Milliseconds to rest before the next piece is taken; 0 for none. */
  data(chunk: Buffer): number;
  end(): void;
  error(error: Error): void;
  /** The decoders have room again, after {@link Decoding.push} returned false. */
  drained(): void;
}

/**
 * The codings a response names, in the order they were applied, without `identity`; undefined where there are none. `names` is
 * the value of `content-encoding`.
 */
export function codingsOf(names: string | string[] | undefined): readonly string[] | undefined {
  if (names === undefined) return undefined;
  const codings = String(names)
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  return codings.length === 0 ? undefined : codings;
}

export class Decoding {
  readonly #codings: readonly string[];
  readonly #name: string;
  readonly #body: DecodedBody;
  #first: Transform | undefined;
  #all: Transform[] = [];
  #resting: NodeJS.Timeout | undefined;
  #over = false;

  /** `name`: the server's, for messages. */
  constructor(codings: readonly string[], name: string, body: DecodedBody) {
    this.#codings = codings;
    this.#name = name;
    this.#body = body;
  }

  /** False when no more is to be sent until `drained` is called. */
  push(chunk: Buffer): boolean {
    if (this.#over || chunk.length === 0) return true;
    this.#first ??= this.#begin(chunk[0] as number);
    return this.#first?.write(chunk) ?? true;
  }

  end(): void {
    if (this.#over) return;
    if (this.#first) this.#first.end();
    else {
      this.#over = true;
      this.#body.end();
    }
  }

  /** Ends the decoding; nothing of the body is called any more. */
  stop(): void {
    this.#over = true;
    clearTimeout(this.#resting);
    for (const each of this.#all) each.destroy();
  }

  #begin(firstByte: number): Transform | undefined {
    const makers = this.#codings.map((coding) => DECODERS[coding]);
    const unknown = this.#codings.find((_, i) => makers[i] === undefined);
    if (unknown !== undefined || makers.length > MAX_CODINGS) {
      const how = unknown === undefined ? `${makers.length} times over` : `as '${unknown.slice(0, 40)}'`;
      this.#fail(`compresses its reply ${how}, which is not read here`);
      return undefined;
    }
    // The last coding applied is the first to be undone; only its first byte is known.
    const chain = makers.reverse().map((make, i) => (make as NewDecoder)(i === 0 ? firstByte : 8));
    this.#all = chain;
    for (const each of chain) {
      each.on('error', (error) => this.#fail('sends a compressed reply that cannot be read', error));
    }
    const first = chain[0] as Transform;
    const last = chain.reduce((from, to) => from.pipe(to));
    first.on('drain', () => this.#body.drained());
    last.on('data', (piece: Buffer) => {
      if (this.#over) return;
      const rest = this.#body.data(piece);
      if (rest === 0 || this.#over) return;
      last.pause();
      this.#resting = setTimeout(() => last.resume(), rest);
    });
    last.on('end', () => {
      if (this.#over) return;
      this.#over = true;
      this.#body.end();
    });
    return first;
  }

  #fail(what: string, cause?: unknown): void {
    if (this.#over) return;
    this.stop();
    this.#body.error(new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${this.#name}' ${what}.`, { cause }));
  }
}
