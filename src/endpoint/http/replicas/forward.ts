/**
 * One request that another replica serves: passed on as it came, and its reply passed back as it comes.
 * @module
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { SwitchboardError, toRpcError } from '../../../core/errors.ts';
import type { Linked } from '../../../core/linked-list.ts';
import type { ReplicaId } from '../../../state/replica.ts';
import type { ReplicaAddress } from '../../../state/replicas.ts';
import type { Era } from '../../../wire/eras.ts';
import type { RequestId } from '../../../wire/jsonrpc.ts';
import { sseFrame } from '../../../wire/sse.ts';
import { encodeError } from '../../messages.ts';
import { sendError } from '../reply.ts';
import type { HttpRequestContext } from '../request.ts';
import type { Passage } from './passage.ts';
import { ENDING, NOT_IN_TIME } from './pulse.ts';

/** About one connection, or decided here: hosts and web origins are checked where the client connects. */
const NOT_PASSED_ON =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|host|origin|content-length|access-control-request-.*)$/;
const CREDENTIAL = /^(?:authorization|cookie|x-switchboard-key)$/;
const NOT_PASSED_BACK =
  /^(?:connection|keep-alive|proxy-.*|trailer|transfer-encoding|upgrade|date|vary|access-control-.*)$/;

const LOST =
  'The replica of the gateway that served this request ended before it had answered. What it had begun may have been done.';
const AWAY =
  'The replica of the gateway that this is about does not answer, and has not got this request. Send it again in a few seconds; where ' +
  'that replica stays away, what was open in it has ended.';
/** By then it answers again, or is no longer one of the replicas. */
const RETRY_AFTER_MS = 3_000;

const LF = 0x0a;

export interface Forwarded {
  http: Pick<HttpRequestContext, 'req' | 'res'>;
  to: ReplicaId;
  address: ReplicaAddress;
  path: string;
  body: Buffer | undefined;
  /** In place of the client's cookie and credential. */
  headers?: OutgoingHttpHeaders | undefined;
  /** Of the requests in the body, which each need an answer. */
  ids(): readonly RequestId[];
  era: Era;
  /** Serves the request here: the other replica cannot be reached, and has not got it. */
  otherwise(problem: string): void;
  over(): void;
}

export class Forward implements Dispatcher.DispatchHandler, Linked<Forward> {
  previous: Forward | undefined;
  next: Forward | undefined;
  readonly #work: Forwarded;
  /** Of the request once it may have left. */
  #sent: Dispatcher.DispatchController | undefined;
  #over = false;
  /** The stream stands between two events. */
  #between = true;

  constructor(work: Forwarded) {
    this.#work = work;
  }

  get to(): ReplicaId {
    return this.#work.to;
  }

  get address(): ReplicaAddress {
    return this.#work.address;
  }

  start(passage: Passage): void {
    const { http, address, path, body, headers: own } = this.#work;
    const { req, res } = http;
    const headers: Record<string, string | string[]> = {};
    for (const name in req.headers) {
      const value = req.headers[name];
      if (value !== undefined && !NOT_PASSED_ON.test(name) && !(own && CREDENTIAL.test(name))) headers[name] = value;
    }
    Object.assign(headers, own);
    // A client that has gone cancels there, as it would here.
    res.once('close', () => {
      if (this.#finish()) this.#sent?.abort(new Error('The client has gone.'));
    });
    const method = (req.method ?? 'GET') as Dispatcher.HttpMethod;
    passage.send(address, { method, path, headers, body: body ?? null }, this);
  }

  /** The other replica is gone or hangs, whether or not its connection shows it. */
  lost(): void {
    if (!this.#finish()) return;
    this.#sent?.abort(new Error('The replica has gone, or hangs.'));
    this.#answer(this.#sent ? lost() : away());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#over) controller.abort(new Error('It is not wanted any more.'));
    else this.#sent = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, received: IncomingHttpHeaders): void {
    if (this.#over || status < 200) return;
    const { res } = this.#work.http;
    const headers: OutgoingHttpHeaders = {};
    for (const name in received) {
      const value = received[name];
      if (value !== undefined && !NOT_PASSED_BACK.test(name)) headers[name] = value;
    }
    res.writeHead(status, headers);
    // What has a length is whole, and its head leaves with its first bytes.
    if (headers['content-length'] === undefined) res.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    const { res } = this.#work.http;
    this.#between = chunk.length > 1 ? chunk.at(-1) === LF && chunk.at(-2) === LF : false;
    if (res.write(chunk)) return;
    controller.pause();
    res.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    if (this.#finish()) this.#work.http.res.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: NodeJS.ErrnoException): void {
    this.#failed(error.code ?? 'no connection');
  }

  #failed(problem: string): void {
    if (!this.#finish()) return;
    if (this.#sent) this.#answer(lost());
    else if (problem === NOT_IN_TIME || problem === ENDING) this.#answer(away());
    else this.#work.otherwise(problem);
  }

  #answer(error: SwitchboardError): void {
    const { http, era } = this.#work;
    const { res } = http;
    if (!res.headersSent) sendError(res, error.httpStatus, this.#work.ids()[0] ?? null, error, era);
    else if (this.#between && String(res.getHeader('content-type')).startsWith('text/event-stream')) {
      for (const id of this.#work.ids()) res.write(sseFrame({ data: encodeError(id, toRpcError(error, era)) }));
      res.end();
    } else res.destroy();
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#work.over();
    return true;
  }
}

const lost = (): SwitchboardError => new SwitchboardError('SWB_REPLICA_LOST', LOST);
export const away = (): SwitchboardError =>
  new SwitchboardError('SWB_REPLICA_AWAY', AWAY, { retryAfterMs: RETRY_AFTER_MS });
