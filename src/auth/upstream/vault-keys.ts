/**
 * The keys that tokens are encrypted with before they reach the state: AES-256-GCM, with the name of the key beside the text,
 * so that an old key still opens what it sealed while a new one seals.
 * @module
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SwitchboardError } from '../../core/errors.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_KEYS = 16;
const VERSION = 'v1';

export interface Opened {
  readonly text: string;
  /** It was sealed with a key that is not the first one. */
  readonly byOldKey: boolean;
}

export class VaultKeys {
  readonly #keys = new Map<string, Buffer>();
  readonly #current: { id: string; key: Buffer };

  /** The first key seals, all of them open. */
  constructor(keys: readonly [Buffer, ...Buffer[]]) {
    for (const key of keys) this.#keys.set(idOf(key), key);
    this.#current = { id: idOf(keys[0]), key: keys[0] };
  }

  /** Names the key that seals, and says nothing about it. */
  get id(): string {
    return this.#current.id;
  }

  /** `place` is bound to the text: moved to another place it does not open. */
  seal(text: string, place: string): string {
    const { id, key } = this.#current;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return [VERSION, id, nonce.toString('base64url'), sealed.toString('base64url')].join('.');
  }

  /** Undefined where no key opens it, or it was changed or moved. */
  open(sealed: string, place: string): Opened | undefined {
    const [version, id = '', nonce = '', body = ''] = sealed.split('.');
    const key = this.#keys.get(id);
    if (version !== VERSION || !key) return undefined;
    const bytes = Buffer.from(body, 'base64url');
    if (bytes.length < TAG_BYTES) return undefined;
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'), {
        authTagLength: TAG_BYTES,
      })
        .setAAD(Buffer.from(place))
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      const text = Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]).toString('utf8');
      return { text, byOldKey: id !== this.#current.id };
    } catch {
      return undefined;
    }
  }
}

/** A name that tells keys apart and says nothing about them. */
const idOf = (key: Buffer): string =>
  createHash('sha256').update('switchboard vault key').update(key).digest('hex').slice(0, 8);

export interface VaultKeySources {
  /** `SWITCHBOARD_VAULT_KEY`: keys between commas, the first of which seals. Wins over the file. */
  readonly env: string | undefined;
  /** A key per line, the first of which seals. */
  readonly file: string | undefined;
  /** The key that the state made; it opens what was sealed before there was another. */
  secret(): Promise<Buffer>;
}

/** Rejects with `SWB_CONFIG` when a key cannot be read or is none. */
export async function loadVaultKeys({ env, file, secret }: VaultKeySources): Promise<VaultKeys> {
  const own = await secret();
  if (env !== undefined && env.trim() !== '') return new VaultKeys([...keysIn(env, 'SWITCHBOARD_VAULT_KEY'), own]);
  if (file === undefined) return new VaultKeys([own]);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new SwitchboardError('SWB_CONFIG', 'The file of gateway.vault.keyFile cannot be read.', { cause: error });
  }
  return new VaultKeys([...keysIn(text, 'gateway.vault.keyFile'), own]);
}

function keysIn(text: string, where: string): [Buffer, ...Buffer[]] {
  const [first, ...others] = text
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .slice(0, MAX_KEYS)
    .map((part) => keyOf(part, where));
  if (!first) throw new SwitchboardError('SWB_CONFIG', `There is no key in ${where}.`);
  return [first, ...others];
}

function keyOf(text: string, where: string): Buffer {
  const key = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? 'hex' : 'base64');
  if (key.length === KEY_BYTES) return key;
  throw new SwitchboardError(
    'SWB_CONFIG',
    `A key in ${where} is not 32 bytes in base64 or hex. Make one with: openssl rand -base64 32`,
  );
}
