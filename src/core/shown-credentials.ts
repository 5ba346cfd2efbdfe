/**
 * Remembers which headers a server, and which logins its broker, was shown lately, so that they can be taken out of what it
 * says: with a provider of credentials each identity has its own, and they change.
 * @module
 */
import { type BrokerLogin, loginSecrets } from './broker.ts';
import type { CredentialHeaders, ServerCredentials } from './credentials.ts';
import type { Identity } from './identity.ts';
import { type Mask, maskingShown } from './mask.ts';

/** Sets of headers that are remembered, and logins: those of the identities that were served last. */
const MAX_REMEMBERED = 256;

export class ShownCredentials {
  readonly #headers = new Latest<CredentialHeaders>();
  readonly #logins = new Latest<BrokerLogin>();
  #mask: { of: number; mask: Mask } | undefined;

  /** Credentials that are remembered as they are shown. */
  remembering(credentials: ServerCredentials): ServerCredentials {
    const headersFor: ServerCredentials['headersFor'] = (identity, use) =>
      noting(credentials.headersFor(identity, use), this.#headers);
    const refused = credentials.refused?.bind(credentials);
    const refusedAgain = credentials.refusedAgain?.bind(credentials);
    const answered = credentials.answered?.bind(credentials);
    const { loginFor } = credentials;
    return {
      headersFor,
      ...(refused ? { refused } : {}),
      ...(refusedAgain ? { refusedAgain } : {}),
      ...(answered ? { answered } : {}),
      ...(loginFor ? { loginFor: (identity: Identity) => noting(loginFor(identity), this.#logins) } : {}),
    };
  }

  readonly mask: Mask = (text) => {
    if (this.#headers.isEmpty && this.#logins.isEmpty) return text;
    const of = this.#headers.changes + this.#logins.changes;
    if (this.#mask?.of !== of) {
      this.#mask = {
        of,
        mask: maskingShown([...this.#headers.values], [...this.#logins.values].flatMap(loginSecrets)),
      };
    }
    return this.#mask.mask(text);
  };
}

function noting<T extends object | undefined>(shown: T | Promise<T>, latest: Latest<object & T>): T | Promise<T> {
  if (shown instanceof Promise) return shown.then((value) => noting(value, latest) as T);
  if (shown !== undefined) latest.note(shown as object & T);
  return shown;
}

/** The objects that were noted last. */
class Latest<T extends object> {
  readonly values = new Set<T>();
  /** Counts what came and what was forgotten. */
  changes = 0;
  #last: T | undefined;

  get isEmpty(): boolean {
    return this.values.size === 0;
  }

  /** Where credentials are fixed they are the same object each time, and this costs a comparison. */
  note(value: T): void {
    if (value === this.#last) return;
    this.#last = value;
    // The latest is last, and the first is forgotten.
    if (!this.values.delete(value)) this.changes++;
    this.values.add(value);
    if (this.values.size <= MAX_REMEMBERED) return;
    const [oldest] = this.values;
    this.values.delete(oldest as T);
    this.changes++;
  }
}
