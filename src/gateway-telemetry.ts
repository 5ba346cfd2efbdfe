/**
 * Metrics and traces of one gateway: who reads them, and what is loaded for that. Without a reader nothing is counted, and
 * nothing of OpenTelemetry is loaded.
 * @module
 */
import type { GatewayConfig } from './config/types.ts';
import type { Log } from './core/log.ts';
import type { Health } from './endpoint/http/context.ts';
import type { HttpEndpoint } from './endpoint/http/server.ts';
import { listenForMetrics, type MetricsListener } from './endpoint/metrics/listener.ts';
import type { Federation } from './federation/types.ts';
import { GatewayMetrics } from './observe/metrics/gateway-metrics.ts';
import type { MetricSources, QueueGauge } from './observe/metrics/sources.ts';
import type { Exporting } from './observe/otlp/exporting.ts';
import { telemetryPlan } from './observe/otlp/plan.ts';
import type { Tracing } from './observe/traces/types.ts';
import type { Approvals } from './policy/approvals/types.ts';
import type { QueueLoad } from './relay/queue/upstream-queue.ts';
import type { Relay } from './relay/relay.ts';

export interface TelemetryParts {
  config: GatewayConfig;
  instance: string;
  log: Log;
  /** The environment of a process that is nothing but the gateway. Undefined: only the configuration turns exports on. */
  env: Readonly<Record<string, string | undefined>> | undefined;
}

export interface GatewayTelemetry {
  readonly tracing: Tracing | undefined;
  /** Counts from now on, where a reader is configured. */
  measure(sources: MetricSources): void;
  /** Metrics as Prometheus text. Counts from the first call on, where nothing else has begun it. */
  text(): Promise<{ type: string; body: string }>;
  /** Starts the listener that `gateway.metrics` wants. Rejects with `SWB_CONFIG` when its address cannot be bound. */
  listen(health: () => Health): Promise<string | undefined>;
  /** Bounded in time; never rejects. */
  close(): Promise<void>;
}

export async function openTelemetry({ config, instance, log, env }: TelemetryParts): Promise<GatewayTelemetry> {
  const { telemetry, metrics: at } = config;
  const plan = telemetryPlan(telemetry, env ?? (telemetry ? process.env : {}));
  for (const warning of plan?.warnings ?? []) log.warn({}, warning);
  let exporting: Exporting | undefined;
  if (plan) {
    const { logSdk, startExporting } = await import('./observe/otlp/exporting.ts');
    if (env) logSdk(log);
    exporting = startExporting(plan, instance);
  }
  let sources: MetricSources | undefined;
  let metrics: GatewayMetrics | undefined;
  let listener: Promise<MetricsListener> | undefined;
  let isClosed = false;

  function counting(): GatewayMetrics {
    if (!sources || isClosed) throw new Error('The gateway is not running.');
    metrics ??= new GatewayMetrics(instance, sources);
    return metrics;
  }

  const collect = (): { metrics: ReturnType<GatewayMetrics['collect']>; since: number } => {
    const all = counting();
    return { metrics: all.collect(), since: all.since };
  };

  const text = async (): Promise<{ type: string; body: string }> => {
    const collected = collect();
    const { prometheusText, PROMETHEUS_TYPE } = await import('./observe/metrics/prometheus.ts');
    return { type: PROMETHEUS_TYPE, body: prometheusText(collected) };
  };

  return {
    tracing: exporting?.tracing,
    measure(given) {
      sources = given;
      if (at || plan?.metrics) counting();
      exporting?.exportMetrics(collect);
    },
    text,
    async listen(health) {
      if (!at || isClosed) return undefined;
      listener ??= listenForMetrics({ config, at, text, health, log });
      return (await listener).url;
    },
    async close() {
      const closing = [exporting?.close(), listener?.then((one) => one.close()).catch(() => {})];
      await Promise.all(closing);
      isClosed = true;
      metrics?.close();
    },
  };
}

/** What gauges read of the parts of the gateway. */
export function metricSources({
  federation,
  relay,
  endpoint,
  approvals,
}: {
  federation: Pick<Federation, 'members'>;
  relay: Pick<Relay, 'work' | 'load'>;
  endpoint: Pick<HttpEndpoint, 'load'>;
  approvals: Pick<Approvals, 'list'> | undefined;
}): MetricSources {
  return {
    servers: () =>
      federation.members().flatMap((member) => {
        // One that is switched off is not away.
        if (member.builtin || member.config.disabled) return [];
        const { name, kind, state, transport, era, speaksMcp } = member.status();
        return [{ name, kind, state, transport, era: speaksMcp ? era : undefined, queue: gaugeOf(relay.load(member)) }];
      }),
    relay: () => relay.work(),
    endpoint: () => endpoint.load(),
    approvals: () => approvals?.list().filter(({ state }) => state === 'pending').length ?? 0,
  };
}

function gaugeOf(load: QueueLoad | undefined): QueueGauge | undefined {
  if (!load) return undefined;
  const { running, concurrency, waiting, byPrincipal } = load;
  const waits = byPrincipal.map((principal) => principal.waiting).filter((count) => count > 0);
  return { running, concurrency, waiting, principals: waits.length, longest: Math.max(0, ...waits) };
}
