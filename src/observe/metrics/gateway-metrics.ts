/**
 * Counts what happens in one gateway, from its events: OpenTelemetry's metrics of MCP, and those of queues, policy, asks,
 * approvals and servers. Exists only where metrics are read.
 * @module
 */
import { type EventMap, type EventName, subscribe } from '../events.ts';
import { gaugesOf } from './gauges.ts';
import { Counter, Histogram, MAX_SERIES, type Metric } from './instruments.ts';
import { processMetrics } from './process-metrics.ts';
import type { MetricSources } from './sources.ts';
import {
  ATTRIBUTE,
  DURATION_BOUNDS,
  errorTypeOf,
  methodOf,
  networkOf,
  OUTCOMES,
  outcomeOf,
  revisionOf,
  statusOf,
  subjectLabels,
} from './vocabulary.ts';

type Values = readonly (string | undefined)[];

const operationLabels = ([server, method = '', name, error, protocol, transport]: Values) => ({
  [ATTRIBUTE.method]: method,
  ...subjectLabels(method, name),
  [ATTRIBUTE.server]: server,
  [ATTRIBUTE.error]: error,
  [ATTRIBUTE.status]: statusOf(error),
  [ATTRIBUTE.protocol]: protocol,
  [ATTRIBUTE.transport]: transport,
});

const seconds = (name: string, help: string, labels: (values: Values) => Record<string, string | undefined>) =>
  new Histogram(DURATION_BOUNDS, { name, help, unit: 's', labels });

const ofServer = ([server]: Values) => ({ [ATTRIBUTE.server]: server });

/** Servers whose series begin before anything is counted: so many that as many again would still have series of their own. */
const MAX_BEGUN = Math.floor(MAX_SERIES / 2 / OUTCOMES.length);
const STATES = ['connecting', 'ready', 'degraded', 'stopped'] as const;
const ASKS = ['elicitation/create', 'sampling/createMessage', 'roots/list'] as const;
const APPROVALS = ['pending', 'approved', 'denied', 'spent', 'expired'] as const;
const WEBHOOKS = ['ok', 'refused', 'redirect', 'status', 'timeout', 'network'] as const;

/** Sessions whose beginning is remembered: as many as a gateway may have, and some. */
const MAX_SESSIONS = 20_000;

export class GatewayMetrics {
  /** When counting began, in milliseconds since the epoch. */
  readonly since = Date.now();
  readonly #sources: MetricSources;
  readonly #stops: (() => void)[] = [];
  readonly #serverOperations = seconds(
    'mcp.server.operation.duration',
    'Time of requests of clients, from reading them to their response.',
    operationLabels,
  );
  readonly #clientOperations = seconds(
    'mcp.client.operation.duration',
    'Time of requests to servers, from leaving the queue to the reply.',
    operationLabels,
  );
  readonly #serverSessions = seconds(
    'mcp.server.session.duration',
    'Life of sessions of legacy clients.',
    ([version]) => ({
      [ATTRIBUTE.protocol]: version,
    }),
  );
  readonly #clientSessions = seconds(
    'mcp.client.session.duration',
    'Time that servers were connected.',
    ([server, transport]) => ({ [ATTRIBUTE.server]: server, [ATTRIBUTE.transport]: transport }),
  );
  readonly #queueWait = seconds(
    'switchboard.queue.wait.duration',
    'Time that requests of clients spent in the queue of a server.',
    ofServer,
  );
  readonly #requests = new Counter({
    name: 'switchboard.requests',
    help: 'Requests of clients by how they ended.',
    unit: '{request}',
    labels: ([server, outcome]) => ({ [ATTRIBUTE.server]: server, outcome }),
  });
  readonly #decisions = new Counter({
    name: 'switchboard.policy.decisions',
    help: 'Decisions of policy. Denials and approvals name the document and the rule.',
    unit: '{decision}',
    labels: ([effect, server, section, policy, rule]) => ({
      effect,
      [ATTRIBUTE.server]: server,
      section,
      policy,
      rule,
    }),
  });
  readonly #asks = new Counter({
    name: 'switchboard.asks',
    help: 'Questions of servers to clients in the middle of a call.',
    unit: '{ask}',
    labels: ([server, method]) => ({ [ATTRIBUTE.server]: server, [ATTRIBUTE.method]: method }),
  });
  readonly #approvals = new Counter({
    name: 'switchboard.approvals',
    help: 'Approvals that came into a state.',
    unit: '{approval}',
    labels: ([state]) => ({ state }),
  });
  readonly #lists = new Counter({
    name: 'switchboard.list.changes',
    help: 'Lists of servers that really changed.',
    unit: '{change}',
    labels: ([server, list]) => ({ [ATTRIBUTE.server]: server, list }),
  });
  readonly #webhooks = new Counter({
    name: 'switchboard.webhooks',
    help: 'States of tasks that webhooks of A2A clients were told, or could not be told.',
    unit: '{notification}',
    labels: ([outcome]) => ({ outcome }),
  });
  readonly #states = new Counter({
    name: 'switchboard.server.state.changes',
    help: 'Servers that came into a state.',
    unit: '{change}',
    labels: ([server, state]) => ({ [ATTRIBUTE.server]: server, state }),
  });
  /** Servers whose series have begun. */
  readonly #begun = new Set<string>();
  readonly #sessions = new Map<number, number>();
  readonly #connected = new Map<string, { at: number; transport: string | undefined }>();

  constructor(instance: string, sources: MetricSources) {
    this.#sources = sources;
    const on = <N extends EventName>(name: N, listener: (event: EventMap[N]) => void): void =>
      void this.#stops.push(subscribe(name, listener, instance));
    on('finished', (event) => this.#finished(event));
    on('returned', (event) => this.#returned(event));
    on('decision', (event) => this.#decided(event));
    on('ask', ({ server, method }) => this.#asks.add(server, methodOf(method)));
    on('approval', ({ state }) => this.#approvals.add(state));
    on('list', ({ server, list }) => this.#lists.add(server, list));
    on('webhook', ({ failure }) => this.#webhooks.add(failure ?? 'ok'));
    on('session', (event) => this.#session(event));
    on('upstream', (event) => this.#server(event));
    for (const outcome of OUTCOMES) this.#requests.begin(undefined, outcome);
    for (const state of APPROVALS) this.#approvals.begin(state);
    for (const outcome of WEBHOOKS) this.#webhooks.begin(outcome);
    for (const { name, state, transport } of sources.servers()) {
      this.#begin(name);
      if (state === 'ready') this.#connected.set(name, { at: performance.now(), transport });
    }
  }

  /** Prometheus counts an increase between two values of a series: without a zero it would not see what is counted first. */
  #begin(server: string): void {
    if (this.#begun.has(server) || this.#begun.size >= MAX_BEGUN) return;
    this.#begun.add(server);
    for (const outcome of OUTCOMES) this.#requests.begin(server, outcome);
    for (const state of STATES) this.#states.begin(server, state);
    for (const method of ASKS) this.#asks.begin(server, method);
  }

  #finished(event: EventMap['finished']): void {
    const { caller, method, server, about, name, error, toolError, durationMs, queueMs } = event;
    const type = errorTypeOf(error, toolError);
    const protocol = revisionOf(caller.protocolVersion);
    this.#requests.add(server ?? about, outcomeOf(type));
    this.#serverOperations.record(
      durationMs / 1_000,
      server ?? about,
      methodOf(method),
      name,
      type,
      protocol,
      undefined,
    );
    if (server !== undefined) this.#queueWait.record(queueMs / 1_000, server);
  }

  #returned(event: EventMap['returned']): void {
    const { server, method, name, error, toolError, durationMs, transport, protocolVersion } = event;
    this.#clientOperations.record(
      durationMs / 1_000,
      server,
      methodOf(method),
      name,
      errorTypeOf(error, toolError),
      revisionOf(protocolVersion),
      networkOf(transport),
    );
  }

  #decided({ effect, server, section, policy, rule }: EventMap['decision']): void {
    if (effect === 'allow') this.#decisions.add(effect, server, section, undefined, undefined);
    else this.#decisions.add(effect, server, section, policy, rule);
  }

  #session({ state, session, protocolVersion }: EventMap['session']): void {
    if (state === 'opened') {
      if (this.#sessions.size < MAX_SESSIONS) this.#sessions.set(session, performance.now());
      return;
    }
    const at = this.#sessions.get(session);
    if (at === undefined) return;
    this.#sessions.delete(session);
    this.#serverSessions.record((performance.now() - at) / 1_000, revisionOf(protocolVersion));
  }

  #server({ server, state, connected, transport }: EventMap['upstream']): void {
    this.#begin(server);
    this.#states.add(server, state);
    const since = this.#connected.get(server);
    if (connected && !since) this.#connected.set(server, { at: performance.now(), transport });
    if (connected || !since) return;
    this.#connected.delete(server);
    this.#clientSessions.record((performance.now() - since.at) / 1_000, server, networkOf(since.transport));
  }

  collect(): Metric[] {
    return [
      this.#serverOperations.collect(),
      this.#clientOperations.collect(),
      this.#serverSessions.collect(),
      this.#clientSessions.collect(),
      this.#queueWait.collect(),
      this.#requests.collect(),
      this.#decisions.collect(),
      this.#asks.collect(),
      this.#approvals.collect(),
      this.#webhooks.collect(),
      this.#lists.collect(),
      this.#states.collect(),
      ...gaugesOf(this.#sources),
      ...processMetrics(),
    ];
  }

  /** Counts nothing from now on. */
  close(): void {
    for (const stop of this.#stops) stop();
  }
}
