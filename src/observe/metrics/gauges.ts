/**
 * What is so now: queues and the principals in them, servers, sessions, what waits. Read when metrics are asked for.
 * @module
 */
import { gauge, type Metric } from './instruments.ts';
import type { MetricSources, QueueGauge, ServerLoad } from './sources.ts';
import { ATTRIBUTE } from './vocabulary.ts';

export function gaugesOf(sources: MetricSources): Metric[] {
  const servers = sources.servers();
  return [...serverGauges(servers), ...queueGauges(servers), ...loadGauges(sources)];
}

function serverGauges(servers: readonly ServerLoad[]): Metric[] {
  return [
    gauge(
      { name: 'switchboard.server.up', help: 'Whether a server is ready.', unit: '' },
      servers.map(({ name, state }) => ({ labels: { [ATTRIBUTE.server]: name }, value: state === 'ready' ? 1 : 0 })),
    ),
    gauge(
      { name: 'switchboard.server.info', help: 'What a server is, and the state it is in.', unit: '' },
      servers.map(({ name, kind, transport, era, state }) => ({
        labels: { [ATTRIBUTE.server]: name, kind, transport, era, state },
        value: 1,
      })),
    ),
  ];
}

const QUEUE: readonly [keyof QueueGauge, name: string, unit: string, help: string][] = [
  ['running', 'switchboard.queue.running', '{call}', 'Requests that run at a server.'],
  ['concurrency', 'switchboard.queue.limit', '{call}', 'Requests that may run at a server at one time.'],
  ['waiting', 'switchboard.queue.waiting', '{call}', 'Requests that wait for a place at a server.'],
  ['principals', 'switchboard.queue.principals', '{principal}', 'Principals with a waiting request.'],
  ['longest', 'switchboard.queue.longest', '{call}', 'Waiting requests of the principal with most.'],
];

function queueGauges(servers: readonly ServerLoad[]): Metric[] {
  return QUEUE.map(([key, name, unit, help]) => {
    const points = servers.flatMap((server) =>
      server.queue ? [{ labels: { [ATTRIBUTE.server]: server.name }, value: server.queue[key] }] : [],
    );
    return gauge({ name, help, unit }, points);
  });
}

function loadGauges(sources: MetricSources): Metric[] {
  const relay = sources.relay();
  const endpoint = sources.endpoint();
  const one = (name: string, unit: string, help: string, value: number): Metric =>
    gauge({ name, help, unit }, [{ value }]);
  return [
    one('switchboard.requests.running', '{request}', 'Requests of clients that are being answered.', relay.running),
    one('switchboard.calls.suspended', '{call}', 'Calls that wait for the answer of a modern client.', relay.suspended),
    one('switchboard.runs.running', '{run}', 'Runs of agents that outlive their requests.', relay.runs),
    one('switchboard.tasks.awaited', '{task}', 'Tasks of legacy servers that are waited for.', relay.tasks),
    one('switchboard.approvals.waiting', '{approval}', 'Calls that wait for an approval.', sources.approvals()),
    one('switchboard.sessions', '{session}', 'Sessions of legacy clients over HTTP.', endpoint.sessions),
    one('switchboard.streams', '{stream}', 'Open event streams to clients.', endpoint.streams),
    one('switchboard.connections', '{connection}', 'Connections of clients.', endpoint.connections),
  ];
}
