/**
 * Which scenarios a revision requires, from the suite's own lists.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Leg } from './checks.ts';
import { SUITE_FOLDER } from './suite.ts';

export interface Requirements {
  /** Required; the suite's exit code looks at these alone. */
  scored: ReadonlySet<string>;
  /** Run as well: extensions, and scenarios newer than the revision. */
  notScored: ReadonlySet<string>;
}

/** The lists are written as plain YAML: sections of `- name`, and `not_scored` of `- scenario: name` with a `leg:`. */
export function parseRequirements(yaml: string, leg: Leg): Requirements {
  const scored = new Set<string>();
  const notScored = new Set<string>();
  let section = '';
  let candidate = '';
  for (const line of yaml.split('\n')) {
    section = /^(\w+):/.exec(line)?.[1] ?? section;
    candidate = /^ {2}- scenario: (\S+)/.exec(line)?.[1] ?? candidate;
    const name = /^ {2}- ([^\s:]+)$/.exec(line)?.[1];
    if (section === leg && name !== undefined) scored.add(name);
    if (section === 'not_scored' && /^ {4}leg: (\w+)/.exec(line)?.[1] === leg) notScored.add(candidate);
  }
  return { scored, notScored };
}

export async function readRequirements(revision: string, leg: Leg): Promise<Requirements> {
  return parseRequirements(await readFile(join(SUITE_FOLDER, 'requirements', `${revision}.yaml`), 'utf8'), leg);
}
