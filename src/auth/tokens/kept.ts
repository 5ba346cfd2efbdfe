/**
 * A document that is fetched when it is needed and kept for a while. Where it cannot be fetched again the last one serves on
 * for some time, so that an authorization server that is away shuts no client out; and it is not asked again at each request.
 * @module
 */

export interface KeptTimes {
  /** After this it is fetched anew. */
  freshMs: number;
  /** For so long it serves though it cannot be fetched anew. */
  staleMs: number;
  /** A fetch that failed is not repeated before. */
  retryMs: number;
}

export const KEPT_TIMES: KeptTimes = { freshMs: 10 * 60_000, staleMs: 60 * 60_000, retryMs: 5_000 };

export class Kept<T> {
  readonly #load: () => Promise<T>;
  readonly #times: KeptTimes;
  readonly #now: () => number;
  #value: { value: T; at: number } | undefined;
  #failure: { error: unknown; at: number } | undefined;
  #loading: Promise<T> | undefined;

  constructor(load: () => Promise<T>, times: KeptTimes, now: () => number) {
    this.#load = load;
    this.#times = times;
    this.#now = now;
  }

  /** When what is kept was fetched; undefined while there is nothing. */
  get fetchedAt(): number | undefined {
    return this.#value?.at;
  }

  /** What is kept, or fetched now. Rejects with what the fetch did, once and for some time. */
  get(): Promise<T> {
    const kept = this.#value;
    if (kept && this.#now() - kept.at < this.#times.freshMs) return Promise.resolve(kept.value);
    return this.refresh();
  }

  /** Fetches it anew, unless that failed a moment ago. Callers at one time share one fetch. */
  refresh(): Promise<T> {
    const failure = this.#failure;
    if (failure && this.#now() - failure.at < this.#times.retryMs) return this.#instead(failure.error);
    this.#loading ??= this.#fetch().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #fetch(): Promise<T> {
    try {
      const value = await this.#load();
      this.#value = { value, at: this.#now() };
      this.#failure = undefined;
      return value;
    } catch (error) {
      this.#failure = { error, at: this.#now() };
      return this.#instead(error);
    }
  }

  #instead(error: unknown): Promise<T> {
    const kept = this.#value;
    const { freshMs, staleMs } = this.#times;
    if (kept && this.#now() - kept.at < freshMs + staleMs) return Promise.resolve(kept.value);
    return Promise.reject(error);
  }
}
