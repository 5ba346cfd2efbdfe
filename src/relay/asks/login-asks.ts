/**
 * A call that needs a person's login to its server (`SWB_LOGIN_NEEDED`). It did not run, so nothing of it is kept: the person is
 * sent to a page of the gateway's, and the client sends the call again.
 *
 * | client | gets |
 * |---|---|
 * | modern, opens pages | `input_required` with the page; its retry waits for the login (bounded), and is the call again |
 * | 2025-11-25, opens pages | error -32042 with the page, and `notifications/elicitation/complete` afterwards |
 * | any other | a tool's result with `isError`, or an error, that says where to log in |
 *
 * A run that outlives its client asks the client that follows it, and goes on.
 * Source: 2025-11-25 and 2026-07-28 client/elicitation, "URL Mode Elicitation for OAuth Flows".
 * @module
 */
import type { LoginPages, LoginWay } from '../../auth/connect/login-pages.ts';
import { type LoginNeeded, loginNeeded, loginNeededOf } from '../../auth/upstream/types.ts';
import type { Call } from '../../core/call.ts';
import type { Caller } from '../../core/caller.ts';
import { untilAborted } from '../../core/deadline.ts';
import { RPC, SwitchboardError } from '../../core/errors.ts';
import { FairMap } from '../../core/fair-map.ts';
import { isObject, type JsonObject, type Notification, notification } from '../../wire/jsonrpc.ts';
import type { RelayCall } from '../call.ts';
import type { RequestContext } from '../request-context.ts';
import { bindingOf } from '../request-context.ts';
import type { CallResult } from '../types.ts';
import { declares } from './capabilities.ts';
import { type Sealing, StateSeal } from './request-state.ts';

const PREFIX = 'swbl1.';

/** How long a state is valid. Nothing is held meanwhile. */
const STATE_MS = 60 * 60_000;
/** How long a retry waits for the login before its client is asked again: below the 60 s after which SDKs give up. */
const WAIT_MS = 30_000;
/** Sessions that get a notification of a login; one that is forgotten gets none. */
const MAX_TOLD = 2_000;
/** What a client sent with its retry is kept in the state up to here. */
const MAX_KEPT_CHARS = 32 * 1024;
/** Pages that one call of a run may send people to. */
const MAX_LOGINS = 3;

/** Requests that a modern client may be answered with `input_required` (2026-07-28 basic/patterns/mrtr, "Supported Requests"). */
const ROUNDS: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

const URL_MODE = { method: 'elicitation/create', params: { mode: 'url' } } as const;

interface LoginClaims {
  /** The page. */
  id: string;
  server: string;
  expiresAt: number;
  /** What the client had sent back in an earlier round of the same call: the next request goes on from there. */
  round?: JsonObject;
}

/** The error with the way to log in. */
export class LoginAsked extends SwitchboardError {
  readonly needed: LoginNeeded;
  readonly way: LoginWay;
  /** It is in the form that the client gets. */
  readonly isForClient: boolean;
  readonly #rpc: number | undefined;

  /** `form`: what the client gets; for one of 2025-11-25 that opens pages the elicitations of error -32042. */
  constructor(needed: LoginNeeded, way: LoginWay, form?: 'plain' | JsonObject[]) {
    const elicitations = typeof form === 'object' ? form : undefined;
    const { page, command } = way;
    super('SWB_LOGIN_NEEDED', sentenceOf(way), {
      data: {
        server: needed.server,
        reason: needed.reason,
        ...(page ? { url: page.url } : {}),
        ...(page?.code === undefined ? {} : { oneTimeCode: page.code }),
        command,
        ...(elicitations ? { elicitations } : {}),
      },
    });
    this.needed = needed;
    this.way = way;
    this.isForClient = form !== undefined;
    this.#rpc = elicitations ? RPC.urlElicitationRequired : undefined;
  }

  override get rpcCode(): number {
    return this.#rpc ?? super.rpcCode;
  }

  /** Whether the client opens the page itself. */
  get opensPage(): boolean {
    return this.#rpc !== undefined;
  }
}

function sentenceOf({ message, page, command }: LoginWay): string {
  const then = `Then send the request again: it has not run.`;
  if (!page) return `${message} Run '${command}' where the gateway runs. ${then}`;
  return `${message} The page is ${page.url} – or run '${command}' where the gateway runs. ${then}`;
}

/** Whether a `requestState` claims to be of a login. */
export const isLoginState = (state: unknown): state is string => typeof state === 'string' && state.startsWith(PREFIX);

export interface LoginAsksOptions {
  pages: LoginPages;
  sealing: Sealing;
  /** Sends a notification to the open session of a caller. */
  tell(callerKey: string, sent: Notification): void;
  waitMs?: number;
}

interface Told {
  id: string;
  keys: Set<string>;
}

export class LoginAsks {
  readonly #pages: LoginPages;
  readonly #seal: StateSeal<LoginClaims>;
  readonly #tell: LoginAsksOptions['tell'];
  readonly #waitMs: number;
  /** By principal and server. */
  readonly #told = new FairMap<string, Told>(MAX_TOLD);
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #stop: () => void;

  constructor({ pages, sealing, tell, waitMs = WAIT_MS }: LoginAsksOptions) {
    this.#pages = pages;
    this.#seal = new StateSeal(sealing, PREFIX);
    this.#tell = tell;
    this.#waitMs = waitMs;
    this.#stop = pages.onFinished(({ principal, server }) => {
      // After a first login, the server is being connected now.
      void pages.ready(server).then(() => this.#finished(keyOf(principal, server)));
    });
  }

  close(): void {
    this.#stop();
    for (const key of [...this.#waiting.keys()]) this.#wake(key);
  }

  /** Rejects with the error of a login that is known to be missing: before anything is asked or begun. */
  async require({ caller }: Pick<Call, 'caller'>, server: string): Promise<void> {
    const needed = await this.#pages.needed(caller.identity, server);
    if (needed) throw loginNeeded(needed);
  }

  /** The error with a way to log in; any other error as it is. */
  async withWay(caller: Caller, error: unknown): Promise<unknown> {
    if (error instanceof LoginAsked) return error;
    const needed = loginNeededOf(error);
    return needed ? this.#asked(caller, needed) : error;
  }

  async #asked(caller: Caller, needed: LoginNeeded): Promise<LoginAsked> {
    return new LoginAsked(needed, await this.#pages.wayFor(caller.identity, needed, caller.clientInfo?.name));
  }

  /** What a client gets for the error: a round of input, or an error that is thrown. */
  async answer(context: RequestContext, failure: unknown): Promise<CallResult> {
    const { caller, request } = context;
    const error = await this.withWay(caller, failure);
    if (!(error instanceof LoginAsked)) throw error;
    const { way, needed } = error;
    const { page } = way;
    const plain = new LoginAsked(needed, way, 'plain');
    if (!page || !opensPages(caller)) throw plain;
    if (caller.era === 'legacy') {
      this.#remember(caller, needed.server, page.id);
      throw new LoginAsked(needed, way, [{ mode: 'url', elicitationId: page.id, url: page.url, message: way.message }]);
    }
    if (!ROUNDS.has(request.method)) throw plain;
    const claims: LoginClaims = { id: page.id, server: needed.server, expiresAt: Date.now() + STATE_MS };
    const round = this.#earlierRound(context);
    if (round) claims.round = round;
    const requestState = this.#seal.seal(claims, bindingOf(context));
    const inputRequests = { login: pageRequest(way, page.url) };
    return { value: { resultType: 'input_required', inputRequests, requestState } };
  }

  /** What the client sent back with this request, where that belongs to a round of its server's. */
  #earlierRound({ params }: RequestContext): JsonObject | undefined {
    const { requestState, inputResponses } = params;
    if (requestState === undefined && inputResponses === undefined) return undefined;
    const round: JsonObject = {};
    if (requestState !== undefined) round.requestState = requestState;
    if (inputResponses !== undefined) round.inputResponses = inputResponses;
    return JSON.stringify(round).length <= MAX_KEPT_CHARS ? round : undefined;
  }

  /**
   * A retry: waits for the login, for a bounded time, and gives the params of the request that goes on. Where the login is not
   * there by then, that request needs it again, and its client is asked again.
   */
  async admit(context: RequestContext, state: string): Promise<JsonObject> {
    const claims = this.#seal.open(state, bindingOf(context));
    if (!claims || Date.now() > claims.expiresAt) {
      throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.requestState is not valid for this request.');
    }
    const { requestState: _, inputResponses, ...params } = context.params;
    const responses = isObject(inputResponses) ? Object.values(inputResponses) : [];
    if (responses.some((response) => isObject(response) && response.action !== 'accept')) throw declined(claims.server);
    await this.#login(context.call, claims.server, claims.id, this.#waitMs);
    return { ...params, ...claims.round };
  }

  /** Sends a request of a run that outlives its client; the client that follows the run is asked to log in, and then it is sent again. */
  async sendAsking<T>(call: RelayCall, send: () => Promise<T>): Promise<T> {
    for (let logins = 0; ; logins++) {
      try {
        return await send();
      } catch (failure) {
        // One with a way was asked about further inside.
        if (failure instanceof LoginAsked) throw failure;
        const error = await this.withWay(call.caller, failure);
        if (!(error instanceof LoginAsked) || logins === MAX_LOGINS) throw error;
        await this.#askDuring(call, error);
      }
    }
  }

  /** Resolves when the login may be there. Rejects with the error where no client can be asked. */
  async #askDuring(call: RelayCall, error: LoginAsked): Promise<void> {
    const { way, needed } = error;
    if (!way.page || !declares(call.caller.capabilities, URL_MODE)) throw error;
    const { id, url } = way.page;
    const { params } = pageRequest(way, url);
    const legacy = call.caller.era === 'legacy' ? { elicitationId: id } : {};
    let result: JsonObject;
    try {
      result = await call.ask({ method: URL_MODE.method, params: { ...params, ...legacy } });
    } catch (refusal) {
      throw call.reason ?? (refusal instanceof SwitchboardError ? error : refusal);
    }
    if (result.action !== 'accept') throw declined(needed.server);
    await this.#login(call, needed.server, id, undefined);
  }

  /** Resolves when the login has ended well, the page is not valid any more, or time is up. Rejects when the call is aborted. */
  async #login(call: RelayCall, server: string, id: string, waitMs: number | undefined): Promise<void> {
    const key = keyOf(call.caller.principal, server);
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting.add(resolve));
    // A page may expire without an event that says so.
    const looking = setInterval(() => this.#pages.isOver(id).then((over) => over && resolve(), resolve), LOOK_MS);
    const timer = waitMs === undefined ? undefined : setTimeout(resolve, waitMs);
    try {
      if (await this.#pages.isOver(id)) await untilAborted(this.#pages.ready(server), call);
      else await untilAborted(promise, call);
    } finally {
      clearInterval(looking);
      clearTimeout(timer);
      waiting.delete(resolve);
      if (waiting.size === 0) this.#waiting.delete(key);
    }
  }

  #remember({ principal, key }: Caller, server: string, id: string): void {
    const of = keyOf(principal, server);
    const told = this.#told.get(of);
    if (told?.id === id && told.keys.size < MAX_SESSIONS) told.keys.add(key);
    else if (told?.id !== id) this.#told.set(of, principal, { id, keys: new Set([key]) });
  }

  #finished(key: string): void {
    const told = this.#told.get(key);
    if (told) {
      this.#told.delete(key);
      const complete = notification('notifications/elicitation/complete', { elicitationId: told.id });
      for (const callerKey of told.keys) this.#tell(callerKey, complete);
    }
    this.#wake(key);
  }

  #wake(key: string): void {
    for (const resolve of this.#waiting.get(key) ?? []) resolve();
  }
}

const MAX_SESSIONS = 50;
const LOOK_MS = 5_000;

/** A line break can stand in no principal. */
const keyOf = (principal: string, server: string): string => `${principal}\n${server}`;

const pageRequest = ({ message }: LoginWay, url: string) => ({
  method: 'elicitation/create',
  params: { mode: 'url', message, url },
});

const declined = (server: string): SwitchboardError =>
  new SwitchboardError('SWB_ASK_REFUSED', `The login to server '${server}' was declined, so the request was not sent.`);

/**
 * Clients of 2025-11-25 that open the pages of error -32042 although they declare `elicitation: {}`, which means forms only.
 * One that does not after all shows the error, which says where the page is.
 */
const KNOWN_TO_OPEN: ReadonlySet<string> = new Set(['claude-code']);

/** Whether a client has a person open a page. */
function opensPages({ capabilities, clientInfo, era, protocolVersion }: Caller): boolean {
  if (era === 'legacy' && protocolVersion < '2025-11-25') return false;
  if (declares(capabilities, URL_MODE)) return true;
  return era === 'legacy' && isObject(capabilities.elicitation) && KNOWN_TO_OPEN.has(clientInfo?.name ?? '');
}
