/**
 * Bounds how often the admin token can be guessed: wrong ones are counted for each address, and for all addresses together. It is for
 * tokens that a person chose, which may be short. One of 256 random bits needs no bound, and a bound would let a stranger behind a
 * proxy on loopback keep the operator out.
 *
 * Rules: once an address has shown ten different wrong tokens, every token from it is refused unread until its minute is over, the right
 * one too, so that a guesser learns nothing. Once all addresses together have shown 200, tokens are read only from loopback and from addresses that
 * have shown the right one before. The same wrong token counts once, so that a client with an old token does not shut others out.
 * @module
 */
import { SwitchboardError } from '../core/errors.ts';
import { sha256 } from '../core/hash.ts';
import { tokenCheck } from './bearer.ts';

const WINDOW_MS = 60_000;
/** Different wrong tokens in a window. */
const MAX_OF_ADDRESS = 10;
const MAX_OF_ALL = 200;
/** Addresses that have shown the right token; the one that was away longest is forgotten first. */
const MAX_KNOWN = 100;

/** Ends at `until`, by `performance.now()`. */
interface Wrong {
  until: number;
  hashes: Set<string>;
}

export class AdminGuesses {
  readonly #isToken: (presented: string) => boolean;
  readonly #now: () => number;
  /** Few: a new entry is a guess that counts among all, and addresses beyond that bound get none. */
  readonly #wrong = new Map<string, Wrong>();
  readonly #known = new Set<string>();
  #all = { until: 0, count: 0 };

  constructor(token: string, now: () => number = () => performance.now()) {
    this.#isToken = tokenCheck(token);
    this.#now = now;
  }

  /** Addresses that are kept. */
  get remembered(): number {
    return this.#wrong.size + this.#known.size;
  }

  /**
   * Whether this is the admin token. `from`: the address of the connection. Throws `SWB_TOO_MANY_ATTEMPTS`, for right tokens too,
   * where there were too many wrong ones.
   */
  check(presented: string, from: string | undefined): boolean {
    const now = this.#now();
    const network = networkOf(from ?? '');
    const own = this.#wrongOf(network, now);
    if (own && own.hashes.size >= MAX_OF_ADDRESS) throw tooMany(own.until - now);
    const isExempt = this.#known.has(network) || isLoopback(network);
    if (now >= this.#all.until) this.#all = { until: now + WINDOW_MS, count: 0 };
    if (this.#all.count >= MAX_OF_ALL && !isExempt) throw tooMany(this.#all.until - now);
    if (this.#isToken(presented)) {
      this.#remember(network);
      return true;
    }
    this.#count(network, own, sha256(presented), now);
    return false;
  }

  #wrongOf(network: string, now: number): Wrong | undefined {
    const own = this.#wrong.get(network);
    if (own === undefined || now < own.until) return own;
    this.#wrong.delete(network);
    return undefined;
  }

  #count(network: string, own: Wrong | undefined, hash: string, now: number): void {
    if (own?.hashes.has(hash)) return;
    this.#all.count++;
    if (own) {
      own.hashes.add(hash);
      return;
    }
    // In the order in which their windows end.
    for (const [other, { until }] of this.#wrong) {
      if (now < until) break;
      this.#wrong.delete(other);
    }
    this.#wrong.set(network, { until: now + WINDOW_MS, hashes: new Set([hash]) });
  }

  #remember(network: string): void {
    this.#known.delete(network);
    this.#known.add(network);
    const [oldest] = this.#known;
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }
}

const tooMany = (retryAfterMs: number): SwitchboardError =>
  new SwitchboardError(
    'SWB_TOO_MANY_ATTEMPTS',
    'Too many wrong admin tokens were sent. Wait a minute, then try again.',
    {
      retryAfterMs: Math.ceil(retryAfterMs),
    },
  );

/** A request without an address is one of a program that calls the gateway in its own process. */
const isLoopback = (network: string): boolean =>
  network === '' || network.startsWith('127.') || network === networkOf('::1');

/** IPv4 as it is; of IPv6 the first 64 bits, since one host has all the others. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':') : [];
  const zeros = new Array<string>(tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)).fill('0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
}
