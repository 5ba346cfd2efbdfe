/**
 * The bridge's keys, derived from one secret of the gateway's state: the same in every replica and after a restart, and written
 * nowhere.
 * @module
 */
import { createECDH, hkdfSync } from 'node:crypto';
import type { JWK } from 'jose';
import { sha256 } from '../../core/hash.ts';

/** 32 bytes for this purpose. */
export const derivedKey = (secret: Buffer, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `switchboard bridge: ${purpose}`, 32));

/** The private key that signs tokens, on P-256 for ES256. */
export function signingKey(secret: Buffer): JWK {
  for (let attempt = 0; ; attempt++) {
    const curve = createECDH('prime256v1');
    const d = derivedKey(secret, `signature ${attempt}`);
    try {
      curve.setPrivateKey(d);
    } catch {
      // One in 2^32: a number that is no private key of this curve.
      continue;
    }
    // 4, x, y.
    const point = curve.getPublicKey();
    const [x, y] = [point.subarray(1, 33).toString('base64url'), point.subarray(33).toString('base64url')];
    const kid = sha256(JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }));
    return { kty: 'EC', crv: 'P-256', x, y, d: d.toString('base64url'), alg: 'ES256', use: 'sig', kid };
  }
}

/** What may be published of it. */
export const publicKey = ({ d: _, ...key }: JWK): JWK => key;
