/**
 * The protocol revisions and their two eras. `legacy` revisions open with `initialize` and may have sessions;
 * `modern` ones carry an envelope in every request's `_meta` (2026-07-28, basic/versioning).
 * @module
 */

export type Era = 'legacy' | 'modern';

/** Oldest first. */
export const LEGACY_REVISIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'] as const;
export const MODERN_REVISIONS = ['2026-07-28'] as const;

export const LATEST_LEGACY = '2025-11-25';
export const LATEST_MODERN = '2026-07-28';

/** Newest first, as `supportedVersions` lists them. */
export const SUPPORTED_REVISIONS: readonly string[] = [...LEGACY_REVISIONS, ...MODERN_REVISIONS].reverse();

const LEGACY: ReadonlySet<string> = new Set(LEGACY_REVISIONS);
const MODERN: ReadonlySet<string> = new Set(MODERN_REVISIONS);

export const isLegacyRevision = (version: unknown): version is string =>
  typeof version === 'string' && LEGACY.has(version);
export const isModernRevision = (version: unknown): version is string =>
  typeof version === 'string' && MODERN.has(version);

/** `undefined` when the revision is unknown here. */
export function eraOf(version: string): Era | undefined {
  if (MODERN.has(version)) return 'modern';
  return LEGACY.has(version) ? 'legacy' : undefined;
}

/**
 * The version a server answers `initialize` with: exactly the one asked for when it is known, otherwise the latest
 * (2025-11-25 basic/lifecycle, "Version Negotiation").
 */
export function negotiateLegacy(requested: unknown): string {
  return isLegacyRevision(requested) ? requested : LATEST_LEGACY;
}
