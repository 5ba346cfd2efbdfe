/**
 * OpenAI's Responses API in front of the federated agents: `model` is `server/agent`. `POST /v1/responses`, `GET`, `DELETE` and
 * `POST …/cancel` of one, and `GET /v1/models`.
 * @module
 */
import type { ServerResponse } from 'node:http';
import { SwitchboardError, toHttpStatus, toRpcError } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import type { EndpointRelay } from '../../../relay/relay.ts';
import { isObject, type JsonObject } from '../../../wire/jsonrpc.ts';
import type { AgentAddress, AgentEndpoint, AgentHttp } from '../endpoint.ts';
import { elicitationResult } from '../questions.ts';
import { type SentEvents, sendJson, streamEvents } from '../reply.ts';
import { AgentTurn } from '../turn.ts';
import { type ReadRequest, readRequest } from './request.ts';
import {
  annotationsOf,
  messageItem,
  newId,
  otherItems,
  questionItem,
  type ResponseParts,
  responseObject,
  textOf,
  textPart,
  usageOf,
} from './response.ts';
import { ResponseStore, type StoredResponse } from './store.ts';

export interface ResponsesOptions {
  relay: EndpointRelay;
  log: Log;
  askTimeoutMs: number;
}

const MAX_TURNS = 50;
const ONE = /^\/responses\/([\w-]{1,128})(\/cancel)?$/;

export class ResponsesEndpoint implements AgentEndpoint {
  readonly #options: ResponsesOptions;
  readonly #store = new ResponseStore();

  constructor(options: ResponsesOptions) {
    this.#options = options;
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

  #one({ req, res, identity }: AgentHttp, id: string): void {
    const stored = this.#require(identity.principal, id);
    if (req.method === 'GET') {
      sendJson(res, 200, stored.response);
      return;
    }
    stored.turn?.cancel('The response was deleted.');
    this.#store.delete(identity.principal, id);
    sendJson(res, 200, { id, object: 'response', deleted: true });
  }

  #cancel({ res, identity }: AgentHttp, id: string): void {
    const stored = this.#require(identity.principal, id);
    stored.turn?.cancel('The client cancelled the response.');
    if (stored.turn && !stored.turn.over) stored.response = { ...stored.response, status: 'cancelled' };
    sendJson(res, 200, stored.response);
  }

  #require(principal: string, id: string): StoredResponse {
    const stored = this.#store.get(principal, id);
    if (stored) return stored;
    throw new SwitchboardError('SWB_UNKNOWN_TASK', `Response with id '${id}' not found.`);
  }

  async #create(http: AgentHttp, request: ReadRequest): Promise<void> {
    const { res, identity } = http;
    const { principal } = identity;
    const parts: ResponseParts = { id: newId('resp'), createdAt: Math.floor(Date.now() / 1000), request };
    const before = request.previous === undefined ? undefined : this.#require(principal, request.previous);
    if (before && before.model !== request.model) {
      throw new SwitchboardError(
        'SWB_INVALID_PARAMS',
        `previous_response_id is of ${before.model}, and not of the model named.`,
      );
    }
    const turn = this.#answered(before, request) ?? this.#begin(http, request, before?.threadId);
    const first = responseObject(parts, 'in_progress', []);
    const stored: StoredResponse = {
      model: request.model,
      response: first,
      threadId: before?.threadId,
      turn,
      question: undefined,
    };
    this.#store.set(principal, parts.id, stored);
    if (request.background) {
      sendJson(res, 200, first);
      await this.#follow(turn, parts, stored, undefined);
      return;
    }
    // The end of the connection is the end of a response that is not in the background.
    const left = (): void => {
      if (!res.writableFinished) turn.cancel('The client has disconnected.');
    };
    res.on('close', left);
    const stream = request.stream ? new ResponseStream(streamEvents(res)) : undefined;
    await stream?.begin(first);
    const response = await this.#follow(turn, parts, stored, stream);
    if (!request.store && !stored.question) this.#store.delete(principal, parts.id);
    if (stream) await stream.end(response);
    else sendJson(res, 200, response);
  }

  /** The turn that waits for what this request answers. */
  #answered(before: StoredResponse | undefined, { answers }: ReadRequest): AgentTurn | undefined {
    const question = before?.question;
    if (!before?.turn?.waits || !question) return undefined;
    const answer = answers.get(question.callId);
    if (answer === undefined) {
      before.turn.cancel('The client went on without answering.');
      return undefined;
    }
    const { turn } = before;
    before.question = undefined;
    before.turn = undefined;
    turn.answer(elicitationResult(question.params, answerIn(answer)));
    return turn;
  }

  #begin({ identity, view }: AgentHttp, request: ReadRequest, threadId: string | undefined): AgentTurn {
    const { relay, askTimeoutMs } = this.#options;
    const { agent, messages } = request;
    const route = relay.agent(identity, view, agent);
    if (!route)
      throw new SwitchboardError(
        'SWB_UNKNOWN_AGENT',
        `There is no agent '${request.model}'. GET /v1/models lists them.`,
      );
    if (this.#store.running(identity.principal) >= MAX_TURNS) {
      throw new SwitchboardError(
        'SWB_QUEUE_FULL',
        `At most ${MAX_TURNS} responses run at one time. Wait for one, or cancel it.`,
      );
    }
    if (messages.length === 0) throw new SwitchboardError('SWB_INVALID_PARAMS', 'input has no message.');
    const thread = threadId ?? (request.store && route.member.takesThreadIds?.() ? newId('thread') : undefined);
    const params = { messages, ...(thread === undefined ? {} : { threadId: thread }) };
    return new AgentTurn({ relay, identity, view, agent, params, client: 'responses', asks: true, askTimeoutMs });
  }

  /** Follows the turn until it asks or is over, and returns the response there is then. Never rejects. */
  async #follow(
    turn: AgentTurn,
    parts: ResponseParts,
    stored: StoredResponse,
    stream: ResponseStream | undefined,
  ): Promise<JsonObject> {
    const messageId = newId('msg');
    let sent = '';
    const done = (response: JsonObject): JsonObject => {
      stored.response = response;
      return response;
    };
    for (;;) {
      const event = await turn.next();
      if (event.type === 'text') {
        await stream?.text(messageId, event.text, sent === '');
        sent += event.text;
      } else if (event.type === 'question') {
        const callId = newId('call');
        stored.question = { callId, params: event.params };
        const text = sent === '' ? [] : [messageItem(messageId, sent)];
        const output = [...text, questionItem(callId, event.params)];
        await stream?.items(output, messageId, sent);
        return done(responseObject(parts, 'completed', output));
      } else if (event.type === 'ended') {
        stored.turn = undefined;
        stored.threadId = event.result.threadId ?? stored.threadId;
        const text = textOf(event.result);
        const output = [...otherItems(event.result), messageItem(messageId, text, annotationsOf(event.result, text))];
        await stream?.items(output, messageId, sent);
        return done(responseObject(parts, 'completed', output, { usage: usageOf(event.result) }));
      } else {
        stored.turn = undefined;
        const { code, message } = errorOf(event.error);
        const cancelled = code === 'SWB_CANCELLED';
        const error = { code: cancelled ? 'cancelled' : 'server_error', message };
        return done(responseObject(parts, cancelled ? 'cancelled' : 'failed', [], { error }));
      }
    }
  }
}

/** Events of a stream, numbered as OpenAI's are. */
class ResponseStream {
  readonly #events: SentEvents;
  #number = 0;
  #opened = false;

  constructor(events: SentEvents) {
    this.#events = events;
  }

  async begin(response: JsonObject): Promise<void> {
    await this.#send('response.created', { response });
    await this.#send('response.in_progress', { response });
  }

  async text(id: string, delta: string, first: boolean): Promise<void> {
    if (first) await this.#open(id);
    await this.#send('response.output_text.delta', {
      item_id: id,
      output_index: 0,
      content_index: 0,
      delta,
      logprobs: [],
    });
  }

  async #open(id: string): Promise<void> {
    this.#opened = true;
    const item = { id, type: 'message', status: 'in_progress', role: 'assistant', content: [] };
    await this.#send('response.output_item.added', { output_index: 0, item });
    await this.#send('response.content_part.added', {
      item_id: id,
      output_index: 0,
      content_index: 0,
      part: textPart(''),
    });
  }

  /** The items of the answer: the streamed message is closed, the others are added whole. */
  async items(items: readonly JsonObject[], messageId: string, sent: string): Promise<void> {
    // The message was begun as the first item: its place in the stream stays that.
    let index = this.#opened ? 1 : 0;
    for (const item of items) {
      if (item.id === messageId && this.#opened) {
        await this.#close(item, 0);
        continue;
      }
      if (item.id === messageId && sent === '') {
        await this.#whole(item, index++);
        continue;
      }
      await this.#send('response.output_item.added', { output_index: index, item });
      await this.#send('response.output_item.done', { output_index: index++, item });
    }
  }

  async #whole(item: JsonObject, index: number): Promise<void> {
    const [part] = item.content as JsonObject[];
    const added = { ...item, status: 'in_progress', content: [] };
    await this.#send('response.output_item.added', { output_index: index, item: added });
    await this.#send('response.content_part.added', {
      item_id: item.id,
      output_index: index,
      content_index: 0,
      part: textPart(''),
    });
    const delta = part?.text;
    if (typeof delta === 'string' && delta !== '') {
      await this.#send('response.output_text.delta', {
        item_id: item.id,
        output_index: index,
        content_index: 0,
        delta,
        logprobs: [],
      });
    }
    await this.#close(item, index);
  }

  async #close(item: JsonObject, index: number): Promise<void> {
    const [part] = item.content as JsonObject[];
    const place = { item_id: item.id, output_index: index, content_index: 0 };
    await this.#send('response.output_text.done', { ...place, text: part?.text, logprobs: [] });
    await this.#send('response.content_part.done', { ...place, part });
    await this.#send('response.output_item.done', { output_index: index, item });
  }

  async end(response: JsonObject): Promise<void> {
    const type = response.status === 'completed' ? 'response.completed' : 'response.failed';
    await this.#send(type, { response });
    this.#events.end();
  }

  #send(type: string, more: JsonObject): Promise<void> {
    return this.#events.send({ type, sequence_number: this.#number++, ...more }, type);
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

function errorOf(error: Error): { code: string | undefined; message: string } {
  return {
    code: error instanceof SwitchboardError ? error.code : undefined,
    message: toRpcError(error, 'legacy').message,
  };
}

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
