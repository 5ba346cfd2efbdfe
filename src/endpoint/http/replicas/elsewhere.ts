/**
 * Requests about something that lives in another replica: its session, its suspended call, its task. They are passed on to it,
 * so that no balancer has to know which replica a client needs. Where that replica is gone, the request is served here, as one
 * about something that has ended.
 * @module
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { LinkedList } from '../../../core/linked-list.ts';
import type { Log } from '../../../core/log.ts';
import { type ReplicaId, routeOf } from '../../../state/replica.ts';
import type { Replicas } from '../../../state/replicas.ts';
import { isObject, type JsonObject, kindOf, type Request, type RequestId } from '../../../wire/jsonrpc.ts';
import type { PlacedElsewhere } from '../../admin/admin.ts';
import { parseJson } from '../../messages.ts';
import { sendError } from '../reply.ts';
import { type HttpRequestContext, header } from '../request.ts';
import { away, Forward, type Forwarded } from './forward.ts';
import { ALIVE, type ListenOptions, Passage } from './passage.ts';
import { Pulse } from './pulse.ts';
import { Standstill } from './standstill.ts';

export interface ElsewhereOptions {
  replica: ReplicaId;
  replicas: Replicas;
  /** 32 bytes that all replicas of the state have. */
  key: Buffer;
  listen: ListenOptions;
  log: Log;
  /** Where a task lives; undefined when no replica has it. */
  placeOfTask(http: HttpRequestContext, taskId: string): Promise<ReplicaId | undefined>;
}

/** Of the tasks that one stream is about. */
const MAX_LOOKED_UP = 64;

/**
 * `initialize` opens a session wherever it arrives, and is parsed here first. One that spells the word with an escape, as JSON may, is
 * passed on unread: the other replica parses it and opens the session itself, which is as good.
 */
const MAY_OPEN_A_SESSION = '"initialize"';

/** In place of a message that has not been parsed. */
const UNREAD = Symbol();

/** What begins the state of a suspended call. States of other kinds hold nothing in a replica. */
const SUSPENDED = 'swb1.';

export class Elsewhere {
  readonly #options: ElsewhereOptions;
  readonly #passage: Passage;
  readonly #open = new LinkedList<Forward>();
  readonly #pulse: Pulse;
  readonly #standstill = new Standstill();
  readonly #stopWatching: () => void;
  #started: Promise<void> | undefined;

  constructor(options: ElsewhereOptions) {
    this.#options = options;
    this.#passage = new Passage(options.key);
    const { replicas } = options;
    this.#stopWatching = replicas.onChange(() => this.#lost(({ to }) => !replicas.addressOf(to)));
    this.#pulse = new Pulse({
      awaited: () => new Map([...this.#open].map(({ to, address }) => [to, address])),
      isAlive: (address, ms) => this.#passage.isAlive(address, ms),
      silent: (replica) => this.#lost(({ to }) => to === replica),
    });
  }

  /** A request of a client that may have waited too long: `serve` is called where its client still waits. */
  guard(req: IncomingMessage, res: ServerResponse, serve: () => void): void {
    this.#standstill.guard(req, res, serve);
  }

  /** Listens for other replicas and becomes known to them. */
  start(handler: RequestListener): Promise<void> {
    const serve: RequestListener = (req, res) => {
      if (req.url === ALIVE) res.writeHead(204).end();
      else this.#standstill.guard(req, res, () => handler(req, res));
    };
    this.#started ??= this.#passage
      .listen(this.#options.listen, serve)
      .then((address) => this.#options.replicas.start(address));
    return this.#started;
  }

  /** Passes a request without a body on, where its session is another replica's. `otherwise` serves it here. */
  takes(http: HttpRequestContext, path: string, session: string | undefined, otherwise: () => void): boolean {
    const to = this.#other(session);
    if (to === undefined) return false;
    return this.#forward(http, { to, path, body: undefined, message: undefined, era: 'legacy' }, otherwise);
  }

  /** The same for a POST in such a session, whose body is not read on the way. */
  takesUnread(http: HttpRequestContext, path: string, body: Buffer, otherwise: () => void): boolean {
    const to = this.#other(sessionOf(http));
    if (to === undefined || body.includes(MAY_OPEN_A_SESSION)) return false;
    return this.#forward(http, { to, path, body, message: UNREAD, era: 'legacy' }, otherwise);
  }

  /** The same for a POST, by its session or by what its message is about. */
  takesPost(
    http: HttpRequestContext,
    path: string,
    session: string | undefined,
    { message, body }: { message: unknown; body: Buffer },
    otherwise: () => void,
  ): boolean {
    if (session !== undefined) {
      const to = this.#other(session);
      if (to === undefined) return false;
      return this.#forward(http, { to, path, body, message, era: 'legacy' }, otherwise);
    }
    if (!isObject(message) || !isObject(message.params)) return false;
    const { requestState } = message.params;
    if (typeof requestState === 'string' && requestState.startsWith(SUSPENDED)) {
      const to = this.#other(requestState);
      return to !== undefined && this.#forward(http, { to, path, body, message, era: 'modern' }, otherwise);
    }
    const taskIds = taskIdsIn(message.method, message.params);
    if (taskIds.length === 0) return false;
    this.#placeOf(http, taskIds).then(
      (to) => {
        if (http.res.destroyed) return;
        const isElsewhere = to !== this.#options.replica;
        if (!isElsewhere || !this.#forward(http, { to, path, body, message, era: 'modern' }, otherwise)) otherwise();
      },
      () => otherwise(),
    );
    return true;
  }

  /** Where most of these tasks live. A stream is served in one replica: what lives in others is left out of its acknowledgment. */
  async #placeOf(http: HttpRequestContext, taskIds: readonly string[]): Promise<ReplicaId> {
    const { replica, placeOfTask } = this.#options;
    const places = await Promise.all(taskIds.map((id) => placeOfTask(http, id)));
    const counts = new Map<ReplicaId, number>();
    for (const place of places) counts.set(place ?? replica, (counts.get(place ?? replica) ?? 0) + 1);
    // This one counts unknown tasks, too.
    const own = counts.get(replica) ?? 0;
    counts.delete(replica);
    const [to, most] = [...counts].reduce((best, each) => (each[1] > best[1] ? each : best), [replica, 0]);
    return most >= own ? to : replica;
  }

  /** A request for the administration. It was let in here, and is again where it is served, by what its headers prove. */
  takesAdmin(http: Pick<HttpRequestContext, 'req' | 'res'>, what: PlacedElsewhere): boolean {
    const { to, path, body, headers } = what;
    if (to === this.#options.replica) return false;
    const sent = http.req.method === 'POST' ? body : undefined;
    return this.#forward(http, { to, path, body: sent, message: undefined, era: 'legacy', headers }, () => {
      sendError(http.res, away().httpStatus, null, away(), 'legacy');
    });
  }

  async close(): Promise<void> {
    this.#stopWatching();
    this.#pulse.close();
    this.#standstill.close();
    await this.#options.replicas.close();
    this.#passage.close();
  }

  #lost(isLost: (forward: Forward) => boolean): void {
    for (const forward of [...this.#open]) if (isLost(forward)) forward.lost();
  }

  #other(id: string | undefined): ReplicaId | undefined {
    const replica = id === undefined ? undefined : routeOf(id);
    return replica === this.#options.replica ? undefined : replica;
  }

  #forward(
    { req, res }: Pick<HttpRequestContext, 'req' | 'res'>,
    what: Pick<Forwarded, 'to' | 'path' | 'body' | 'era' | 'headers'> & { message: unknown },
    otherwise: () => void,
  ): boolean {
    const { to, path, body, message, era, headers } = what;
    const address = this.#options.replicas.addressOf(to);
    if (!address) return false;
    const forward = new Forward({
      http: { req, res },
      to,
      address,
      path,
      body,
      headers,
      ids: () => idsOf(message === UNREAD && body ? read(body) : message),
      era,
      otherwise: (problem) => {
        this.#options.log.warn({ replica: to, problem }, 'Another replica cannot be reached: see gateway.replica.');
        if (!res.destroyed) otherwise();
      },
      over: () => this.#open.remove(forward),
    });
    this.#open.append(forward);
    forward.start(this.#passage);
    this.#pulse.start();
    return true;
  }
}

/** The session that a request is in. `initialize` opens one, whatever id comes with it. */
export const sessionOf = ({ req }: HttpRequestContext, message?: unknown): string | undefined =>
  isObject(message) && message.method === 'initialize' ? undefined : header(req, 'mcp-session-id');

/** The tasks that a request outside of a session is about. */
function taskIdsIn(method: unknown, { taskId, notifications }: JsonObject): string[] {
  if (method === 'subscriptions/listen') {
    const asked = isObject(notifications) && Array.isArray(notifications.taskIds) ? notifications.taskIds : [];
    return asked.filter((id) => typeof id === 'string').slice(0, MAX_LOOKED_UP);
  }
  return typeof taskId === 'string' && String(method).startsWith('tasks/') ? [taskId] : [];
}

/** A message that is to be answered here after all; undefined where it is none. */
function read(body: Buffer): unknown {
  try {
    return parseJson(body);
  } catch {
    return undefined;
  }
}

const idsOf = (message: unknown): RequestId[] =>
  (Array.isArray(message) ? message : [message]).flatMap((each) =>
    kindOf(each) === 'request' ? [(each as Request).id] : [],
  );
