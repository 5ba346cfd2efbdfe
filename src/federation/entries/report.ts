/**
 * Writes into the log what was made of the entries of a list: those that are left out, and those that were mended.
 * @module
 */
import type { Log } from '../../core/log.ts';
import { shorten } from '../../core/text.ts';
import type { CatalogKind } from '../../core/upstream.ts';
import type { SkippedEntry } from '../types.ts';

/** Entries of one list that are reported one by one. */
export const MAX_SKIPPED = 20;
const MAX_NAME = 200;

export interface JudgedList {
  server: string;
  kind: CatalogKind;
  skipped: readonly SkippedEntry[];
  /** Those of the list before, which the log has already. */
  before: readonly SkippedEntry[];
  /** Names. */
  mended: readonly string[];
}

export function reportJudged({ server, kind: list, skipped, before, mended }: JudgedList, log: Log): void {
  const known = new Set(before.map(({ name, reason }) => `${name} ${reason}`));
  for (const { name, reason, clients } of skipped.slice(0, MAX_SKIPPED)) {
    if (known.has(`${name} ${reason}`)) continue;
    const fields = { server, list, entry: shorten(name, MAX_NAME), reason, clients };
    log.warn(fields, 'An entry that clients cannot read is left out of lists.');
  }
  if (skipped.length > MAX_SKIPPED)
    log.warn({ server, list, entries: skipped.length - MAX_SKIPPED }, 'More entries are left out of lists.');
  if (mended.length === 0) return;
  const names = mended.slice(0, MAX_SKIPPED).map((name) => shorten(name, MAX_NAME));
  log.info({ server, list, entries: mended.length, names }, 'Entries that strict clients refuse were mended.');
}
