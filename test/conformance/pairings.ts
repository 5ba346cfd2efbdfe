/**
 * What is run against what.
 * @module
 */

export type Revision = '2025-11-25' | '2026-07-28';

/** The everything-servers of `test/fixtures`, and how they are started. */
export const UPSTREAMS = {
  'v2 dual': { script: 'v2/main.ts', args: ['--era', 'dual'] },
  'v2 legacy': { script: 'v2/main.ts', args: ['--era', 'legacy'] },
  'v2 modern': { script: 'v2/main.ts', args: ['--era', 'modern'] },
  v1: { script: 'v1/main.ts', args: [] },
} as const satisfies Record<string, { script: string; args: readonly string[] }>;

export type UpstreamName = keyof typeof UPSTREAMS;

export interface Pairing {
  id: string;
  /** The client's revision. */
  revision: Revision;
  upstream: UpstreamName;
  /**
   * Who is asked directly for comparison. Across eras that is a twin that speaks the client's revision itself: the
   * upstream has no score there.
   */
  baseline: UpstreamName;
  /** Scenarios of what the twin has and this server has not: they say nothing about what is lost on the way. */
  beyond?: RegExp;
  /** `own`: `/servers/<name>/mcp`. `merged`: `/mcp` with a second server beside it, names mapped back for the suite. */
  view: 'own' | 'merged';
}

const own = (id: string, revision: Revision, upstream: UpstreamName, baseline: UpstreamName): Pairing => ({
  id,
  revision,
  upstream,
  baseline,
  view: 'own',
});

/** The extension of 2026-07-28; the legacy servers offer no tasks. */
const TASKS = /^tasks-/;

const OWN: readonly Pairing[] = [
  own('2025-legacy-v2', '2025-11-25', 'v2 legacy', 'v2 dual'),
  own('2025-legacy-v1', '2025-11-25', 'v1', 'v1'),
  own('2025-modern', '2025-11-25', 'v2 modern', 'v2 dual'),
  own('2026-modern', '2026-07-28', 'v2 modern', 'v2 dual'),
  { ...own('2026-legacy-v2', '2026-07-28', 'v2 legacy', 'v2 dual'), beyond: TASKS },
  { ...own('2026-legacy-v1', '2026-07-28', 'v1', 'v2 dual'), beyond: TASKS },
];

/** The two servers of the merged view, one of each era. */
export const MERGED_UPSTREAMS = { first: 'v2 modern', second: 'v1' } as const satisfies Record<string, UpstreamName>;

const IN_MERGED: ReadonlySet<UpstreamName> = new Set(Object.values(MERGED_UPSTREAMS));

export const PAIRINGS: readonly Pairing[] = [
  ...OWN,
  ...OWN.filter(({ upstream }) => IN_MERGED.has(upstream)).map(
    (pairing): Pairing => ({ ...pairing, id: `merged-${pairing.id}`, view: 'merged' }),
  ),
];
