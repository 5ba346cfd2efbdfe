/**
 * Judges the entries of a fetched list as the strictest common clients do: the official SDKs refuse a whole list for one
 * entry they cannot read, and in the merged view that would be every server's. What is plainly meant is mended in the
 * entry's bytes; an entry that cannot be mended is left out, for every client or for legacy ones alone.
 * @module
 */
import type { CatalogKind, Entry, LegacyForm } from '../../core/upstream.ts';
import type { Era } from '../../wire/eras.ts';
import { parseText } from '../../wire/json/parse.ts';
import { editPaths, type PathEdit } from '../../wire/json/splice.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { SkippedEntry } from '../types.ts';
import { Findings } from './findings.ts';
import { checkMembers } from './members.ts';
import { checkInputSchema, checkOutputSchema } from './schemas.ts';

type ListedKind = Exclude<CatalogKind, 'agents'>;

export interface Judged {
  /** Those that some client can read. */
  entries: Entry[];
  skipped: SkippedEntry[];
  /** Names of entries that were mended. */
  mended: string[];
}

/** `era` is the server's: it says what an output schema without a type means. */
export function judgeEntries(kind: CatalogKind, fetched: readonly Entry[], era: Era): Judged {
  const judged: Judged = { entries: [], skipped: [], mended: [] };
  for (const entry of fetched) {
    if (kind === 'agents') judged.entries.push(entry);
    else judgeEntry(kind, entry, era, judged);
  }
  return judged;
}

function judgeEntry(kind: ListedKind, entry: Entry, era: Era, judged: Judged): void {
  const skip = (reason: string, clients: SkippedEntry['clients']): void => {
    judged.skipped.push({ list: kind, name: entry.key, reason, clients });
  };
  try {
    const found = new Findings();
    checkMembers(kind, entry.value, found);
    if (kind === 'tools') {
      checkInputSchema(entry.value, found);
      checkOutputSchema(entry.value, era, found);
    }
    if (found.unreadable !== undefined) {
      skip(found.unreadable, 'all');
      return;
    }
    const mended = found.edits.length > 0 ? edited(entry, found.edits) : entry;
    if (mended !== entry) judged.mended.push(entry.key);
    if (found.legacyUnreadable !== undefined) skip(found.legacyUnreadable, 'legacy');
    const legacy = legacyForm(found);
    judged.entries.push(legacy === undefined ? mended : { ...mended, legacy });
  } catch (error) {
    // Nested so deep, or so malformed, that it cannot be looked at.
    skip(`it cannot be read: ${error instanceof Error ? error.message : 'it is malformed'}`, 'all');
  }
}

function legacyForm({ legacyUnreadable, legacyEdits, wrapsOutput }: Findings): LegacyForm | false | undefined {
  if (legacyUnreadable !== undefined) return false;
  return legacyEdits.length > 0 ? { edits: legacyEdits, wrapsOutput } : undefined;
}

function edited({ key, value, raw }: Entry, edits: readonly PathEdit[]): Entry {
  const bytes = editPaths(raw ?? Buffer.from(JSON.stringify(value)), edits);
  const mended = parseText(bytes.toString('utf8')) as JsonObject;
  return raw ? { key, value: mended, raw: bytes } : { key, value: mended };
}
