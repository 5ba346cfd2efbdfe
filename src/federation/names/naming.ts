/**
 * Exposed names of tools, prompts and agents: `<namespace>__<name>`.
 *
 * A name depends on its own server and original name only, so it never changes because another server joins or leaves.
 * Clients accept `^[a-zA-Z0-9_-]{1,64}$` (stricter than the specification's SHOULD): other characters become `_`, long
 * names are cut, and whatever is not spelled as it was ends in a hash of server and original, so that two originals
 * never share a name. Names are looked up in the catalog, never split.
 * @module
 */
import { createHash } from 'node:crypto';

export const MAX_NAME = 64;
export const SEPARATOR = '__';

const HASH_LENGTH = 8;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const SAFE = /^[A-Za-z0-9_-]{1,64}$/;

/** 40 bits in base32: short, and free of characters any client objects to. */
export function shortHash(server: string, original: string): string {
  // JSON keeps the two apart, and keeps lone surrogates apart, which UTF-8 would not.
  const digest = createHash('sha256')
    .update(JSON.stringify([server, original]))
    .digest();
  let bits = digest.readUIntBE(0, 5);
  let text = '';
  for (let i = 0; i < HASH_LENGTH; i++) {
    text = ALPHABET[bits % 32] + text;
    bits = Math.floor(bits / 32);
  }
  return text;
}

/**
 * Whether names under this namespace can be read back: with `__` inside or `_` at the end, `a__b` + `c` and
 * `a` + `b__c` would be one name. Such namespaces get a hash on every name.
 */
const isPlainNamespace = (namespace: string): boolean => !namespace.includes(SEPARATOR) && !namespace.endsWith('_');

/** The name under which clients see `original` of `server`. */
export function exposedName(namespace: string | false, server: string, original: string): string {
  if (namespace === false) return SAFE.test(original) ? original : hashedName('', server, original);
  const name = `${namespace}${SEPARATOR}${original}`;
  if (original !== '' && isPlainNamespace(namespace) && SAFE.test(name)) return name;
  return hashedName(`${namespace}${SEPARATOR}`, server, original);
}

/** The form that ends in a hash, whatever the name looks like. */
function hashedName(prefix: string, server: string, original: string): string {
  const safe = `${prefix}${original}`.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, MAX_NAME - HASH_LENGTH - 1);
  return `${safe}_${shortHash(server, original)}`;
}

/**
 * The own name of the tool that stands for an agent: the agent's, where a client can write it and no tool of the server has
 * it, and otherwise one that says so. It depends on its own server only.
 */
export function agentToolName(server: string, agent: string, isTaken: (name: string) => boolean): string {
  const name = exposedName(false, server, agent);
  if (!isTaken(name)) return name;
  const other = `${name}_agent`;
  return other.length <= MAX_NAME && !isTaken(other) ? other : hashedName(`${name}_agent_`, server, agent);
}

/**
 * Names to try for one entry, in this order, when servers were configured to share a namespace (or to have none) and
 * both have a tool of that name: as configured, under the server's own name, with a hash.
 */
export function* nameCandidates(namespace: string | false, server: string, original: string): Generator<string> {
  yield exposedName(namespace, server, original);
  if (namespace !== server) yield exposedName(server, server, original);
  yield hashedName(`${server}${SEPARATOR}`, server, original);
}
