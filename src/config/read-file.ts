/**
 * Reads files a person wrote: bounded, with the reason in words where one cannot be read.
 * @module
 */
import { readFile, stat } from 'node:fs/promises';

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
    return { text: await readFile(file, 'utf8') };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    return { problem: PROBLEMS[code] ?? `it cannot be read (${code || 'unknown reason'})` };
  }
}
