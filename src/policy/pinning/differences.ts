/**
 * Compares the pins of a server with what it offers now, and shows a person the differences: member by member, long texts cut
 * around the difference.
 * @module
 */
import { shorten } from '../../core/text.ts';
import { visible, visibleJson } from '../../core/visible.ts';
import { canonicalJson } from '../../wire/json/canonical.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { LOCKED_KINDS, type LockedKind, type Pin, type ServerPins } from './pins.ts';

export interface Difference {
  /** `inputSchema.properties.a.description`; empty: the whole definition. */
  path: string;
  /** Undefined: the member was absent. */
  before: string | undefined;
  after: string | undefined;
}

const MAX_DIFFERENCES = 20;
const MAX_DEPTH = 16;
/** Characters shown on either side of the difference in a text, and of the difference itself. */
const CONTEXT = 40;
const MAX_SHOWN = 240;
const TOO_LARGE = '(too large to be shown)';

export function differences(before: Pin, after: Pin): Difference[] {
  const found: Difference[] = [];
  if (before.definition !== undefined && after.definition !== undefined) {
    walk('', before.definition, after.definition, found, 0);
  } else if (before.fields !== undefined || after.fields !== undefined) {
    compareFields(before, after, found);
  } else if (before.hash !== after.hash) {
    found.push({ path: '', before: TOO_LARGE, after: TOO_LARGE });
  }
  if (before.bytes !== after.bytes) {
    found.push({ path: '(bytes with a member said twice)', before: before.bytes, after: after.bytes });
  }
  return found;
}

/** Lines for the log and the terminal. */
export function differenceLines(before: Pin, after: Pin): string[] {
  const found = differences(before, after);
  const lines = found.slice(0, MAX_DIFFERENCES).flatMap(({ path, before: was, after: is }) => {
    const name = path === '' ? '' : `${visible(path).slice(1, -1)}: `;
    return [was === undefined ? [] : [`- ${name}${was}`], is === undefined ? [] : [`+ ${name}${is}`]].flat();
  });
  if (found.length > MAX_DIFFERENCES) lines.push('… and more');
  return lines;
}

function walk(path: string, before: unknown, after: unknown, found: Difference[], depth: number): void {
  if (found.length > MAX_DIFFERENCES || canonicalJson(before) === canonicalJson(after)) return;
  if (isObject(before) && isObject(after) && depth < MAX_DEPTH) {
    for (const name of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
      const at = path === '' ? name : `${path}.${name}`;
      const was = Object.hasOwn(before, name) ? before[name] : undefined;
      const is = Object.hasOwn(after, name) ? after[name] : undefined;
      if (was === undefined || is === undefined) {
        const shown = (value: unknown) => (value === undefined ? undefined : wholeText(value));
        found.push({ path: at, before: shown(was), after: shown(is) });
      } else {
        walk(at, was, is, found, depth + 1);
      }
      if (found.length > MAX_DIFFERENCES) return;
    }
    return;
  }
  if (typeof before === 'string' && typeof after === 'string') {
    found.push({ path, ...aroundDifference(before, after, visible) });
  } else {
    const [was, is] = [canonicalJson(before), canonicalJson(after)];
    found.push({ path, ...aroundDifference(was, is, visibleJson) });
  }
}

type Hashes = ReadonlyMap<string, string>;

function compareFields(before: Pin, after: Pin, found: Difference[]): void {
  const hashesOf = ({ fields }: Pin): Hashes => new Map(Object.entries(fields ?? {}));
  const [was, is] = [hashesOf(before), hashesOf(after)];
  for (const name of [...new Set([...was.keys(), ...is.keys()])].sort()) {
    if (was.get(name) === is.get(name)) continue;
    const shown = (hashes: Hashes) => (hashes.has(name) ? TOO_LARGE : undefined);
    found.push({ path: name, before: shown(was), after: shown(is) });
  }
}

const wholeText = (value: unknown): string =>
  typeof value === 'string'
    ? visible(shorten(value, MAX_SHOWN))
    : visibleJson(shorten(canonicalJson(value), MAX_SHOWN));

function aroundDifference(before: string, after: string, show: (text: string) => string) {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  let end = 0;
  while (end < shorter - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  const window = (text: string): string => {
    const from = Math.max(0, start - CONTEXT);
    const to = Math.min(text.length - end + CONTEXT, start + MAX_SHOWN, text.length);
    const shown = show(text.slice(from < 4 ? 0 : from, text.length - to < 4 ? text.length : to));
    return `${from < 4 ? '' : '…'}${shown}${text.length - to < 4 ? '' : '…'}`;
  };
  return { before: window(before), after: window(after) };
}

export interface LockChange {
  server: string;
  kind: LockedKind | 'instructions';
  /** Empty for instructions. */
  key: string;
  change: 'added' | 'changed' | 'removed';
  /** Lines that begin with `-` or `+`; empty unless it changed. */
  diff: readonly string[];
}

const NOUNS: Readonly<Record<LockChange['kind'], string>> = {
  tools: 'tool',
  prompts: 'prompt',
  templates: 'resource template',
  agents: 'agent',
  instructions: 'instructions',
};

const SIGNS: Readonly<Record<LockChange['change'], string>> = { added: '+', changed: '~', removed: '-' };

/** In a fixed order: instructions, then each kind, sorted by key. A server without pins had nothing. */
export function compareServer(server: string, before: ServerPins | undefined, after: ServerPins): LockChange[] {
  const changes: LockChange[] = [];
  const compare = (kind: LockChange['kind'], key: string, was: Pin | undefined, is: Pin | undefined): void => {
    if (was?.hash === is?.hash) return;
    const change = was === undefined ? 'added' : is === undefined ? 'removed' : 'changed';
    changes.push({ server, kind, key, change, diff: was && is ? differenceLines(was, is) : [] });
  };
  compare('instructions', '', before?.instructions, after.instructions);
  for (const kind of LOCKED_KINDS) {
    const [was, is] = [before?.items[kind], after.items[kind]];
    for (const key of [...new Set([...(was?.keys() ?? []), ...is.keys()])].sort()) {
      compare(kind, key, was?.get(key), is.get(key));
    }
  }
  return changes;
}

/** `tool "add"`: fit for a terminal, whatever its name is. */
export const nameOf = (kind: LockChange['kind'], key: string): string =>
  kind === 'instructions' ? 'instructions' : `${NOUNS[kind]} ${visible(shorten(key, 200))}`;

export const changeLines = ({ kind, key, change, diff }: LockChange): string[] => [
  `${SIGNS[change]} ${nameOf(kind, key)}`,
  ...diff.map((line) => `    ${line}`),
];
