/**
 * A2A in front of the federated agents: `/a2a/<server>/<agent>` is one agent, by JSON-RPC (1.0 and 0.3) and HTTP+JSON (1.0);
 * its card is at `.well-known/agent-card.json` below that, and `/a2a` lists the cards.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RPC, SwitchboardError, toHttpStatus, toRpcError } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import type { Route } from '../../../federation/types.ts';
import { requireAgentScopes } from '../../../relay/gate/agent-scopes.ts';
import type { AgentRelay } from '../../../relay/relay.ts';
import type { KeyValue } from '../../../state/state.ts';
import { isObject, type JsonObject } from '../../../wire/jsonrpc.ts';
import type { AgentAddress, AgentEndpoint, AgentHttp } from '../endpoint.ts';
import { Kept } from '../kept.ts';
import { challenge, sendJson, streamEvents } from '../reply.ts';
import { keptFor } from '../turn.ts';
import { agentCard, cardJson } from './card.ts';
import { STATE } from './events.ts';
import { AgentTasks } from './executor.ts';
import { Pace } from './pace.ts';
import { restError, restRequest } from './rest.ts';
import { loadSdk, type Sdk } from './sdk.ts';
import { subscribe } from './subscribe.ts';
import { KeptTasks } from './tasks.ts';
import type { A2aUser } from './user.ts';
import { checkWebhooksFirst, handlerParts } from './webhooks/messages.ts';
import { type WebhookParts, Webhooks } from './webhooks/webhooks.ts';

export interface A2aOptions {
  relay: AgentRelay;
  kv: KeyValue;
  log: Log;
  signedCards: 'verbatim' | 'replaced';
  /** Whether clients need a key. */
  secured: boolean;
  /** Undefined: tasks take no webhooks. */
  webhooks?: WebhookParts | undefined;
}

interface Handler {
  handle(request: JsonObject, context: InstanceType<Sdk['ServerCallContext']>): Promise<unknown>;
  /** An error of the protocol as its JSON-RPC error. */
  errorOf(error: unknown): { code: number; message: string };
}

/** A request in the form of JSON-RPC, and how its replies are sent. */
interface Exchange {
  request: JsonObject;
  context: InstanceType<Sdk['ServerCallContext']>;
  shown(reply: JsonObject): unknown;
  /** The binding is HTTP+JSON: errors have a status. */
  rest: boolean;
  pace: Pace;
}

interface Served {
  current: Handler;
  legacy: Handler;
}

const CARD = /^\/\.well-known\/(?:agent-card|agent)\.json$/;
const MAX_SERVED = 1_000;
/** Of one principal. */
const MAX_TASKS = 200;
const MAX_CONTEXTS = 1_000;
const CONTEXTS_MS = 30 * 24 * 60 * 60_000;

export class A2aEndpoint implements AgentEndpoint {
  readonly #options: A2aOptions;
  readonly #kept: Kept;
  readonly #threads: Kept;
  readonly #webhooks: Webhooks | undefined;
  #tasks: KeptTasks | undefined;
  /** By agent, and by address: a card names the address it was asked for at. */
  readonly #served = new Map<string, Served>();

  constructor(options: A2aOptions) {
    this.#options = options;
    const { kv, log, relay, webhooks } = options;
    const keepMs = keptFor(relay.runs);
    this.#kept = new Kept({ kv, log, namespace: 'a2a-tasks', keepMs, most: MAX_TASKS });
    this.#threads = new Kept({ kv, log, namespace: 'a2a-contexts', keepMs: CONTEXTS_MS, most: MAX_CONTEXTS });
    const tasks = async () => {
      const sdk = await loadSdk();
      return { sdk, tasks: this.#tasksOf(sdk) };
    };
    this.#webhooks = webhooks && new Webhooks({ ...webhooks, runs: relay.runs, log, tasks });
  }

  async close(): Promise<void> {
    await this.#webhooks?.close();
  }

  take(http: AgentHttp, { server, agent, path }: AgentAddress, body: unknown): void | Promise<void> {
    if (server === undefined || agent === undefined) return this.#list(http);
    const route = this.#require(http, server, agent);
    if (http.req.method === 'GET' && (path === '' || CARD.test(path))) return this.#card(http, route);
    requireAgentScopes(http.identity, route);
    return this.#answer(http, route, path, body);
  }

  refuse(res: ServerResponse, error: unknown): void {
    const { code, message } = toRpcError(error, 'legacy');
    const unknown = error instanceof SwitchboardError && error.code === 'SWB_UNKNOWN_AGENT';
    challenge(res, error);
    sendJson(res, unknown ? 404 : toHttpStatus(error), { error: { code, message } });
  }

  /** The cards there are for this identity. */
  #list({ res, identity, view, base }: AgentHttp): void {
    const agents = this.#options.relay.agents(identity, view).map((route) => {
      const { title, description } = route.entry.value;
      return {
        name: typeof title === 'string' ? title : route.original,
        ...(typeof description === 'string' ? { description } : {}),
        card: `${addressOf(base, route)}/.well-known/agent-card.json`,
      };
    });
    sendJson(res, 200, { agents });
  }

  #card({ res, base: root }: AgentHttp, route: Route): void {
    const { signedCard } = route.entry.value;
    const base = addressOf(root, route);
    const verbatim = this.#options.signedCards === 'verbatim' && isObject(signedCard);
    const card = agentCard(route, base, this.#webhooks !== undefined);
    sendJson(res, 200, verbatim ? signedCard : cardJson(card, base, this.#options.secured));
  }

  /** A request by JSON-RPC (`path` is empty) or HTTP+JSON, with its parsed body; `{}` where it has none. */
  async #answer(http: AgentHttp, route: Route, path: string, body: unknown): Promise<void> {
    const { req, res, identity } = http;
    const sdk = await loadSdk();
    const served = this.#handlers(sdk, http, route);
    const left = new AbortController();
    res.once('close', () => left.abort());
    const pace = new Pace();
    const contextOf = (requestedVersion: string, { method }: JsonObject) => {
      const sends = SENDS.test(String(method));
      const { principal: userName } = identity;
      const user: A2aUser = {
        ...{
          isAuthenticated: true,
          userName,
          identity,
          agent: `${route.member.name}/${route.original}`,
          left: left.signal,
          sends,
        },
        pace: STREAMS.test(String(method)) ? pace : undefined,
      };
      return new sdk.ServerCallContext({ user, requestedVersion });
    };
    let exchange: Exchange;
    let handler = served.current;
    if (path !== '') {
      const request = restRequest(req.method ?? '', path, queryOf(req), body);
      if (!request)
        return sendJson(res, 404, { error: { code: 404, status: 'NOT_FOUND', message: 'There is nothing here.' } });
      const shown = (reply: JsonObject): unknown =>
        isObject(reply.error) ? restError(reply.error).body : (reply.result ?? {});
      exchange = { request, context: contextOf('1.0', request), shown, rest: true, pace };
    } else {
      if (req.method !== 'POST') return sendJson(res, 405, { error: 'Method not allowed. Allowed here: POST, GET.' });
      if (!isObject(body)) throw new SwitchboardError('SWB_INVALID_REQUEST', 'The body must be one JSON-RPC request.');
      const version = versionOf(req);
      if (version === '0.3') handler = served.legacy;
      exchange = { request: body, context: contextOf(version, body), shown: (reply) => reply, rest: false, pace };
    }
    const refusal = await this.#refusalOf(sdk, exchange);
    if (refusal) {
      const refused = { jsonrpc: '2.0', id: exchange.request.id ?? null, error: refusal };
      return sendJson(res, exchange.rest ? restError(refusal).status : 200, exchange.shown(refused));
    }
    return this.#reply(res, handler, exchange).finally(() => pace.end());
  }

  #require({ identity, view }: AgentHttp, server: string, agent: string): Route {
    const route = this.#options.relay.agent(identity, view, { server, agent });
    if (route) return route;
    throw new SwitchboardError(
      'SWB_UNKNOWN_AGENT',
      'There is no agent at this address. /a2a lists the cards there are.',
    );
  }

  #handlers(sdk: Sdk, { base, view }: AgentHttp, route: Route): Served {
    const key = JSON.stringify([base, route.member.name, route.original]);
    const known = this.#served.get(key);
    if (known) return known;
    const { relay } = this.#options;
    const executor = new AgentTasks({ sdk, relay, view, route, threads: this.#threads });
    const card = agentCard(route, addressOf(base, route), this.#webhooks !== undefined);
    const tasks = this.#tasksOf(sdk);
    // What streams of tasks carry comes from their runs, and nothing has to wait in this process for a later request.
    const options = { keepBusAliveStates: [] };
    const none = undefined;
    const { buses, store } = handlerParts(sdk, this.#webhooks?.store);
    const handler = new sdk.DefaultRequestHandler(
      card as never,
      tasks,
      executor,
      buses,
      store,
      this.#webhooks?.sender,
      none,
      none,
      options,
    );
    if (this.#webhooks) checkWebhooksFirst(handler, this.#webhooks.store);
    handler.resubscribe = ({ id }, context) => subscribe(sdk, tasks, id, context);
    const getWebhook = handler.getTaskPushNotificationConfig.bind(handler);
    handler.getTaskPushNotificationConfig = async (request, context) => {
      if (request.id !== '') return getWebhook(request, context);
      // In 0.3 a task may be asked for the webhook it has.
      const { configs } = await handler.listTaskPushNotificationConfigs({ ...request, ...EVERY }, context);
      if (configs[0]) return configs[0];
      throw new sdk.TaskNotFoundError(`Task ${request.taskId} has no webhook.`);
    };
    const current = new sdk.JsonRpcTransportHandler(handler);
    const legacy = new sdk.LegacyJsonRpcTransportHandler(handler);
    const served: Served = {
      current: {
        handle: (request, context) => current.handle(request, context),
        errorOf: sdk.JsonRpcTransportHandler.mapToJSONRPCError,
      },
      legacy: {
        handle: (request, context) => legacy.handle(request, context),
        errorOf: sdk.LegacyJsonRpcTransportHandler.mapToLegacyJSONRPCError,
      },
    };
    for (const old of this.#served.keys()) {
      if (this.#served.size < MAX_SERVED) break;
      this.#served.delete(old);
    }
    this.#served.set(key, served);
    return served;
  }

  #tasksOf(sdk: Sdk): KeptTasks {
    const { runs } = this.#options.relay;
    this.#tasks ??= new KeptTasks(sdk, { kept: this.#kept, runs, threads: this.#threads });
    return this.#tasks;
  }

  /** Why a message is not taken. */
  async #refusalOf(sdk: Sdk, exchange: Exchange): Promise<JsonObject | undefined> {
    const { method, params } = exchange.request;
    const isSet = method === SETS_WEBHOOK && exchange.context.requestedVersion === '0.3';
    // The SDK would fail on it.
    if (isSet && !isObject(isObject(params) && params.pushNotificationConfig)) {
      return this.#webhooks ? NO_CONFIG : NO_WEBHOOKS;
    }
    if (!SENDS.test(String(method)) || !isObject(params)) return undefined;
    // Its client may go away and wait to be told.
    if (!this.#webhooks && hasWebhook(params)) return NO_WEBHOOKS;
    return (await this.#isUnheard(sdk, exchange)) ? UNHEARD : undefined;
  }

  /** A message about a task that goes on: its agent would not read it. */
  async #isUnheard(sdk: Sdk, { request: { params }, context }: Exchange): Promise<boolean> {
    if (!isObject(params) || !isObject(params.message)) return false;
    const { taskId } = params.message;
    if (typeof taskId !== 'string' || taskId === '') return false;
    const state = (await this.#tasksOf(sdk).load(taskId, context))?.status?.state;
    return state === STATE.WORKING || state === STATE.SUBMITTED;
  }

  async #reply(res: ServerResponse, handler: Handler, exchange: Exchange): Promise<void> {
    const { request, context, shown, rest, pace } = exchange;
    const statusOf = (reply: JsonObject): number =>
      rest && isObject(reply.error) ? restError(reply.error).status : 200;
    const whole = (reply: JsonObject): void => sendJson(res, statusOf(reply), shown(reply));
    const failed = (thrown: unknown): JsonObject => {
      const { code, message } = handler.errorOf(thrown);
      const unforeseen = code === RPC.internal;
      if (unforeseen) this.#options.log.error({ err: thrown }, 'an A2A request failed');
      const error = { code, message: unforeseen ? 'Something unforeseen happened; the log has the details.' : message };
      return { jsonrpc: '2.0', id: request.id ?? null, error };
    };
    const replies = await handler.handle(request, context);
    if (!isStream(replies)) return whole(replies as JsonObject);
    const events = replies[Symbol.asyncIterator]();
    let first: IteratorResult<JsonObject>;
    try {
      first = await events.next();
    } catch (error) {
      return whole(failed(error));
    }
    if (first.done || statusOf(first.value) !== 200) return whole(first.value ?? failed(undefined));
    const stream = streamEvents(res);
    try {
      let next: IteratorResult<JsonObject> = first;
      while (!next.done) {
        // The task goes on without its reader, and what becomes of it is still kept.
        if (!res.destroyed) await stream.send(shown(next.value));
        pace.taken();
        next = await events.next();
      }
    } catch (error) {
      if (!res.destroyed) await stream.send(shown(failed(error)));
    }
    stream.end();
  }
}

/** In both versions. */
const SENDS = /^(?:Send(?:Streaming)?Message|message\/(?:send|stream))$/;

/** Those of them that are answered with a stream. */
const STREAMS = /^(?:SendStreamingMessage|message\/stream)$/;

/** In 0.3. */
const SETS_WEBHOOK = 'tasks/pushNotificationConfig/set';

const NO_CONFIG = { code: RPC.invalidParams, message: 'params.pushNotificationConfig must be an object.' };

const UNHEARD = {
  code: -32004,
  message: 'The task is working: it takes a message when it asks for input.',
};

/** A2A 1.0, section 3.3.4. */
const NO_WEBHOOKS = {
  code: -32003,
  message:
    'Push notifications are not supported: the operator of this gateway has not switched them on (gateway.agents.pushNotifications).',
};

/** In both versions, and in both spellings of JSON for protocol buffers. */
const hasWebhook = ({ configuration }: JsonObject): boolean =>
  isObject(configuration) &&
  ['taskPushNotificationConfig', 'task_push_notification_config', 'pushNotificationConfig'].some((name) =>
    isObject(configuration[name]),
  );

const EVERY = { pageSize: 0, pageToken: '' };

const isStream = (value: unknown): value is AsyncIterable<JsonObject> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/** 1.0 where the header says so; clients of 0.3 send none. */
const versionOf = ({ headers }: IncomingMessage): string => {
  const version = headers['a2a-version'];
  return typeof version === 'string' && version !== '' ? version : '0.3';
};

const queryOf = ({ url = '' }: IncomingMessage): URLSearchParams => new URLSearchParams(url.split('?', 2)[1] ?? '');

const addressOf = (base: string, { member, original }: Route): string =>
  `${base}/a2a/${encodeURIComponent(member.name)}/${encodeURIComponent(original)}`;
