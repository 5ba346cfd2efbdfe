/**
 * A bounded map whose entries belong to principals. When it is full, the principal with most loses its oldest entry, so
 * that none loses one for another's use; one principal alone may have all, or its own maximum.
 * @module
 */

interface Owned<V> {
  readonly principal: string;
  readonly value: V;
}

export class FairMap<K, V> {
  readonly #max: number;
  readonly #maxOfOne: number;
  readonly #entries = new Map<K, Owned<V>>();
  /** Keys by principal, oldest first. */
  readonly #keys = new Map<string, Set<K>>();

  constructor(max: number, maxOfOne = max) {
    this.#max = max;
    this.#maxOfOne = maxOfOne;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Sets the entry, which is then its principal's newest. */
  set(key: K, principal: string, value: V): void {
    this.delete(key);
    const own = this.#keys.get(principal);
    if (own && own.size >= this.#maxOfOne) this.#dropOldest(own);
    else if (this.#entries.size >= this.#max) this.#makeRoom(principal);
    this.#entries.set(key, { principal, value });
    const keys = this.#keys.get(principal) ?? new Set<K>();
    this.#keys.set(principal, keys.add(key));
  }

  delete(key: K): void {
    const owned = this.#entries.get(key);
    if (!owned) return;
    this.#entries.delete(key);
    const keys = this.#keys.get(owned.principal);
    keys?.delete(key);
    if (keys?.size === 0) this.#keys.delete(owned.principal);
  }

  clear(): void {
    this.#entries.clear();
    this.#keys.clear();
  }

  /** Of several principals with most, the one that sets the new entry gives way. */
  #makeRoom(principal: string): void {
    let most = this.#keys.get(principal);
    for (const keys of this.#keys.values()) if (keys.size > (most?.size ?? 0)) most = keys;
    if (most) this.#dropOldest(most);
  }

  #dropOldest(keys: ReadonlySet<K>): void {
    for (const oldest of keys) {
      this.delete(oldest);
      return;
    }
  }
}
