import { describe, expect, it } from 'vitest';
import { type TelemetryOptions, telemetryPlan } from './plan.ts';

const AT = 'http://collector:4318';
const options = (more: Partial<TelemetryOptions> = {}): TelemetryOptions => ({ headers: {}, content: false, ...more });

describe('what is exported', () => {
  it.each([
    ['without any word of it', undefined, {}, undefined],
    ['with an empty variable', undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }, undefined],
    ['with an endpoint', undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: AT }, 'traces metrics'],
    ['with an endpoint of traces', undefined, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: AT }, 'traces'],
    ['with an endpoint of metrics', undefined, { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: AT }, 'metrics'],
    ['with an exporter by name', undefined, { OTEL_TRACES_EXPORTER: 'otlp' }, 'traces'],
    ['with one signal off', undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: AT, OTEL_METRICS_EXPORTER: 'none' }, 'traces'],
    ['with the SDK off', undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: AT, OTEL_SDK_DISABLED: 'True' }, undefined],
    ['with an endpoint in the configuration', options({ endpoint: AT }), {}, 'traces metrics'],
    ['switched on', options({ enabled: true }), {}, 'traces metrics'],
    ['switched off', options({ enabled: false }), { OTEL_EXPORTER_OTLP_ENDPOINT: AT }, undefined],
  ])('%s', (_, config, env, signals) => {
    const plan = telemetryPlan(config, env);
    expect(plan && [plan.traces && 'traces', plan.metrics && 'metrics'].filter(Boolean).join(' ')).toBe(signals);
    expect(plan?.warnings ?? []).toEqual([]);
  });

  it('is as often and as much as OpenTelemetry’s defaults, and as the variables say', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: AT };
    expect(telemetryPlan(undefined, env)).toMatchObject({
      ...{ metricIntervalMs: 60_000, metricTimeoutMs: 30_000, content: false, headers: {}, endpoint: undefined },
      batch: { delayMs: 5_000, timeoutMs: 30_000, queue: 2_048, size: 512 },
      sampler: { root: 'on', parentBased: true, ratio: 1 },
    });
    expect(
      telemetryPlan(options({ headers: { 'x-key': 'k' }, content: true }), {
        ...{ ...env, OTEL_METRIC_EXPORT_INTERVAL: '200', OTEL_METRIC_EXPORT_TIMEOUT: '100' },
        ...{ OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_BSP_EXPORT_TIMEOUT: '60' },
        ...{ OTEL_BSP_MAX_QUEUE_SIZE: '70', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '80' },
      }),
    ).toMatchObject({
      ...{ metricIntervalMs: 200, metricTimeoutMs: 100, content: true, headers: { 'x-key': 'k' } },
      batch: { delayMs: 50, timeoutMs: 60, queue: 70, size: 80 },
      warnings: [],
    });
  });

  it.each(['0', '-1', '1.5', 'often', '99999999999'])(
    'is as by default where a variable says %s, with a warning',
    (value) => {
      const plan = telemetryPlan(undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: AT, OTEL_METRIC_EXPORT_INTERVAL: value });
      expect(plan?.metricIntervalMs).toBe(60_000);
      expect(plan?.warnings).toEqual(['OTEL_METRIC_EXPORT_INTERVAL must be a whole number above 0: 60000 is used.']);
    },
  );

  it('names what it leaves out', () => {
    const env = {
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: AT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      ...{ OTEL_TRACES_EXPORTER: 'otlp,zipkin', OTEL_METRICS_EXPORTER: 'prometheus' },
    };
    const plan = telemetryPlan(undefined, env);
    expect(plan).toMatchObject({ traces: true, metrics: false });
    expect(plan?.warnings).toEqual([
      'OTEL_TRACES_EXPORTER=zipkin is left out; otlp and none are known.',
      'OTLP is sent as http/protobuf: grpc is not supported for traces.',
      'OTEL_METRICS_EXPORTER=prometheus is left out: set gateway.metrics for a listener.',
    ]);
  });
});

describe('which traces are sampled', () => {
  it.each([
    ['always_on', undefined, { root: 'on', parentBased: false, ratio: 1 }],
    ['always_off', undefined, { root: 'off', parentBased: false, ratio: 1 }],
    ['parentbased_always_off', undefined, { root: 'off', parentBased: true, ratio: 1 }],
    ['traceidratio', '0.25', { root: 'ratio', parentBased: false, ratio: 0.25 }],
    ['parentbased_traceidratio', '0', { root: 'ratio', parentBased: true, ratio: 0 }],
    ['traceidratio', undefined, { root: 'ratio', parentBased: false, ratio: 1 }],
  ])('%s %s', (name, argument, sampler) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: AT, OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument };
    expect(telemetryPlan(undefined, env)).toMatchObject({ sampler, warnings: [] });
  });

  it.each([
    [
      'jaeger_remote',
      undefined,
      { root: 'on', parentBased: true, ratio: 1 },
      'OTEL_TRACES_SAMPLER=jaeger_remote is not known',
    ],
    ['traceidratio', '2', { root: 'ratio', parentBased: false, ratio: 1 }, 'must be a number from 0 to 1'],
    [
      'parentbased_traceidratio',
      'half',
      { root: 'ratio', parentBased: true, ratio: 1 },
      'must be a number from 0 to 1',
    ],
  ])('%s %s is warned about', (name, argument, sampler, warning) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: AT, OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument };
    const plan = telemetryPlan(undefined, env);
    expect(plan?.sampler).toEqual(sampler);
    expect(plan?.warnings).toEqual([expect.stringContaining(warning)]);
  });
});
