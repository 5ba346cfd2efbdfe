/**
 * Expands `${VAR}` and `${VAR:-default}` in strings. The spellings of clients with one clear meaning work too: `${env:VAR}`,
 * `${userHome}`, `${pathSeparator}` and `${/}`. Everything else is a mistake that says what to write. `$${` stands for
 * a literal `${`.
 * @module
 */
import { homedir } from 'node:os';
import { sep } from 'node:path';
import { isObject } from '../wire/jsonrpc.ts';
import { type JsonPath, pathKey } from './jsonc.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Expanded {
  value: unknown;
  /** Paths (`pathKey`) of strings in which something was expanded: their text may be a secret. */
  expanded: Set<string>;
  /** Paths of strings left as they are because of a problem. */
  unresolved: Set<string>;
  problems: ExpandProblem[];
}

export interface ExpandProblem {
  path: JsonPath;
  /** `unset` ones do not matter for a server that is disabled. */
  kind: 'unset' | 'syntax';
  problem: string;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Defaults may hold references; deeper nesting than this is a mistake, not a wish. */
const MAX_DEPTH = 8;

/**
 * Expands every string below `value`; `base` is where it stands in the file. `envOf` gives members of `value` an environment
 * of their own.
 */
export function expand(
  value: unknown,
  base: JsonPath,
  env: Environment,
  envOf?: (member: string) => Environment | undefined,
): Expanded {
  const result: Expanded = { value: undefined, expanded: new Set(), unresolved: new Set(), problems: [] };
  const visit = (node: unknown, path: JsonPath): unknown => {
    if (typeof node === 'string') return text(node, path);
    if (Array.isArray(node)) return node.map((item, index) => visit(item, [...path, index]));
    if (!isObject(node)) return node;
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, visit(item, [...path, key])]));
  };
  const text = (node: string, path: JsonPath): string => {
    if (!node.includes('${')) return node;
    const before = result.problems.length;
    const member = path[base.length];
    const own = typeof member === 'string' ? envOf?.(member) : undefined;
    const expanded = expandText(node, own ?? env, 0, (kind, problem) => result.problems.push({ path, kind, problem }));
    if (result.problems.length > before) {
      result.unresolved.add(pathKey(path));
      return node;
    }
    result.expanded.add(pathKey(path));
    return expanded;
  };
  result.value = visit(value, base);
  return result;
}

type Report = (kind: ExpandProblem['kind'], problem: string) => void;

function expandText(text: string, env: Environment, depth: number, report: Report): string {
  let out = '';
  let at = 0;
  for (;;) {
    const open = text.indexOf('${', at);
    if (open === -1) return out + text.slice(at);
    if (text[open - 1] === '$' && open > at) {
      out += `${text.slice(at, open - 1)}\${`;
      at = open + 2;
      continue;
    }
    const close = closingBrace(text, open + 2);
    if (close === -1) {
      report('syntax', `found "\${" without its "}"; write $\${ for a literal one`);
      return text;
    }
    out += text.slice(at, open) + reference(text.slice(open + 2, close), env, depth, report);
    at = close + 1;
  }
}

function closingBrace(text: string, from: number): number {
  let open = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === '}') open--;
    else if (text[i] === '$' && text[i + 1] === '{') open++;
    if (open === 0) return i;
  }
  return -1;
}

function reference(body: string, env: Environment, depth: number, report: Report): string {
  const marker = body.indexOf(':-');
  const name = (marker === -1 ? body : body.slice(0, marker)).replace(/^env:/, '');
  if (!NAME.test(name)) {
    if (name === '/') return sep;
    report('syntax', notAVariable(name));
    return '';
  }
  const value = env[name];
  // As in shells: a default also stands in for an empty value.
  if (value !== undefined && (value !== '' || marker === -1)) return value;
  if (marker !== -1) {
    if (depth < MAX_DEPTH) return expandText(body.slice(marker + 2), env, depth + 1, report);
    report('syntax', `found defaults nested deeper than ${MAX_DEPTH}`);
    return '';
  }
  if (name === 'userHome') return homedir();
  if (name === 'pathSeparator') return sep;
  report('unset', unset(name));
  return '';
}

function unset(name: string): string {
  if (name === 'workspaceFolder' || name === 'workspaceFolderBasename' || name === 'workspacePath') {
    return `found \${${name}}, which only an editor knows; write a path (relative ones start at this file’s folder) or \${VAR}`;
  }
  return `the environment variable ${name} is not set; set it, or give a default: \${${name}:-…}`;
}

function notAVariable(name: string): string {
  const input = /^input:(.*)$/s.exec(name)?.[1];
  if (input !== undefined) {
    const variable = input.replaceAll(/[^A-Za-z0-9]+/g, '_').toUpperCase();
    const example = NAME.test(variable) && variable.length <= 64 ? variable : 'VAR';
    return (
      `found \${input:…}: VS Code asks a person for it, a gateway cannot; ` +
      `write \${${example}} and set that environment variable`
    );
  }
  const scheme = /^([a-z]{1,16}):/i.exec(name)?.[1];
  const what =
    scheme === undefined ? 'a reference that is no variable name' : `\${${scheme}:…}, which is not supported`;
  return `found ${what}; allowed: \${VAR}, \${VAR:-default}, and $\${ for a literal \${`;
}

/** `~` and `~/…` mean the home folder, as in shells. */
export const expandHome = (path: string): string => path.replace(/^~(?=$|[/\\])/, () => homedir());
