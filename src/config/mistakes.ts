/**
 * Collects the mistakes in a configuration while it is read, and reports all of them at once, one line each.
 * @module
 */

import { relative } from 'node:path';
import { SwitchboardError } from '../core/errors.ts';
import { shorten } from '../core/text.ts';
import type { JsonDocument, JsonPath } from './jsonc.ts';

export interface Mistake {
  path: JsonPath;
  /** What was found and what is allowed: a sentence without its full stop. Never a value of env, headers or a token. */
  problem: string;
}

/** More are counted, not listed. */
const MAX_LISTED = 50;

/** Collects what is wrong (`mistakes`) and what was ignored or is doubtful (`warnings`) in one source. */
export class Findings {
  readonly mistakes: Mistake[] = [];
  readonly warnings: Mistake[] = [];

  mistake(path: JsonPath, problem: string): void {
    this.mistakes.push({ path, problem });
  }

  warn(path: JsonPath, problem: string): void {
    this.warnings.push({ path, problem });
  }
}

/** The source that findings are in: a file, or the environment. */
export interface Source {
  /** For messages: a path relative to the working folder, or the name of a variable. */
  label: string;
  document: JsonDocument | undefined;
}

export function lineOf(source: Source, { path, problem }: Mistake): string {
  const place = source.document?.placeOf(path);
  const where = place === undefined ? source.label : `${source.label}:${place.line}:${place.column}`;
  const member = pathText(path);
  return `${where}${member === '' ? '' : ` ${member}`}: ${problem}.`;
}

/** Sorted by their position in the document. */
export function inFileOrder(mistakes: readonly Mistake[], document: JsonDocument | undefined): readonly Mistake[] {
  if (document === undefined) return mistakes;
  const placed = mistakes.map((mistake) => ({ mistake, ...document.placeOf(mistake.path) }));
  return placed.sort((a, b) => a.line - b.line || a.column - b.column).map(({ mistake }) => mistake);
}

/** `mcpServers.github.args[2]`; keys that are not plain words are quoted. */
export function pathText(path: JsonPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!/^[\w$-]{1,80}$/.test(part)) text += `[${JSON.stringify(shorten(part, 80))}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** `SWB_CONFIG` for these lines; `data.mistakes` holds them one by one. */
export function configError(lines: readonly string[]): SwitchboardError {
  const listed = lines.slice(0, MAX_LISTED);
  if (lines.length > MAX_LISTED) listed.push(`… and ${lines.length - MAX_LISTED} more.`);
  return new SwitchboardError('SWB_CONFIG', listed.join('\n'), { data: { mistakes: listed } });
}

/** The path as a person in `cwd` would type it: relative when it is below, absolute otherwise. */
export function shownPath(file: string, cwd: string): string {
  const near = relative(cwd, file);
  return near === '' || near.startsWith('..') ? file : near;
}
