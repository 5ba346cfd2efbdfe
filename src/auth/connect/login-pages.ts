/**
 * Where a person is sent to log in to a server: the page of the gateway's own for the call that needs it, with the words that
 * go with it.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { type Identity, LOCAL_PRINCIPAL } from '../../core/identity.ts';
import { line } from '../../core/text.ts';
import type { FinishedLogin, LoginNeeded, Logins } from '../upstream/types.ts';
import type { PersonCheck } from './person-check.ts';
import type { ConnectRequests } from './requests.ts';

/** How a person can log in. */
export interface LoginWay {
  /** For the person, without the address: who asks for what, and the code to type on the page. */
  readonly message: string;
  /** What to run where the page cannot be opened. */
  readonly command: string;
  /** Undefined: the caller cannot log in by a page, only the operator by {@link command}. */
  readonly page: LoginPage | undefined;
}

export interface LoginPage {
  readonly id: string;
  readonly url: string;
  /** Undefined: the person logs in there as who they are, and no code is asked for. */
  readonly code: string | undefined;
}

/** A page for the operator's eyes: the code opens it. */
export interface OperatorPage {
  readonly id: string;
  readonly server: string;
  /** Whose token it will be. */
  readonly principal: string;
  readonly url: string;
  readonly code: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface LoginPagesOptions {
  logins: Pick<Logins, 'loginPrincipal' | 'needed' | 'check' | 'onFinished'>;
  requests: ConnectRequests;
  /** Where browsers reach the gateway, without a slash at the end; undefined where they do not. */
  base(): string | undefined;
  /** Finds out who is at a browser; without it, or for whom it does not know, pages ask for a code. */
  check?: PersonCheck | undefined;
  /** Resolves when a server that a person has logged in to can be called, or could not be connected. Never rejects. */
  ready(server: string): Promise<void>;
}

const MAX_NAME = 64;
/** What the page calls the client of such a request. */
const OPERATOR = 'switchboard connections connect';

export class LoginPages {
  readonly #options: LoginPagesOptions;
  /** Only of a command that serves its own page. */
  readonly #unseen = new Map<string, () => void>();

  constructor(options: LoginPagesOptions) {
    this.#options = options;
  }

  /** The way for this identity. `client` is what its client calls itself. */
  async wayFor(identity: Identity, needed: LoginNeeded, client?: string): Promise<LoginWay> {
    const { logins, requests } = this.#options;
    const { server } = needed;
    const name = line(server, MAX_NAME);
    const own = logins.loginPrincipal(identity, server) === identity.principal;
    const command = `switchboard connections connect ${shellWord(server)}${own ? optionsFor(identity) : ''}`;
    if (!own) {
      const message = `Server '${name}' has one login for everybody, and only the operator of the gateway can make it.`;
      return { message, command, page: undefined };
    }
    const base = this.#options.base();
    if (base === undefined || !isSafe(base)) {
      return { message: `${WHY[needed.reason]} '${name}'.`, command, page: undefined };
    }
    const { check } = this.#options;
    const proof = check?.knows(identity) ? 'identity' : 'code';
    const { id } = await requests.open(identity, needed, { client, proof });
    const code = proof === 'code' ? requests.codeOf(id) : undefined;
    const then =
      code === undefined
        ? `Open the page, and log in: first at ${check?.at} as yourself, then at the server.`
        : `Open the page, type the code ${code} there, and log in. Keep the code to yourself.`;
    return {
      message: `${WHY[needed.reason]} '${name}'. ${then}`,
      command,
      page: { id, url: `${base}/connect/${id}`, code },
    };
  }

  /**
   * A page for this identity, which the operator asks for: the identity whose token it will be. Rejects with
   * `SWB_UNKNOWN_SERVER`, with `SWB_NOT_SUPPORTED` where browsers do not reach the gateway or the server has no logins, and
   * with `SWB_LOGIN_FAILED` where no login could succeed.
   */
  async forOperator(identity: Identity, server: string): Promise<OperatorPage> {
    const { logins, requests } = this.#options;
    await logins.check(identity, server);
    const base = this.#options.base();
    if (base === undefined || !isSafe(base)) {
      throw new SwitchboardError(
        'SWB_NOT_SUPPORTED',
        'Browsers do not reach this gateway safely: it listens beyond loopback or not at all. Set gateway.publicUrl to its https address.',
      );
    }
    const needed = (await logins.needed(identity, server)) ?? { server, reason: 'login', scopes: [] };
    const { id, expiresAt } = await requests.open(identity, needed, { client: OPERATOR });
    const { principal } = identity;
    return { id, server, principal, url: `${base}/connect/${id}`, code: requests.codeOf(id), expiresAt };
  }

  /** How it stands with a page. */
  async stateOf(id: string): Promise<'waiting' | 'connected' | 'closed'> {
    const { requests } = this.#options;
    const request = await requests.find(id);
    if (request?.finished) return 'connected';
    return request && !(await requests.isLocked(id)) ? 'waiting' : 'closed';
  }

  /** Resolves when a person has seen that this login has ended well: the command that serves the page may end then. */
  whenShown(id: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#unseen.set(id, resolve);
    return promise;
  }

  /** The page of a login that has ended well was sent. */
  shown(id: string): void {
    this.#unseen.get(id)?.();
    this.#unseen.delete(id);
  }

  /** What an identity lacks for a server, as far as it is known before anything is sent. */
  needed(identity: Identity, server: string): Promise<LoginNeeded | undefined> {
    return this.#options.logins.needed(identity, server);
  }

  /** Whether no login can come of this page any more: it has ended well, or it is not valid. */
  async isOver(id: string): Promise<boolean> {
    const request = await this.#options.requests.find(id);
    return request === undefined || request.finished;
  }

  ready(server: string): Promise<void> {
    return this.#options.ready(server);
  }

  onFinished(listener: (finished: FinishedLogin) => void): () => void {
    return this.#options.logins.onFinished(listener);
  }
}

const WHY = {
  login: 'This needs your login to server',
  'step-up': 'This needs more rights than your login has at server',
  expired: 'Your login has expired at server',
} as const;

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Codes of authorization servers pass through these addresses: they are encrypted, or stay on this machine. */
export function isSafe(base: string): boolean {
  const url = URL.parse(base);
  return url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname)));
}

/** For whom: the local user, the holders of a grant's keys, or one principal of several under a grant. */
function optionsFor({ principal, grant }: Identity): string {
  if (principal === LOCAL_PRINCIPAL) return '';
  const own = grant === undefined ? '' : ` --grant ${shellWord(grant)}`;
  return principal === grant ? own : ` --principal ${shellWord(principal)}${own}`;
}

/** A principal is an issuer and a subject. Cut, it would be another one. */
const MAX_WORD = 1_024;

/** A name as one word of a command line. */
const shellWord = (name: string): string =>
  /^[\w.@:-]+$/.test(name) ? name : `'${line(name, MAX_WORD).replaceAll("'", String.raw`'\''`)}'`;
