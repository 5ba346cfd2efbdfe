/**
 * The keys of all grants, as they are configured now, and the grant each belongs to.
 *
 * Invariants: a wrong secret, an unknown key and an expired grant get one error after the same work; a new configuration
 * takes effect as a whole; a gateway that once asked for keys never becomes open: not when its last grant is revoked, and
 * not when `gateway.grants` is taken out of its file, until it is started anew.
 * @module
 */
import { SwitchboardError } from '../core/errors.ts';
import { LOCAL_PRINCIPAL } from '../core/identity.ts';
import { isSecretOf, parseKey, parseStoredKey, type StoredKey, unknownKey } from './key.ts';
import { SeenKeys } from './seen-keys.ts';

/** A grant, as far as authentication depends on it. */
export interface KeyedGrant {
  name: string;
  /** `sha256:<id>:<salt>:<hash>` each. */
  keys: readonly string[];
  /** Milliseconds since the epoch; undefined: never. */
  expiresAt: number | undefined;
}

/** The part of the configuration that keys depend on. */
export interface KeyConfig {
  grants: readonly KeyedGrant[];
  /** Keys are asked for. Default: when there is a grant. */
  keysRequired?: boolean;
}

const asksForKeys = ({ grants, keysRequired }: KeyConfig): boolean => keysRequired === true || grants.length > 0;

interface GrantKey extends StoredKey {
  grant: string;
}

/** One state of the configuration. Never changed, only replaced. */
interface KeySet {
  byId: ReadonlyMap<string, GrantKey>;
  grants: ReadonlyMap<string, KeyedGrant>;
}

/** The key that a presented key with an unknown id is compared with. */
const UNKNOWN: GrantKey = { ...unknownKey(), grant: '' };

export class GrantKeys {
  readonly #now: () => number;
  #current: KeySet;
  #seen = new SeenKeys();
  #version = 0;
  #required: boolean;

  /** Throws `SWB_CONFIG` as {@link replace} does. `now` is in milliseconds since the epoch. */
  constructor(config: KeyConfig, now: () => number = Date.now) {
    this.#now = now;
    this.#current = keySet(config.grants);
    this.#required = asksForKeys(config);
  }

  /** A request without a credential is refused: the configuration asks for keys, or did. */
  get required(): boolean {
    return this.#required;
  }

  /** Another number after each change of the configuration. */
  get version(): number {
    return this.#version;
  }

  /** The name of the grant a key belongs to; undefined when it opens nothing. `connection`: the one it came over. */
  verify(presented: string, connection?: object): string | undefined {
    const seen = connection && this.#seen.grantOf(connection, presented);
    // A key whose grant has expired is as much work as a wrong one.
    if (seen !== undefined && this.isValid(seen)) return seen;
    const key = parseKey(presented);
    if (!key) return undefined;
    const { byId } = this.#current;
    const held = byId.get(key.id) ?? UNKNOWN;
    const same = isSecretOf(held, key.secret);
    if (!same || held === UNKNOWN || !this.isValid(held.grant)) return undefined;
    if (connection) this.#seen.remember(connection, presented, held.grant);
    return held.grant;
  }

  /** There is a grant of this name, and it has not expired. */
  isValid(name: string): boolean {
    const grant = this.#current.grants.get(name);
    return grant !== undefined && (grant.expiresAt === undefined || this.#now() < grant.expiresAt);
  }

  /**
   * The new configuration, at once and as a whole. Gives the names of the grants that lost a key or are gone: what was
   * opened with that key must end, and no session remembers which of its grant's keys opened it, so all of theirs do.
   * Throws `SWB_CONFIG`, and changes nothing, when a key or name cannot be one: the configuration checks that before.
   */
  replace(config: KeyConfig): ReadonlySet<string> {
    const before = this.#current;
    this.#current = keySet(config.grants);
    this.#seen = new SeenKeys();
    this.#version++;
    this.#required ||= asksForKeys(config);
    const lost = new Set<string>();
    for (const { name, keys } of before.grants.values()) {
      const left = this.#current.grants.get(name)?.keys;
      if (!left || keys.some((key) => !left.includes(key))) lost.add(name);
    }
    return lost;
  }
}

function keySet(grants: readonly KeyedGrant[]): KeySet {
  const byId = new Map<string, GrantKey>();
  const byName = new Map<string, KeyedGrant>();
  for (const grant of grants) {
    if (grant.name === LOCAL_PRINCIPAL || byName.has(grant.name)) {
      throw new SwitchboardError('SWB_CONFIG', `A grant cannot be called '${grant.name}', or is there twice.`);
    }
    byName.set(grant.name, grant);
    for (const stored of grant.keys) {
      const key = parseStoredKey(stored);
      if (!key || byId.has(key.id)) {
        throw new SwitchboardError('SWB_CONFIG', `A key of the grant '${grant.name}' is malformed, or is there twice.`);
      }
      byId.set(key.id, { ...key, grant: grant.name });
    }
  }
  return { byId, grants: byName };
}
