/** How YAML of Compose files that are merged is read. */
import type { Tags } from 'yaml';

/** Merging of Compose files: a list that replaces, and one that is empty again. */
export const MERGES: Tags = [
  { tag: '!override', collection: 'seq', resolve: (seq) => seq },
  { tag: '!reset', collection: 'seq', resolve: (seq) => seq },
];
