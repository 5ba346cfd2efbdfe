/**
 * A relay without upstreams, for tests of the endpoints: its tools do what tests need to see from outside (echo,
 * progress, asks, waiting, failing), and it records what it receives.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { Federation, View, ViewFilter } from '../../federation/types.ts';
import type { EndpointRelay } from '../../relay/relay.ts';
import type { CallResult, ClientSession, Inbound, InFlight } from '../../relay/types.ts';
import { META } from '../../wire/envelope.ts';
import { SUPPORTED_REVISIONS } from '../../wire/eras.ts';
import { isObject, type JsonObject, type Notification, notification } from '../../wire/jsonrpc.ts';

/** One running request; `cancelled` rejects when its client gave up. */
export interface Running {
  inbound: Inbound;
  cancelled: Promise<never>;
}

type Method = (running: Running) => Promise<CallResult> | CallResult;

export class StubRelay implements EndpointRelay {
  readonly requests: Inbound[] = [];
  readonly cancelled: { method: string; reason: string | undefined }[] = [];
  readonly notifications: { notification: Notification; caller: Caller }[] = [];
  readonly sessions = new Set<ClientSession>();
  closedSessions = 0;
  /** Ends every call of the tool `wait`. */
  readonly released = Promise.withResolvers<void>();
  readonly #methods = new Map<string, Method>();
  readonly #running = new Map<Inbound, (reason: Error) => void>();

  constructor() {
    for (const [name, method] of Object.entries(METHODS)) this.on(name, (running) => method(this, running));
  }

  on(method: string, answer: Method): void {
    this.#methods.set(method, answer);
  }

  handle(inbound: Inbound): InFlight {
    this.requests.push(inbound);
    const stop = Promise.withResolvers<never>();
    stop.promise.catch(() => {});
    const { method } = inbound.request;
    const answered = this.#answer({ inbound, cancelled: stop.promise });
    let settled = false;
    this.#running.set(inbound, stop.reject);
    const answer = Promise.race([answered, stop.promise]).finally(() => {
      settled = true;
      this.#running.delete(inbound);
    });
    answered.catch(() => {});
    return {
      result: answer,
      cancel: (reason) => {
        if (settled) return;
        this.cancelled.push({ method, reason });
        stop.reject(new SwitchboardError('SWB_CANCELLED', 'Cancelled.'));
      },
    };
  }

  async #answer(running: Running): Promise<CallResult> {
    const { request, caller } = running.inbound;
    const method = this.#methods.get(request.method);
    const other = caller.era === 'modern' ? LEGACY_ONLY : MODERN_ONLY;
    if (!method || other.has(request.method)) {
      throw new SwitchboardError('SWB_METHOD_NOT_FOUND', `Method not found: '${request.method}'.`);
    }
    return method(running);
  }

  openSession(session: ClientSession): void {
    this.sessions.add(session);
  }

  closeSession(session: ClientSession): void {
    this.closedSessions++;
    this.sessions.delete(session);
  }

  notified(sent: Notification, caller: Caller): void {
    this.notifications.push({ notification: sent, caller });
  }

  expel(isValid: (identity: Identity) => boolean): void {
    for (const [{ caller }, end] of this.#running) {
      if (!isValid(caller.identity)) end(new SwitchboardError('SWB_UNAUTHENTICATED', 'The key is no longer valid.'));
    }
  }

  async close(): Promise<void> {
    this.released.resolve();
  }
}

const LEGACY_ONLY = new Set(['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']);
const MODERN_ONLY = new Set(['server/discover', 'subscriptions/listen']);

const SERVER_INFO = { name: 'stub', version: '1.0.0' };
const CAPABILITIES = { tools: { listChanged: true }, logging: {} };

const TOOLS = ['echo', 'raw', 'progress', 'ask', 'wait', 'fail', 'circular', 'linger'].map((name) => ({
  name,
  description: `The stub's ${name}.`,
  inputSchema: { type: 'object' },
}));

const complete = (era: string, value: JsonObject): CallResult => ({
  value: era === 'modern' ? { resultType: 'complete', ...value } : value,
});

const METHODS: Record<string, (relay: StubRelay, running: Running) => Promise<CallResult> | CallResult> = {
  initialize: (_, { inbound: { caller } }) => ({
    value: { protocolVersion: caller.protocolVersion, capabilities: CAPABILITIES, serverInfo: SERVER_INFO },
  }),
  'server/discover': () => ({
    value: {
      resultType: 'complete',
      supportedVersions: [...SUPPORTED_REVISIONS],
      capabilities: CAPABILITIES,
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { [META.serverInfo]: SERVER_INFO },
    },
  }),
  ping: () => ({ value: {} }),
  'logging/setLevel': (_, { inbound: { session, request } }) => {
    if (session) session.caller = { ...session.caller, logLevel: String(request.params?.level) };
    return { value: {} };
  },
  'tools/list': (_, { inbound: { caller, view } }) =>
    complete(caller.era, {
      tools: view.server === undefined ? TOOLS : TOOLS.slice(0, 1),
      ...(caller.era === 'modern' ? { ttlMs: 0, cacheScope: 'private' } : {}),
    }),
  'resources/read': () => {
    throw new SwitchboardError('SWB_UNKNOWN_RESOURCE', 'Unknown resource.', { data: { uri: 'x://y' } });
  },
  'subscriptions/listen': async (relay, { inbound: { channel, request }, cancelled }) => {
    const _meta = { [META.subscriptionId]: request.id };
    channel.notify(
      notification('notifications/subscriptions/acknowledged', { _meta, notifications: request.params?.notifications }),
    );
    channel.notify(notification('notifications/tools/list_changed', { _meta }));
    await Promise.race([relay.released.promise, cancelled]);
    return { value: { resultType: 'complete', _meta } };
  },
  'tools/call': callTool,
};

async function callTool(relay: StubRelay, { inbound, cancelled }: Running): Promise<CallResult> {
  const { caller, channel, request } = inbound;
  const params = request.params ?? {};
  const args = isObject(params.arguments) ? params.arguments : {};
  const text = (value: string): CallResult => complete(caller.era, { content: [{ type: 'text', text: value }] });
  switch (params.name) {
    case 'echo':
      return text(JSON.stringify(args));
    case 'raw':
      return { raw: Buffer.from(String(args.json)) };
    case 'progress': {
      const progressToken = isObject(params._meta) ? params._meta.progressToken : undefined;
      for (let progress = 1; progress <= Number(args.steps ?? 3); progress++) {
        channel.notify(notification('notifications/progress', { progressToken, progress, total: args.steps ?? 3 }));
        // SDK clients lose progress that arrives in one read with the answer.
        await new Promise((resolve) => setTimeout(resolve, Number(args.gapMs ?? 0)));
      }
      return text('done');
    }
    case 'ask': {
      if (!channel.ask) return text('cannot ask');
      try {
        const answer = await channel.ask({
          method: 'elicitation/create',
          params: { message: String(args.question ?? 'Name?'), requestedSchema: { type: 'object', properties: {} } },
        });
        return text(JSON.stringify(answer));
      } catch (error) {
        if (error instanceof UpstreamError) return text(`client error ${error.rpcCode}: ${error.message}`);
        return text(`refused: ${(error as SwitchboardError).code}`);
      }
    }
    case 'linger':
      channel.notify(notification('notifications/message', { level: 'info', data: 'started' }));
      await Promise.race([relay.released.promise, cancelled]);
      return text('waited');
    case 'wait':
      await Promise.race([relay.released.promise, cancelled]);
      return text('waited');
    case 'circular': {
      const value: JsonObject = {};
      value.self = value;
      return { value };
    }
    case 'fail':
      throw args.code === undefined
        ? new Error('postgres://user:secret@10.0.0.1 said no')
        : new UpstreamError({ code: Number(args.code), message: 'from the upstream', data: { detail: 1 } });
    default:
      throw new SwitchboardError('SWB_UNKNOWN_TOOL', 'Unknown tool.');
  }
}

function stubView(id: string, server: string | undefined): View {
  const view: View = {
    id,
    server,
    page: () => ({ result: Buffer.from('{}') }),
    routes: () => [],
    resolve: () => undefined,
    resolveUri: () => undefined,
    exposeUri: (_, uri) => uri,
    resolveTask: () => undefined,
    exposeTask: (_, taskId) => taskId,
    capabilities: () => CAPABILITIES,
    instructions: () => undefined,
    serverInfo: () => SERVER_INFO,
    onListChanged: () => () => {},
    reaches: () => true,
    // One per filter, with nothing in it that a filter could hide but the server itself.
    restricted(filter) {
      const known = restricted.get(filter) ?? { ...view, reaches: (member) => filter.reaches(member) };
      restricted.set(filter, known);
      return known;
    },
  };
  const restricted = new WeakMap<ViewFilter, View>();
  return view;
}

/** A federation with the merged view and one server called `one`. */
export function stubFederation(): Pick<Federation, 'all' | 'view'> {
  const one = stubView('one', 'one');
  return { all: stubView('all', undefined), view: (server) => (server === 'one' ? one : undefined) };
}
