/**
 * OpenTelemetry's SDK, set up for one gateway: what a plan says is exported. Nothing is registered globally, so that a program
 * that embeds the gateway keeps its own. Imported only where something is exported.
 * @module
 */
import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { within } from '../../core/deadline.ts';
import type { Log } from '../../core/log.ts';
import { PRODUCT } from '../../core/product.ts';
import { type Collected, resourceMetrics } from '../metrics/otel-data.ts';
import { SCOPE } from '../metrics/vocabulary.ts';
import { OtelTracing } from '../traces/tracing.ts';
import type { Tracing } from '../traces/types.ts';
import type { SamplerPlan, TelemetryPlan } from './plan.ts';

/** What is left is sent on close, for so long. */
const CLOSE_MS = 3_000;

export interface Exporting {
  readonly tracing: Tracing | undefined;
  /** Exports what `collect` returns, as often as the plan says. Nothing where the plan has no metrics. */
  exportMetrics(collect: () => Collected): void;
  /** Bounded in time; never rejects. */
  close(): Promise<void>;
}

export function startExporting(plan: TelemetryPlan, instance: string): Exporting {
  const resource = resourceOf(instance);
  const traces = plan.traces ? tracerProvider(plan, resource) : undefined;
  let metrics: MeterProvider | undefined;
  return {
    tracing: traces && new OtelTracing(traces.getTracer(SCOPE, PRODUCT.version), plan.content),
    exportMetrics(collect) {
      if (!plan.metrics || metrics) return;
      const reader = new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter(destination(plan, 'metrics')),
        exportIntervalMillis: plan.metricIntervalMs,
        exportTimeoutMillis: Math.min(plan.metricTimeoutMs, plan.metricIntervalMs),
        metricProducers: [
          { collect: async () => ({ resourceMetrics: resourceMetrics(collect(), resource), errors: [] }) },
        ],
      });
      metrics = new MeterProvider({ resource, readers: [reader] });
    },
    async close() {
      const ended = Promise.allSettled([traces?.shutdown(), metrics?.shutdown()]);
      await within(ended, CLOSE_MS, () => undefined);
    },
  };
}

/** Messages of the SDK go to the log. Its logger is one for the process: only a program that is nothing else sets it. */
export function logSdk(log: Log): void {
  const warn = (message: string, ...more: unknown[]): void => {
    log.warn(
      {
        detail:
          more
            .map((part) => String(part))
            .join(' ')
            .slice(0, 500) || undefined,
      },
      `Telemetry: ${message.slice(0, 500)}`,
    );
  };
  const ignore = (): void => {};
  const logger: DiagLogger = { error: warn, warn, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

/** Detectors of hosts and processes are left out: command lines hold what should not leave. */
function resourceOf(instance: string): Resource {
  const own = resourceFromAttributes({
    'service.name': PRODUCT.name,
    'service.version': PRODUCT.version,
    'service.instance.id': instance,
  });
  return own.merge(detectResources({ detectors: [envDetector] }));
}

function tracerProvider(plan: TelemetryPlan, resource: Resource): TracerProvider {
  const { delayMs, timeoutMs, queue, size } = plan.batch;
  return new TracerProvider({
    resource,
    sampler: samplerOf(plan.sampler),
    spanLimits: { attributeValueLengthLimit: 8_192, attributeCountLimit: 64, linkCountLimit: 4 },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter(destination(plan, 'traces')),
        scheduledDelayMillis: delayMs,
        exportTimeoutMillis: timeoutMs,
        maxQueueSize: Math.max(queue, size),
        maxExportBatchSize: size,
      }),
    ],
  });
}

/** Without an address of the configuration the exporter reads the variables itself, and so it does for all headers. */
const destination = (
  { endpoint, headers }: TelemetryPlan,
  signal: 'traces' | 'metrics',
): { url?: string; headers: Record<string, string> } => ({
  ...(endpoint === undefined ? {} : { url: `${endpoint.replace(/\/+$/, '')}/v1/${signal}` }),
  headers: { ...headers },
});

function samplerOf({ root, parentBased, ratio }: SamplerPlan): Sampler {
  const own =
    root === 'on'
      ? new AlwaysOnSampler()
      : root === 'off'
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(ratio);
  return parentBased ? new ParentBasedSampler({ root: own }) : own;
}
