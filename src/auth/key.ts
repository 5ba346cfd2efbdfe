/**
 * API keys of grants. A key is shown once, when it is made; what is kept is a salted hash of its secret.
 *
 * One round of SHA-256 is enough here, where a password would need a slow hash: slow hashes make guessing a person's
 * choice costly, and 256 random bits cannot be guessed, however fast a guess is. It also keeps the cost of a request at one
 * microsecond, so that wrong keys are no way to load the gateway.
 * @module
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

const ID_BYTES = 6;
const SECRET_BYTES = 32;
const SALT_BYTES = 16;
const NO_SECRET = Buffer.alloc(SECRET_BYTES);

/** The parts have fixed lengths: `_` also stands in secrets. */
const KEY = /^swb_([0-9A-Za-z]{12})_([\w-]{43})$/;
/** Characters of a key, which are ASCII. */
export const KEY_LENGTH = 60;
const STORED = /^sha256:([\w-]{8,64}):([\w-]{16,64}):([\w-]{43})$/;

export interface NewKey {
  /** `swb_<id>_<secret>`: for its user alone. */
  key: string;
  id: string;
  /** `sha256:<id>:<salt>:<hash>`: for the configuration. */
  stored: string;
}

/** A key, as a client presents it. */
export interface PresentedKey {
  id: string;
  /** base64url of 32 bytes. */
  secret: string;
}

/** A key, as the configuration stores it. */
export interface StoredKey {
  id: string;
  /** The salt, with room for a secret behind it. */
  salted: Buffer;
  /** SHA-256 of the salt's bytes and then the secret's. */
  hash: Buffer;
}

export function newKey(): NewKey {
  const id = randomBytes(ID_BYTES).toString('hex');
  const secret = randomBytes(SECRET_BYTES);
  const salt = randomBytes(SALT_BYTES);
  const hashed = hashSecret(salt, secret).toString('base64url');
  return {
    key: `swb_${id}_${secret.toString('base64url')}`,
    id,
    stored: `sha256:${id}:${salt.toString('base64url')}:${hashed}`,
  };
}

/** Undefined when it does not look like a key. */
export function parseKey(presented: string): PresentedKey | undefined {
  const match = KEY.exec(presented);
  return match ? { id: match[1] as string, secret: match[2] as string } : undefined;
}

/** Undefined when it is no stored form. */
export function parseStoredKey(stored: string): StoredKey | undefined {
  const match = STORED.exec(stored);
  if (!match) return undefined;
  const [, id, salt, hashed] = match as unknown as [string, string, string, string];
  return storedAs(id, Buffer.from(salt, 'base64url'), Buffer.from(hashed, 'base64url'));
}

const storedAs = (id: string, salt: Buffer, hashed: Buffer): StoredKey => ({
  id,
  salted: Buffer.concat([salt, NO_SECRET]),
  hash: hashed,
});

/** A key that no secret is right for: a secret of an unknown id is compared with one, so that it takes as long as any other. */
export const unknownKey = (): StoredKey => storedAs('', randomBytes(SALT_BYTES), randomBytes(32));

const hashSecret = (salt: Buffer, secret: Buffer): Buffer => hash('sha256', Buffer.concat([salt, secret]), 'buffer');

const digest = Buffer.alloc(32);

/**
 * Whether a secret is that of a stored key, in the same time whatever it is. Every request asks, so it is done in place:
 * buffers and copies around the one hash cost twice as much as it (measured).
 */
export function isSecretOf({ salted, hash: expected }: Pick<StoredKey, 'salted' | 'hash'>, secret: string): boolean {
  const at = salted.length - SECRET_BYTES;
  salted.write(secret, at, 'base64url');
  digest.write(hash('sha256', salted, 'binary'), 'latin1');
  salted.set(NO_SECRET, at);
  return timingSafeEqual(digest, expected);
}
