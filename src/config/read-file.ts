/**
 * Reads files that people write, bounded in size, with the reason in words where one cannot be read.
 * @module
 */
import { readFile, stat } from 'node:fs/promises';
import { sha256 } from '../core/hash.ts';
import { decodeFile } from '../core/text.ts';

export const MAX_FILE_BYTES = 4 * 1024 * 1024;

export type FileText = { text: string; problem?: undefined } | { text?: undefined; problem: string };

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'this is a folder; name the file in it',
  EACCES: 'it may not be read by this user',
};

/** The text of a file, or what is wrong with it: a sentence without its full stop. */
export async function readTextFile(file: string): Promise<FileText> {
  try {
    if ((await stat(file)).size > MAX_FILE_BYTES) {
      return { problem: `the file is over ${MAX_FILE_BYTES} bytes, which is more than is read` };
    }
    return { text: decodeFile(await readFile(file)) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    return { problem: PROBLEMS[code] ?? `it cannot be read (${code || 'unknown reason'})` };
  }
}

/** More are no configuration, and each is watched. */
const MAX_NAMED_FILES = 1_000;

/**
 * The files of one load: the configuration itself, policy documents, modules of hooks. Each is read once, and what it held is
 * remembered, also when loading fails: an edit of any of them is an edit of the configuration, and the one that mends a
 * broken document is too.
 */
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
