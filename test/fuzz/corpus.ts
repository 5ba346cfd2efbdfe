/**
 * Recorded inputs, a file each: found by a run or written by hand. A file is named after the behaviour it reaches, or after
 * the finding that it was.
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Input } from './fuzzer.ts';

const FOLDER = join(import.meta.dirname, 'corpus');
/** Longer ones are not worth keeping. */
const MAX_BYTES = 2_048;
/** Of one fuzzer. */
const MAX_FILES = 30;

export function readCorpus(fuzzer: string): Input[] {
  const folder = join(FOLDER, fuzzer);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')));
}

/** Records an input, in place of a longer one of the same behaviour. False where it is too long or the corpus is full. */
export function record(fuzzer: string, name: string, input: Input, isFinding = false): string | undefined {
  const folder = join(FOLDER, fuzzer);
  const text = `${JSON.stringify(input, undefined, 1)}\n`;
  if (text.length > MAX_BYTES && !isFinding) return undefined;
  mkdirSync(folder, { recursive: true });
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 12);
  const file = join(folder, `${isFinding ? 'finding-' : ''}${hash}.json`);
  if (!isFinding && !existsSync(file) && readdirSync(folder).length >= MAX_FILES) return undefined;
  if (existsSync(file) && readFileSync(file, 'utf8').length <= text.length) return undefined;
  writeFileSync(file, text);
  return file;
}
