/**
 * What is pinned of a server: tools, prompts, resource templates, agents as their lists describe them, and its
 * instructions. Resources are data and change by nature; they are not pinned.
 *
 * Of a definition everything is pinned, unknown fields and `_meta` included (it links a tool to its user
 * interface), but for `icons`, which no model reads and servers keep under versioned addresses, and `lastModified` of a
 * template.
 * @module
 */
import { hash } from 'node:crypto';
import type { CatalogKind, Entry } from '../../core/upstream.ts';
import { canonicalJson } from '../../wire/json/canonical.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

export const LOCKED_KINDS = ['tools', 'prompts', 'templates', 'agents'] as const;

export type LockedKind = (typeof LOCKED_KINDS)[number];

export const isLockedKind = (kind: string): kind is LockedKind => (LOCKED_KINDS as readonly string[]).includes(kind);

export interface Pin {
  /** `sha256-` and base64url, of the canonical JSON of what is pinned. */
  hash: string;
  /** What is pinned. Undefined where it is too large: then {@link fields} shows which part of it changed. */
  definition?: unknown;
  /** Hashes of the members of a large definition. */
  fields?: Readonly<Record<string, string>>;
  /**
   * Hash of the server's bytes, where these have a member twice: parsers disagree about which one counts, so one of them
   * could change without the definition changing.
   */
  bytes?: string;
}

export interface ServerPins {
  instructions: Pin | undefined;
  items: Readonly<Record<LockedKind, ReadonlyMap<string, Pin>>>;
}

/** Characters of the indented text in the file; larger definitions are stored as hashes. */
const MAX_DEFINITION = 128 * 1024;
const MAX_FIELDS = 100;

export const sha256 = (text: string | Buffer): string => `sha256-${hash('sha256', text, 'base64url')}`;

/** What the hash of a pin is made of. */
export const pinHash = (canonical: string, bytes: string | undefined): string => sha256(canonical + (bytes ?? ''));

export function pinEntry(kind: LockedKind, { value, raw }: Entry): Pin {
  const definition = pinned(kind, value);
  const bytes = raw !== undefined && repeatsMembers(raw, value) ? sha256(raw) : undefined;
  return pin(definition, bytes);
}

export const pinInstructions = (text: string): Pin => pin(text, undefined);

/** The hash alone, which is all a check needs. */
export function entryHash(kind: LockedKind, { value, raw }: Entry): string {
  const bytes = raw !== undefined && repeatsMembers(raw, value) ? sha256(raw) : undefined;
  return pinHash(canonicalJson(pinned(kind, value)), bytes);
}

export const instructionsHash = (text: string): string => pinHash(canonicalJson(text), undefined);

/** Everything a server offers now. */
export function pinServer(
  entries: (kind: LockedKind) => readonly Entry[],
  instructions: string | undefined,
): ServerPins {
  const of = (kind: LockedKind): Map<string, Pin> =>
    new Map(entries(kind).map((entry) => [entry.key, pinEntry(kind, entry)]));
  return {
    instructions: instructions ? pinInstructions(instructions) : undefined,
    items: { tools: of('tools'), prompts: of('prompts'), templates: of('templates'), agents: of('agents') },
  };
}

function pin(definition: unknown, bytes: string | undefined): Pin {
  const text = canonicalJson(definition);
  const result: Pin = { hash: pinHash(text, bytes) };
  // Indentation multiplies what is deeply nested.
  const fits = text.length <= MAX_DEFINITION && JSON.stringify(JSON.parse(text), null, 2).length <= MAX_DEFINITION;
  if (fits) result.definition = JSON.parse(text);
  else if (isObject(definition)) result.fields = hashesOf(definition);
  if (bytes !== undefined) result.bytes = bytes;
  return result;
}

function pinned(kind: CatalogKind, value: JsonObject): JsonObject {
  const { icons: _icons, ...rest } = value;
  if (kind === 'templates' && isObject(rest.annotations) && 'lastModified' in rest.annotations) {
    const { lastModified: _at, ...annotations } = rest.annotations;
    rest.annotations = annotations;
  }
  return rest;
}

const hashesOf = (definition: JsonObject): Record<string, string> =>
  Object.fromEntries(
    Object.keys(definition)
      .sort()
      .slice(0, MAX_FIELDS)
      .map((name) => [name, sha256(canonicalJson(definition[name]))]),
  );

/** Every member has a colon outside of strings, and parsing keeps one of those that share a name. */
function repeatsMembers(raw: Buffer, value: JsonObject): boolean {
  let colons = 0;
  let inString = false;
  for (let i = 0; i < raw.length; i++) {
    const byte = raw[i];
    if (inString && byte === 0x5c) i++;
    else if (byte === 0x22) inString = !inString;
    else if (byte === 0x3a && !inString) colons++;
  }
  return colons !== countMembers(value);
}

function countMembers(root: unknown): number {
  let count = 0;
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    const inner = Object.values(value);
    if (!Array.isArray(value)) count += inner.length;
    for (const each of inner) open.push(each);
  }
  return count;
}
