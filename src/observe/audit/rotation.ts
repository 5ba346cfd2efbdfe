/**
 * Names of files that were moved aside by size: `audit.jsonl`, then `audit.1.jsonl` (the newest), `audit.2.jsonl`, …
 * @module
 */
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';

export function rotatedName(file: string, number: number): string {
  const extension = extname(file);
  return join(dirname(file), `${basename(file, extension)}.${number}${extension}`);
}

/** Moves the file aside; the oldest of `keep` goes. What is not there is no error. */
export async function rotate(file: string, keep: number): Promise<void> {
  if (keep === 0) return rm(file, { force: true });
  for (let number = keep - 1; number >= 1; number--) {
    await renameIfThere(rotatedName(file, number), rotatedName(file, number + 1));
  }
  await renameIfThere(file, rotatedName(file, 1));
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
