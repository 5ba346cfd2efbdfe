/**
 * What is wrong with one entry: edits that mend it for every client, edits for legacy clients alone, and the reason where
 * nothing mends it.
 * @module
 */
import type { PathEdit } from '../../wire/json/splice.ts';

export class Findings {
  readonly edits: PathEdit[] = [];
  readonly legacyEdits: PathEdit[] = [];
  unreadable: string | undefined;
  legacyUnreadable: string | undefined;
  wrapsOutput = false;

  /** `value` undefined takes the member out. */
  mend(path: PathEdit['path'], value?: unknown): void {
    this.edits.push({ path, json: value === undefined ? undefined : JSON.stringify(value) });
  }

  mendForLegacy(path: PathEdit['path'], value?: unknown): void {
    this.legacyEdits.push({ path, json: value === undefined ? undefined : JSON.stringify(value) });
  }

  /** The first reason stands. */
  refuse(reason: string): void {
    this.unreadable ??= reason;
  }

  refuseForLegacy(reason: string): void {
    this.legacyUnreadable ??= reason;
  }
}

/** What a value is, in a sentence: `null`, `a string`, `an array`. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
