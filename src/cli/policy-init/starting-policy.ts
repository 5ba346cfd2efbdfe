/**
 * A policy to start from, made of a catalog: one rule for each thing there is, by how much harm it can do, and nothing for
 * what comes later. The rules of the categories are the published ones.
 *
 * | category | rule |
 * |---|---|
 * | Read | `{}` |
 * | Other, Write, Execute | 60, 30, 10 calls a minute, counted as `<lower-case name>_rate` for each grant |
 * | Financial | denied: "Requires human approval." |
 * | Destructive | hidden |
 *
 * Prompts and resources are read and therefore allowed; an agent is Execute, because what it does is up to it.
 * @module
 */

import { isGlob } from '../../core/globs.ts';
import type { Catalog, CatalogKind } from '../../core/upstream.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { type Classified, classifyTool, SEVERITIES } from './classify.ts';
import { CATEGORIES, type Category } from './words.ts';

/** What one server has, and how a document calls it. */
export interface Source {
  server: string;
  builtin: boolean;
  catalog(kind: CatalogKind): Catalog;
  /** How the document spells a name of this server: its own, or the namespaced one. */
  name(kind: 'tools' | 'agents' | 'prompts', original: string): string;
  /** What all URIs of this server match in the document. */
  resources: readonly string[];
}

/** One row of the table that says why. */
export interface Judged extends Classified {
  server: string;
  kind: 'tool' | 'agent';
  name: string;
  /** What the rule is, in a few words. */
  rule: string;
}

export interface StartingPolicy {
  document: JsonObject;
  judged: readonly Judged[];
  /** Names that no rule was written for, and why: they stay denied. */
  leftOut: readonly { server: string; name: string; why: string }[];
}

/** Of the format: names in a document, characters of a counter. */
const MAX_NAME = 2_048;
const MAX_COUNTER = 256;

const PER_MINUTE: Partial<Record<Category, number>> = { Other: 60, Write: 30, Execute: 10 };

export function startingPolicy(sources: readonly Source[], description: string): StartingPolicy {
  const draft = new Draft();
  for (const source of sources) {
    for (const { key, value } of source.catalog('tools').entries) {
      // The gateway's own annotations speak of the worst that can be reached through them, which has rules of its own.
      const definition = source.builtin ? {} : value;
      draft.judge(source, 'tool', key, classifyTool(key, definition));
    }
    for (const { key } of source.catalog('agents').entries) {
      draft.judge(source, 'agent', key, {
        category: 'Execute',
        severity: SEVERITIES.Execute,
        why: 'what an agent does is up to it',
      });
    }
    for (const { key } of source.catalog('prompts').entries) draft.allow(source, 'prompts', key);
    const hasResources = (['resources', 'templates'] as const).some((kind) => source.catalog(kind).entries.length > 0);
    // All of them: what is read is often in no list.
    if (hasResources) draft.allowResources(source.resources);
  }
  return draft.finish(description);
}

class Draft {
  readonly #hide = new Set<string>();
  /** By section and name. */
  readonly #strictest = new Map<string, Category>();
  readonly #sections = {
    tools: new Map<string, JsonObject>(),
    agents: new Map<string, JsonObject>(),
    prompts: new Map<string, JsonObject>(),
    resources: new Map<string, JsonObject>(),
  };
  readonly #judged: Judged[] = [];
  readonly #leftOut: { server: string; name: string; why: string }[] = [];

  judge(source: Source, kind: Judged['kind'], original: string, classified: Classified): void {
    const section = kind === 'tool' ? 'tools' : 'agents';
    const name = this.#nameOf(source, section, original);
    if (name === undefined) return;
    const { category } = classified;
    this.#judged.push({ server: source.server, kind, name, ...classified, rule: describe(category) });
    if (category === 'Destructive') this.#hide.add(name);
    else if (this.#isStrictest(section, name, category)) this.#sections[section].set(name, ruleOf(category, name));
  }

  allow(source: Source, section: 'prompts', original: string): void {
    const name = this.#nameOf(source, section, original);
    if (name !== undefined) this.#sections[section].set(name, {});
  }

  allowResources(patterns: readonly string[]): void {
    for (const pattern of patterns) this.#sections.resources.set(pattern, {});
  }

  finish(description: string): StartingPolicy {
    const sections = Object.entries(this.#sections).flatMap(([section, rules]) =>
      rules.size > 0 || section === 'tools' ? [[section, Object.fromEntries(rules)] as const] : [],
    );
    const document: JsonObject = {
      version: '1',
      description,
      default: 'deny',
      ...(this.#hide.size > 0 ? { hide: [...this.#hide] } : {}),
      ...Object.fromEntries(sections),
    };
    return { document, judged: this.#judged, leftOut: this.#leftOut };
  }

  /** Servers that share a prefix, or have none, may share a name. */
  #isStrictest(section: string, name: string, category: Category): boolean {
    const key = `${section} ${name}`;
    const other = this.#strictest.get(key);
    if (other !== undefined && CATEGORIES.indexOf(other) >= CATEGORIES.indexOf(category)) return false;
    this.#strictest.set(key, category);
    return true;
  }

  /** A name that a document would read as a pattern could let through, or hide, what is not its own. */
  #nameOf(source: Source, kind: 'tools' | 'agents' | 'prompts', original: string): string | undefined {
    const name = source.name(kind, original);
    const why = whyUnusable(name);
    if (why === undefined) return name;
    this.#leftOut.push({ server: source.server, name, why });
    return undefined;
  }
}

function whyUnusable(name: string): string | undefined {
  if (isGlob(name)) return 'the name would be read as a pattern';
  if (name === '' || name.length > MAX_NAME) return `a name has 1 to ${MAX_NAME} characters in a policy`;
  return name === '__proto__' ? 'it is no usable name in a policy' : undefined;
}

function ruleOf(category: Category, name: string): JsonObject {
  if (category === 'Financial') return { deny_if: [{ conditions: [], on_deny: 'Requires human approval.' }] };
  const max = PER_MINUTE[category];
  if (max === undefined) return {};
  const counter = `${name.toLowerCase().slice(0, MAX_COUNTER - '_rate'.length)}_rate`;
  return { limits: [{ counter, window: 'minute', max, scope: 'grant' }] };
}

function describe(category: Category): string {
  if (category === 'Destructive') return 'hidden';
  if (category === 'Financial') return 'denied';
  const max = PER_MINUTE[category];
  return max === undefined ? 'allowed' : `${max} a minute`;
}
