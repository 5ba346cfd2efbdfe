/**
 * Lists the differences between the pins of a server and what it offers now.
 * @module
 */
import { shorten } from '../../core/text.ts';
import { differenceLines } from './differences.ts';
import { LOCKED_KINDS, type LockedKind, type Pin, type ServerPins } from './pins.ts';
import { visible } from './visible.ts';

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
