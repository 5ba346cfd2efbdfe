/**
 * Classifies how much harm a tool can do, from its definition: the verb in its name first, then its description and input
 * schema, then its annotations.
 *
 * Everything but the name can only make it stricter, since the server's operator writes it. `readOnlyHint: true` is a claim and
 * never a permission (2025-11-25 server/tools, "annotations are untrusted"), so it counts for nothing; `destructiveHint:
 * true` and `readOnlyHint: false` are believed. The reader of the draft corrects mistakes.
 * @module
 */
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import {
  ALWAYS_DESTRUCTIVE,
  AMOUNT_PARAMETERS,
  CATEGORIES,
  type Category,
  CODE_PARAMETERS,
  MONEY_NOUNS,
  MONEY_PARAMETERS,
  PHRASES,
  VERBS,
} from './words.ts';

export const SEVERITIES = {
  Read: 'Low',
  Other: 'Low',
  Write: 'Medium',
  Execute: 'High',
  Financial: 'Critical',
  Destructive: 'Critical',
} as const satisfies Record<Category, string>;

export interface Classified {
  category: Category;
  severity: (typeof SEVERITIES)[Category];
  /** What it was read from, the deciding one first. */
  why: string;
}

interface Evidence {
  category: Category;
  why: string;
}

/** Longer descriptions are not read to their end. */
const MAX_DESCRIPTION = 8_000;

/** `tool` is the definition as its server lists it; of builtin tools the name alone. */
export function classifyTool(name: string, tool: JsonObject = {}): Classified {
  const description = typeof tool.description === 'string' ? tool.description.slice(0, MAX_DESCRIPTION) : '';
  const byName = ofName(name);
  let decided: Evidence = byName ?? { category: 'Other', why: 'no known verb' };
  for (const evidence of [
    ...ofText(description, byName),
    ...ofSchema(tool.inputSchema, decided),
    ...ofAnnotations(tool),
  ]) {
    if (rank(evidence.category) > rank(decided.category)) decided = evidence;
  }
  return { ...decided, severity: SEVERITIES[decided.category] };
}

const rank = (category: Category): number => CATEGORIES.indexOf(category);

/** `getHTTPPage_v2` → get, http, page, v. */
export const wordsOf = (name: string): string[] =>
  name
    .slice(0, 512)
    .replaceAll(/(\p{Ll}|\d)(\p{Lu})/gu, '$1 $2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}]+/u)
    .filter((word) => word !== '');

/** The first verb says what the name says; what follows it can only raise. Undefined: no verb. */
function ofName(name: string): Evidence | undefined {
  const parts = wordsOf(name);
  const first = parts.findIndex((word) => categoryOfVerb(word) !== undefined || word === 'connect');
  const verb = parts[first];
  if (verb === undefined) return undefined;
  const rest = parts.slice(first + 1);
  const named = (category: Category, word: string): Evidence => ({ category, why: `the name says "${word}"` });
  const found = verb === 'connect' ? named(connecting(rest), verb) : named(categoryOfVerb(verb) ?? 'Other', verb);
  const raising = rest.flatMap((word): Evidence[] => {
    if (ALWAYS_DESTRUCTIVE.has(word)) return [named('Destructive', word)];
    if (found.category === 'Read') return [];
    return MONEY_NOUNS.has(word) ? [named('Financial', word)] : [];
  });
  return raising.reduce((most, each) => (rank(each.category) > rank(most.category) ? each : most), found);
}

/**
 * `connectServer` puts something into a set, which can be taken out again; `mqttConnect` opens a session over which
 * anything can be sent. So are the published policies of both.
 */
const connecting = (rest: readonly string[]): Category => (rest.length > 0 ? 'Write' : 'Execute');

/** A verb of several categories is the first's. */
const categoryOfVerb = (word: string): Category | undefined => CATEGORIES.find((category) => VERBS[category].has(word));

/** `Deletes a file.` says what a name like `file` does not. */
function ofFirstWord(description: string): Evidence | undefined {
  const word = firstVerb(description);
  const category = word === undefined ? undefined : categoryOfVerb(word);
  return category && { category, why: `the description begins with "${word}"` };
}

/** In the form verbs have in names. */
function firstVerb(description: string): string | undefined {
  const word = /^\s*(\p{L}+)/u.exec(description)?.[1]?.toLowerCase();
  if (word === undefined) return undefined;
  const forms = [word, word.replace(/s$/, ''), word.replace(/es$/, ''), word.replace(/ies$/, 'y')];
  return forms.find((form) => categoryOfVerb(form) !== undefined);
}

function ofText(description: string, byName: Evidence | undefined): Evidence[] {
  const found: Evidence[] = [];
  const begins = ofFirstWord(description);
  // `Run` and `create` begin descriptions of things whose names say that they only read; these do not.
  const isGrave = begins?.category === 'Destructive' || begins?.category === 'Financial';
  if (begins && (isGrave || !byName)) found.push(begins);
  for (const [phrase, category] of PHRASES) {
    const said = phrase.exec(description)?.[0];
    if (said !== undefined) found.push({ category, why: `the description says "${said.toLowerCase()}"` });
  }
  return found;
}

function ofSchema(schema: unknown, { category }: Evidence): Evidence[] {
  const names = parameterNames(schema);
  const found: Evidence[] = [];
  const code = names.find((name) => CODE_PARAMETERS.has(name.toLowerCase()));
  if (code !== undefined) found.push({ category: 'Execute', why: `it has a parameter "${code}"` });
  const has = (known: ReadonlySet<string>): boolean => names.some((name) => known.has(name.toLowerCase()));
  // Reading a price in a currency moves nothing.
  if (rank(category) >= rank('Write') && has(AMOUNT_PARAMETERS) && has(MONEY_PARAMETERS)) {
    found.push({ category: 'Financial', why: 'its parameters are an amount and whose money it is' });
  }
  return found;
}

function ofAnnotations({ annotations }: JsonObject): Evidence[] {
  if (!isObject(annotations)) return [];
  const found: Evidence[] = [];
  if (annotations.destructiveHint === true) {
    found.push({ category: 'Destructive', why: 'its annotations say destructiveHint' });
  }
  if (annotations.readOnlyHint === false) {
    found.push({ category: 'Write', why: 'its annotations say that it is not read-only' });
  }
  if (annotations.openWorldHint === true) {
    found.push({ category: 'Other', why: 'its annotations say openWorldHint' });
  }
  return found;
}

const MAX_NODES = 2_000;
const MAX_DEPTH = 8;

/** Keywords whose value is a schema or a list of schemas. */
const INNER = ['items', 'additionalProperties', 'anyOf', 'oneOf', 'allOf', 'prefixItems', 'then', 'else'] as const;
/** Keywords whose value is schemas by name. */
const MAPS = ['$defs', 'definitions', 'patternProperties', 'dependentSchemas'] as const;

/**
 * The names of a schema's parameters, those inside objects and alternatives too: `action.shell` is what makes a watcher
 * dangerous. Bounded, since the schema is the server's.
 */
function parameterNames(schema: unknown): string[] {
  const names = new Set<string>();
  const open: { node: unknown; depth: number }[] = [{ node: schema, depth: 0 }];
  for (let seen = 0; seen < MAX_NODES; seen++) {
    const next = open.pop();
    if (next === undefined) break;
    const { node, depth } = next;
    if (!isObject(node) || depth > MAX_DEPTH) continue;
    const inner = (value: unknown): void => void open.push({ node: value, depth: depth + 1 });
    if (isObject(node.properties)) {
      for (const [name, value] of Object.entries(node.properties).slice(0, MAX_NODES)) {
        names.add(name);
        inner(value);
      }
    }
    for (const key of INNER) {
      const value = node[key];
      if (Array.isArray(value)) value.slice(0, MAX_NODES).forEach(inner);
      else inner(value);
    }
    for (const key of MAPS) {
      const value = node[key];
      if (isObject(value)) Object.values(value).slice(0, MAX_NODES).forEach(inner);
    }
  }
  return [...names];
}
