/**
 * Remembers which headers a server was shown lately, so that they can be taken out of what it says: with a provider of
 * credentials each identity has its own, and they change.
 * @module
 */
import type { CredentialHeaders, ServerCredentials } from './credentials.ts';
import type { Identity } from './identity.ts';
import { type Mask, maskingHeaders } from './mask.ts';

/** Sets of headers that are remembered: those of the identities that were served last. */
const MAX_SETS = 256;

export class ShownCredentials {
  readonly #sets = new Set<CredentialHeaders>();
  #last: CredentialHeaders | undefined;
  #mask: Mask | undefined;

  /** Credentials that are remembered as they are shown. */
  remembering(credentials: ServerCredentials): ServerCredentials {
    const headersFor = (identity: Identity): CredentialHeaders | Promise<CredentialHeaders> => {
      const headers = credentials.headersFor(identity);
      if (!(headers instanceof Promise)) return this.#note(headers);
      return headers.then((shown) => this.#note(shown));
    };
    const refused = credentials.refused?.bind(credentials);
    return refused ? { headersFor, refused } : { headersFor };
  }

  readonly mask: Mask = (text) => {
    if (this.#sets.size === 0) return text;
    this.#mask ??= maskingHeaders([...this.#sets]);
    return this.#mask(text);
  };

  /** Where credentials are fixed they are the same object each time, and this costs a comparison. */
  #note(headers: CredentialHeaders): CredentialHeaders {
    if (headers === this.#last) return headers;
    this.#last = headers;
    // The latest is last, and the first is forgotten.
    if (!this.#sets.delete(headers)) this.#mask = undefined;
    this.#sets.add(headers);
    if (this.#sets.size <= MAX_SETS) return headers;
    const [oldest] = this.#sets;
    this.#sets.delete(oldest as CredentialHeaders);
    this.#mask = undefined;
    return headers;
  }
}
