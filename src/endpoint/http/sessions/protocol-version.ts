/**
 * The `MCP-Protocol-Version` header on requests of a legacy session.
 * @module
 */

import { SwitchboardError } from '../../../core/errors.ts';
import { isLegacyRevision, LEGACY_REVISIONS } from '../../../wire/eras.ts';

/**
 * Unsupported versions are refused; revisions before 2025-06-18 did not know the header, so it may be missing. What
 * counts is what the session negotiated: a client that names another supported revision is understood all the same.
 */
export function requireLegacyVersion(version: string | undefined): void {
  if (version === undefined || isLegacyRevision(version)) return;
  throw new SwitchboardError(
    'SWB_INVALID_REQUEST',
    `The MCP-Protocol-Version header of a session must be one of ${LEGACY_REVISIONS.join(', ')}.`,
  );
}
