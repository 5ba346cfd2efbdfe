/**
 * One hash for one JSON value: what makes two requests the same request.
 * @module
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical.ts';

/** SHA-256 of the canonical text, base64url. */
export const canonicalDigest = (value: unknown): string =>
  createHash('sha256').update(canonicalJson(value)).digest('base64url');
