/**
 * Takes over what earlier versions kept as one JSON file per namespace. A file that was taken over, or that does not
 * parse, stays beside the database under another name.
 * @module
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../core/log.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { windowOf, windowOfId } from '../counting.ts';
import type { JsonValue, StateLimits } from '../state.ts';
import type { CounterRow } from '../windows.ts';
import { SqliteRows } from './counters.ts';
import { type Database, setAside } from './database.ts';

/** Every namespace there was. Other files in the folder are not the state's. */
const NAMESPACES = ['approvals', 'audit', 'counters', 'eras', 'runtime-servers'] as const;
const FORMAT = 1;
const KEY_BYTES = 32;

type Entries = [key: string, value: JsonValue][];

interface Target {
  state: Database;
  shared: Database;
  limits: StateLimits;
  log: Log;
}

/** Synchronous: nothing reads the state before it is complete. */
export function takeOverOldFiles(folder: string, target: Target): void {
  const found = NAMESPACES.filter((namespace) => existsSync(fileOf(folder, namespace)));
  if (found.length === 0) return;
  const { state, shared, log } = target;
  const taken = state.exclusively(() =>
    shared.exclusively(() => found.filter((namespace) => take(namespace, fileOf(folder, namespace), target))),
  );
  // Not before it is committed. A file that is found again adds nothing.
  for (const namespace of taken) {
    const aside = setAside(fileOf(folder, namespace), 'imported');
    log.info({ namespace, aside }, 'A state file of an earlier version was taken over.');
  }
}

const fileOf = (folder: string, namespace: string): string => join(folder, `${namespace}.json`);

function take(namespace: string, file: string, target: Target): boolean {
  const entries = entriesOf(file, target.limits);
  if (entries === undefined) {
    const aside = setAside(file, 'corrupt');
    target.log.warn({ file, aside }, 'A state file could not be read; it was set aside and starts empty.');
  } else if (namespace === 'counters') takeCounters(entries, target);
  else takeEntries(namespace, entries, target.state);
  return entries !== undefined;
}

function takeEntries(namespace: string, entries: Entries, db: Database): void {
  // A file that comes back (an earlier version ran once more) must not undo what was decided since.
  const put = db.prepare('INSERT OR IGNORE INTO entries (namespace, key, value) VALUES (?, ?, ?)');
  for (const [key, value] of entries) put.run(namespace, JSON.stringify(key), JSON.stringify(value));
  if (namespace !== 'audit') return;
  // Of several keys that were made at the same time, the first one was used by all.
  const key = entries.find(([name, value]) => name.startsWith('key-') && isKey(value));
  if (key) put.run('secrets', '"audit"', JSON.stringify(key[1]));
}

const isKey = (value: JsonValue): boolean =>
  typeof value === 'string' && Buffer.from(value, 'base64url').length === KEY_BYTES;

function takeCounters(pages: Entries, { shared, log }: Target): void {
  const rows = new SqliteRows(shared);
  try {
    for (const [id, row] of pages.flatMap(([, page]) => countsOf(page))) {
      const window = windowOfId(id);
      if (window && rows.find(id) === undefined) rows.save(id, window, row);
    }
  } catch (error) {
    log.warn({ err: error }, 'The counts of limits could not be read: they start at nothing.');
  }
}

/** Throws when it is no page of counts. */
function countsOf(page: JsonValue): [id: string, row: CounterRow][] {
  if (!isObject(page) || page.format !== FORMAT || !Array.isArray(page.counts)) throw new Error('not a page of counts');
  return page.counts.map((pair: unknown): [string, CounterRow] => {
    const [id, numbers] = Array.isArray(pair) ? pair : [];
    const window = typeof id === 'string' ? windowOfId(id) : undefined;
    if (!window || !Array.isArray(numbers) || !numbers.every(Number.isFinite)) throw new Error('not a count');
    const row = window.sliding ? slotsOf(numbers) : [...numbers, numbers[0]];
    if (!windowOf(window).isRow(row)) throw new Error('not a count');
    return [id as string, row];
  });
}

/** Slots had three numbers; the fourth is their ticket. */
function slotsOf(numbers: readonly number[]): CounterRow {
  const row = numbers.flatMap((each, at) => (at % 3 === 2 ? [each, numbers[at - 2] as number] : [each]));
  return numbers.length % 3 === 0 ? row : [];
}

/** Pairs, not an object: objects put keys that look like numbers first. Undefined when the text is no state. */
function entriesOf(file: string, { maxNamespaceBytes }: StateLimits): Entries | undefined {
  try {
    if (statSync(file).size > 2 * maxNamespaceBytes) return undefined;
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (!isObject(parsed) || parsed.format !== FORMAT || !Array.isArray(parsed.entries)) return undefined;
    const isPair = (entry: unknown): boolean =>
      Array.isArray(entry) && entry.length === 2 && typeof entry[0] === 'string';
    return parsed.entries.every(isPair) ? (parsed.entries as Entries) : undefined;
  } catch (error) {
    // Another process has taken it over since.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? [] : undefined;
  }
}
