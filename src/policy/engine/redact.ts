/**
 * Redaction: copies arguments and results with the values at the paths of rules replaced. A path is names or indices between
 * dots, `*` for every member or item; the value there is replaced whole. Where no path matches, the value itself is returned,
 * so that its bytes can pass through.
 *
 * Tools that return structured content repeat it as JSON in a text (2025-06-18 server/tools, "Structured Content").
 * Paths into `result.structuredContent` are therefore applied to every text of `result.content` that is a JSON object
 * or array too, equal to the structured content or not: a secret must not stay because the repetition is not exact. Such
 * a text is written anew only when something in it was replaced.
 * @module
 */
import { parseText } from '../../wire/json/parse.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { isIndex, parsePath } from '../language/paths.ts';

export const REDACTED = '[redacted]';

export interface Redaction {
  readonly redactsArguments: boolean;
  readonly redactsResult: boolean;
  arguments(args: unknown): unknown;
  result(result: unknown): unknown;
}

/** A tree of all paths, so that a value is walked once. */
interface Branch {
  whole: boolean;
  every: Branch | undefined;
  readonly named: Map<string, Branch>;
}

export function redactionOf(paths: readonly string[]): Redaction {
  const ofArguments = treeOf(paths.filter((path) => path.startsWith('args.')));
  const ofResult = treeOf(paths.filter((path) => path.startsWith('result.')));
  const structured = ofResult && branchOf(ofResult, 'structuredContent');
  return {
    redactsArguments: ofArguments !== undefined,
    redactsResult: ofResult !== undefined,
    arguments: (args) => (ofArguments ? redact(args, ofArguments) : args),
    result(result) {
      if (!ofResult) return result;
      const redacted = redact(result, ofResult);
      return structured ? withTexts(redacted, structured) : redacted;
    },
  };
}

const bare = (): Branch => ({ whole: false, every: undefined, named: new Map() });

function treeOf(paths: readonly string[]): Branch | undefined {
  if (paths.length === 0) return undefined;
  const root = bare();
  for (const path of paths) {
    let branch = root;
    for (const name of parsePath(path)) branch = childOf(branch, name);
    branch.whole = true;
  }
  return root;
}

function childOf(branch: Branch, name: string): Branch {
  if (name === '*') {
    branch.every ??= bare();
    return branch.every;
  }
  const child = branch.named.get(name) ?? bare();
  branch.named.set(name, child);
  return child;
}

/** What applies to a member of this name, `*` included. */
function branchOf({ named, every }: Branch, name: string): Branch | undefined {
  const own = named.get(name);
  if (!own || !every) return own ?? every;
  return both(own, every);
}

function both(one: Branch, other: Branch): Branch {
  const joined: Branch = { ...bare(), whole: one.whole || other.whole };
  joined.every = one.every && other.every ? both(one.every, other.every) : (one.every ?? other.every);
  for (const { named } of [one, other]) {
    for (const [name, branch] of named) {
      const present = joined.named.get(name);
      joined.named.set(name, present ? both(present, branch) : branch);
    }
  }
  return joined;
}

/** A copy with the values at the tree's paths replaced, or the value itself where no path matches. */
function redact(value: unknown, branch: Branch): unknown {
  if (branch.whole) return REDACTED;
  if (typeof value !== 'object' || value === null) return value;
  const members = value as Record<string, unknown>;
  let copy: Record<string, unknown> | undefined;
  for (const name of branch.every ? Object.keys(members) : branch.named.keys()) {
    if (!Object.hasOwn(members, name) || (Array.isArray(value) && !isIndex(name))) continue;
    const member = redact(members[name], branchOf(branch, name) as Branch);
    if (member === members[name]) continue;
    // A spread keeps an own `__proto__` as a member of its own.
    copy ??= (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
    copy[name] = member;
  }
  return copy ?? value;
}

function withTexts(result: unknown, structured: Branch): unknown {
  if (!isObject(result) || !Array.isArray(result.content)) return result;
  const content = result.content.map((item) => withText(item, structured));
  return content.some((item, index) => item !== (result.content as unknown[])[index]) ? { ...result, content } : result;
}

function withText(item: unknown, structured: Branch): unknown {
  if (!isObject(item) || item.type !== 'text' || typeof item.text !== 'string') return item;
  const parsed = parsedStructure(item.text);
  const redacted = redact(parsed, structured);
  return parsed === undefined || redacted === parsed ? item : { ...item, text: JSON.stringify(redacted) };
}

function parsedStructure(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return parseText(text);
  } catch {
    return undefined;
  }
}
