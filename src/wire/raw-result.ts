/**
 * A JSON-RPC result as bytes: its chunks as they arrived, and what the one scan of them found.
 * @module
 */
import { outline, type ResultOutline } from './json/outline.ts';
import { joined, type Pieces } from './pieces.ts';

export class RawResult {
  readonly pieces: Pieces;
  /** What the scan found; undefined where it no longer describes these bytes. */
  readonly members: ResultOutline | undefined;
  /** Text that stands before the bytes and makes one JSON value with them. */
  readonly prefix: string | undefined;
  #raw: Buffer | undefined;

  constructor(pieces: Pieces, members?: ResultOutline, prefix?: string) {
    this.pieces = pieces;
    this.members = members;
    this.prefix = prefix;
  }

  /** The bytes in one buffer, without the prefix: copied together on first use. */
  get raw(): Buffer {
    this.#raw ??= joined(this.pieces);
    return this.#raw;
  }
}

const HEAD = Buffer.from('{"result":');
const TAIL = Buffer.from('}');

/** Scans a result that was not scanned as part of its message. Throws `JsonScanError` when it is no object. */
export function outlineOfResult(raw: Buffer): ResultOutline {
  const { members, result } = outline([HEAD, raw, TAIL]);
  if (!members || !result) throw new TypeError('The result is no object.');
  const before = result.start - HEAD.length;
  members.first += before;
  members.cutStart += before;
  members.cutEnd += before;
  members.metaStart += before;
  members.metaEnd += before;
  members.metaCutStart += before;
  members.metaCutEnd += before;
  members.structuredStart += before;
  members.structuredEnd += before;
  return members;
}
