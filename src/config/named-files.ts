/**
 * The files a configuration names besides itself whose text is part of it: policy documents and modules of hooks. Each is
 * read once per load, and what it held is kept, also when loading fails: an edit of any of them is an edit of the
 * configuration, and the one that mends a broken document is too.
 * @module
 */
import { sha256 } from '../core/hash.ts';
import { type FileText, readTextFile } from './read-file.ts';

/** More are no configuration, and each is watched. */
export const MAX_NAMED_FILES = 1_000;

export class NamedFiles {
  readonly #read = new Map<string, Promise<FileText>>();
  readonly #states = new Map<string, string>();

  /** `file` is absolute. */
  read(file: string): Promise<FileText> {
    let reading = this.#read.get(file);
    if (reading !== undefined) return reading;
    if (this.#read.size >= MAX_NAMED_FILES) {
      return Promise.resolve({ problem: `found more than ${MAX_NAMED_FILES} files; put some documents into one` });
    }
    reading = readTextFile(file).then((result) => {
      this.#states.set(file, stateOf(result));
      return result;
    });
    this.#read.set(file, reading);
    return reading;
  }

  /** By absolute path: the hash of what was read, or why it could not be. */
  get states(): ReadonlyMap<string, string> {
    return this.#states;
  }
}

export const stateOf = ({ text, problem }: FileText): string => (text === undefined ? problem : sha256(text));
