/**
 * Hashes of text and bytes.
 * @module
 */
import { hash } from 'node:crypto';

/** SHA-256, 32 bytes. */
export const sha256 = (data: string | Buffer): Buffer => hash('sha256', data, 'buffer');
