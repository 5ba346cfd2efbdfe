/**
 * SHA-256 of a text (as UTF-8) or bytes, as text.
 * @module
 */
import { hash } from 'node:crypto';

export const sha256 = (data: string | Uint8Array, encoding: 'base64' | 'base64url' | 'hex' = 'base64url'): string =>
  hash('sha256', data, encoding);
