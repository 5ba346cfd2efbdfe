/**
 * One hash for one JSON value: what makes two requests the same request.
 * @module
 */
import { sha256 } from '../../core/hash.ts';
import { canonicalJson } from './canonical.ts';

/** SHA-256 of the canonical text, base64url. */
export const canonicalDigest = (value: unknown): string => sha256(canonicalJson(value));
