/**
 * What metrics read at each scrape, and what no call counts: queues, servers, sessions, what waits.
 * @module
 */

/** One server's queue. */
export interface QueueGauge {
  readonly running: number;
  readonly concurrency: number;
  readonly waiting: number;
  /** Principals with a waiting request, and how many wait of the one with most. */
  readonly principals: number;
  readonly longest: number;
}

export interface RelayLoad {
  /** Requests of clients that are being answered. */
  readonly running: number;
  /** Calls that wait for the answer of a modern client. */
  readonly suspended: number;
  /** Calls of agents that outlive their requests and have not ended. */
  readonly runs: number;
  /** Tasks of legacy servers whose questions are kept for clients that poll. */
  readonly tasks: number;
}

export interface ServerLoad {
  readonly name: string;
  readonly kind: string | undefined;
  readonly state: string;
  readonly transport: string | undefined;
  readonly era: string | undefined;
  /** Undefined before the first request to it. */
  readonly queue: QueueGauge | undefined;
}

export interface EndpointLoad {
  /** Of legacy clients over HTTP. */
  readonly sessions: number;
  /** Open event streams. */
  readonly streams: number;
  /** Connections of clients that have sent a request. */
  readonly connections: number;
}

/** Every function answers at once. */
export interface MetricSources {
  servers(): readonly ServerLoad[];
  relay(): RelayLoad;
  endpoint(): EndpointLoad;
  /** Calls that wait for a person's approval. */
  approvals(): number;
}
