/**
 * OpenAI's Responses API in front of the federated agents: `model` is `server/agent`. `POST /v1/responses`, `GET`, `DELETE` and
 * `POST …/cancel` of one, and `GET /v1/models`.
 * @module
 */
import type { ServerResponse } from 'node:http';
import { isShutdown, SwitchboardError, toHttpStatus, toRpcError } from '../../../core/errors.ts';
import type { Identity } from '../../../core/identity.ts';
import type { Log } from '../../../core/log.ts';
import { requireAgentScopes } from '../../../relay/gate/agent-scopes.ts';
import type { AgentRelay } from '../../../relay/relay.ts';
import type { KeyValue } from '../../../state/state.ts';
import { isObject, type JsonObject } from '../../../wire/jsonrpc.ts';
import type { AgentAddress, AgentEndpoint, AgentHttp } from '../endpoint.ts';
import { Kept } from '../kept.ts';
import { elicitationResult } from '../questions.ts';
import { challenge, sendJson, streamEvents } from '../reply.ts';
import { AgentTurn, keptFor } from '../turn.ts';
import { type ReadRequest, readRequest } from './request.ts';
import { messageIdOf, newId, type ResponseParts, responseObject } from './response.ts';
import { asking, CLIENT, over, piecesOf, type StoredResponse, StoredResponses } from './stored.ts';
import { ResponseStream } from './stream.ts';

export interface ResponsesOptions {
  relay: AgentRelay;
  kv: KeyValue;
  log: Log;
}

/** Of one principal. */
const MAX_RESPONSES = 500;
const ONE = /^\/responses\/([\w-]{1,128})(\/cancel)?$/;

export class ResponsesEndpoint implements AgentEndpoint {
  readonly #options: ResponsesOptions;
  readonly #stored: StoredResponses;

  constructor(options: ResponsesOptions) {
    this.#options = options;
    const { kv, log, relay } = options;
    const keepMs = keptFor(relay.runs);
    const kept = new Kept({ kv, log, namespace: 'agent-responses', keepMs, most: MAX_RESPONSES });
    this.#stored = new StoredResponses(kept, relay.runs);
  }

  take(http: AgentHttp, { path }: AgentAddress, body: unknown): void | Promise<void> {
    const { req, res } = http;
    if (path === '/responses' && req.method === 'POST') return this.#create(http, readRequest(body));
    if (path === '/models' && req.method === 'GET') return this.#models(http);
    const [, id, cancel] = ONE.exec(path) ?? [];
    if (id !== undefined && cancel !== undefined && req.method === 'POST') return this.#cancel(http, id);
    if (id !== undefined && cancel === undefined && (req.method === 'GET' || req.method === 'DELETE'))
      return this.#one(http, id);
    return sendJson(
      res,
      404,
      errorBody('invalid_request_error', 'There is nothing here. Agents are called with POST /v1/responses.'),
    );
  }

  refuse(res: ServerResponse, error: unknown): void {
    const status = statusOf(error);
    const type = status < 500 ? 'invalid_request_error' : 'server_error';
    const code = error instanceof SwitchboardError ? error.code : null;
    challenge(res, error);
    sendJson(res, status, errorBody(type, toRpcError(error, 'legacy').message, code));
  }

  #models({ res, identity, view }: AgentHttp): void {
    const data = this.#options.relay.agents(identity, view).map(({ member, original, entry }) => ({
      id: `${member.name}/${original}`,
      object: 'model',
      created: 0,
      owned_by: member.name,
      ...(typeof entry.value.description === 'string' ? { description: entry.value.description } : {}),
    }));
    sendJson(res, 200, { object: 'list', data });
  }

  async #one(http: AgentHttp, id: string): Promise<void> {
    const { req, res, identity } = http;
    const stored = await this.#require(identity, id);
    if (req.method === 'GET') {
      if (queryOf(req.url).get('stream') === 'true') return this.#events(http, stored);
      return sendJson(res, 200, stored.response);
    }
    await this.#endRun(identity, stored, 'The response was deleted.');
    await this.#stored.delete(identity, id);
    sendJson(res, 200, { id, object: 'response', deleted: true });
  }

  async #cancel({ res, identity }: AgentHttp, id: string): Promise<void> {
    const stored = await this.#require(identity, id);
    const isOver = stored.response.status !== 'in_progress';
    if (!isOver || stored.callId !== undefined)
      await this.#endRun(identity, stored, 'The client cancelled the response.');
    if (isOver) return sendJson(res, 200, stored.response);
    // Another process may be about to hear of it.
    const { response } = await this.#require(identity, id);
    sendJson(res, 200, response.status === 'in_progress' ? { ...response, status: 'cancelled' } : response);
  }

  /** Once its question is answered, the run is that of the response that answers it. */
  async #endRun(identity: Identity, { run, section }: StoredResponse, reason: string): Promise<void> {
    const turn = run === undefined ? undefined : await this.#turn(identity, run);
    try {
      if ((await turn?.current()) === section) await turn?.cancel(reason);
    } finally {
      turn?.leave();
    }
  }

  #turn(identity: Identity, run: string): Promise<AgentTurn | undefined> {
    return AgentTurn.find(this.#options.relay.runs, identity, CLIENT, run);
  }

  async #require(identity: Identity, id: string): Promise<StoredResponse> {
    const stored = await this.#stored.get(identity, id);
    if (stored) return stored;
    throw new SwitchboardError('SWB_UNKNOWN_TASK', `Response with id '${id.slice(0, 128)}' not found.`);
  }

  async #create(http: AgentHttp, request: ReadRequest): Promise<void> {
    const { res, identity } = http;
    const parts: ResponseParts = { id: newId('resp'), createdAt: Math.floor(Date.now() / 1000), request };
    const before = request.previous === undefined ? undefined : await this.#require(identity, request.previous);
    if (before && before.response.model !== request.model) {
      throw new SwitchboardError(
        'SWB_INVALID_PARAMS',
        `previous_response_id is of ${String(before.response.model)}, and not of the model named.`,
      );
    }
    const answered = await this.#answered(identity, before, request);
    const turn = answered ?? (await this.#begin(http, request, before?.threadId));
    const first: StoredResponse = {
      response: responseObject(parts, 'in_progress', []),
      threadId: before?.threadId,
      run: turn.id,
      callId: undefined,
      section: turn.section,
      streamed: undefined,
    };
    // Its client learns its id, and may ask any replica for it.
    if (request.background || request.store) {
      // The response has what comes of it; a run that has asked is that of several.
      await turn.keep({ brief: !request.background && !answered });
      await this.#stored.set(identity, first);
    }
    if (request.background) {
      if (!request.stream) sendJson(res, 200, first.response);
      const stream = request.stream ? new ResponseStream(streamEvents(res)) : undefined;
      await stream?.begin(first.response);
      const next = await this.#follow(turn, identity, first, stream);
      if (next) await stream?.end(next.response);
      else stream?.close();
      return;
    }
    // The end of the connection is the end of a response that is not in the background.
    const left = (): void => {
      if (!res.writableFinished) void turn.cancel('The client has disconnected.').catch(() => {});
    };
    res.on('close', left);
    if (res.destroyed) left();
    const sent = this.#stored.sending(identity, first);
    try {
      const stream = request.stream ? new ResponseStream(streamEvents(res)) : undefined;
      await stream?.begin(first.response);
      const { response } = (await this.#follow(turn, identity, first, stream)) ?? over(first, this.#brokenOff);
      if (stream) await stream.end(response);
      else sendJson(res, 200, response);
    } finally {
      sent();
    }
  }

  /** What a response has become whose run goes on without it. */
  get #brokenOff() {
    return this.#options.relay.runs.isClosed ? BROKEN_OFF : PASSED;
  }

  /** The turn that waits for what this request answers, or that was answered so before. */
  async #answered(
    identity: Identity,
    before: StoredResponse | undefined,
    { answers, store }: ReadRequest,
  ): Promise<AgentTurn | undefined> {
    if (before?.callId === undefined || before.run === undefined) return undefined;
    const turn = await this.#turn(identity, before.run);
    let goesOn = false;
    try {
      const question = await turn?.question();
      const answer = answers.get(before.callId);
      if (answer === undefined) {
        if (question) await turn?.cancel('The client went on without answering.');
        return undefined;
      }
      if (!turn) {
        throw new SwitchboardError('SWB_UNKNOWN_TASK', 'What this answers is not known any more: begin anew.');
      }
      // What it asks now may be something else, which this does not answer.
      if (question && asking(before, question).callId === before.callId) {
        turn.readFrom(before.section + 1);
        await turn.answer(question, elicitationResult(question.params, answerIn(answer)));
      } else turn.readFrom(Math.max(before.section + 1, await turn.current()));
      if (!store && before.response.store === false) await this.#stored.delete(identity, String(before.response.id));
      goesOn = true;
      return turn;
    } finally {
      if (!goesOn) turn?.leave();
    }
  }

  async #begin({ identity, view }: AgentHttp, request: ReadRequest, threadId: string | undefined): Promise<AgentTurn> {
    const { relay } = this.#options;
    const { agent, messages } = request;
    const route = relay.agent(identity, view, agent);
    if (!route)
      throw new SwitchboardError(
        'SWB_UNKNOWN_AGENT',
        `There is no agent '${request.model}'. GET /v1/models lists them.`,
      );
    requireAgentScopes(identity, route);
    if (messages.length === 0) throw new SwitchboardError('SWB_INVALID_PARAMS', 'input has no message.');
    const thread = threadId ?? (request.store && route.member.takesThreadIds?.() ? newId('thread') : undefined);
    const params = { messages, ...(thread === undefined ? {} : { threadId: thread }) };
    return AgentTurn.begin({ relay, identity, view, agent, params, client: CLIENT });
  }

  /** Follows the turn until it asks or is over, and keeps the response there is then. Undefined: it goes on in another process. */
  async #follow(
    turn: AgentTurn,
    identity: Identity,
    stored: StoredResponse,
    stream: ResponseStream | undefined,
  ): Promise<StoredResponse | undefined> {
    try {
      const next = await this.#read(turn, stored, stream);
      if (next?.callId !== undefined || turn.section > stored.section) await turn.keep();
      if (next && (next.callId !== undefined || stored.response.store !== false))
        await this.#stored.set(identity, next);
      return next;
    } finally {
      turn.leave();
    }
  }

  async #read(
    turn: AgentTurn,
    stored: StoredResponse,
    stream: ResponseStream | undefined,
  ): Promise<StoredResponse | undefined> {
    const id = String(stored.response.id);
    const pieces: string[] = [];
    for (;;) {
      const event = await turn.next();
      // Its question was answered before it was read here.
      if (turn.section > stored.section) return undefined;
      if (event.type === 'text') {
        pieces.push(event.text);
        await stream?.text(messageIdOf(id), event.text, event.index);
        continue;
      }
      // Another process reads the run, and a client that asks for the response gets there how it ends.
      const { background, store } = stored.response;
      const isKept = background === true || store !== false;
      if (event.type === 'failed' && isShutdown(event.error) && isKept) return undefined;
      const next = event.type === 'question' ? asking(stored, event.question, pieces) : over(stored, event, pieces);
      if (!turn.isWhole) next.streamed = undefined;
      if (!turn.isWhole) stream?.skip();
      await stream?.closing(next.response);
      return next;
    }
  }

  /** The events of a response after `starting_after`, and those that are still to come. */
  async #events({ req, res, identity }: AgentHttp, stored: StoredResponse): Promise<void> {
    const after = startingAfter(req.url);
    const { response, run } = stored;
    const turn = response.status === 'in_progress' && run !== undefined ? await this.#turn(identity, run) : undefined;
    const stream = new ResponseStream(streamEvents(res), after);
    const id = String(response.id);
    res.once('close', () => turn?.leave());
    // It may have left while the turn was found.
    if (res.destroyed) turn?.leave();
    await stream.begin({ ...response, status: 'in_progress', output: [], usage: null, error: null });
    if (turn) {
      turn.readFrom(stored.section);
      const next = await this.#read(turn, stored, stream).finally(() => turn.leave());
      if (next) await stream.end(next.response);
      else stream.close();
      return;
    }
    const pieces = piecesOf(stored);
    for (const [index, piece] of (pieces ?? []).entries()) await stream.text(messageIdOf(id), piece, index);
    if (!pieces) stream.skip();
    await stream.closing(response);
    await stream.end(response);
  }
}

/** The output of the function: JSON of the form's content, or its text. */
function answerIn(output: string): { text: string; data: unknown } {
  try {
    const value: unknown = JSON.parse(output);
    if (isObject(value)) return { text: '', data: value };
  } catch {
    // A plain text is the answer to a question with one field.
  }
  return { text: output, data: undefined };
}

const queryOf = (url = ''): URLSearchParams => new URLSearchParams(url.split('?', 2)[1] ?? '');

/** The number of the last event that the client has got; -1: none. */
function startingAfter(url: string | undefined): number {
  const given = queryOf(url).get('starting_after');
  if (given === null) return -1;
  const after = Number(given);
  if (/^\d+$/.test(given) && Number.isSafeInteger(after)) return after;
  throw new SwitchboardError('SWB_INVALID_PARAMS', 'starting_after must be the sequence_number of an event.');
}

const BROKEN_OFF = {
  type: 'failed',
  error: new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down. Ask for the response again.'),
} as const;

const PASSED = {
  type: 'failed',
  error: new SwitchboardError('SWB_UNKNOWN_TASK', 'What the agent asked was answered before it was read here.'),
} as const;

const errorBody = (type: string, message: string, code: string | null = null): JsonObject => ({
  error: { message, type, param: null, code },
});

/** The API has statuses where MCP has codes. */
function statusOf(error: unknown): number {
  if (!(error instanceof SwitchboardError)) return 500;
  if (error.code === 'SWB_UNKNOWN_AGENT' || error.code === 'SWB_UNKNOWN_TASK') return 404;
  if (error.code === 'SWB_INVALID_PARAMS') return 400;
  if (error.code === 'SWB_QUEUE_FULL') return 429;
  return toHttpStatus(error);
}
