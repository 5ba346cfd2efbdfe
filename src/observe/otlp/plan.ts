/**
 * What is exported by OTLP, from the configuration and from the standard variables of OpenTelemetry. Loads nothing of the SDK:
 * a gateway without telemetry never does.
 * @module
 */

/** `gateway.telemetry`. */
export interface TelemetryOptions {
  /** Undefined: where the variables name an endpoint or an exporter. */
  enabled?: boolean | undefined;
  /** Base address of a collector; `/v1/traces` and `/v1/metrics` are added. */
  endpoint?: string | undefined;
  headers: Readonly<Record<string, string>>;
  /** Arguments, results and resource URIs are recorded in spans. */
  content: boolean;
}

export interface TelemetryPlan {
  readonly traces: boolean;
  readonly metrics: boolean;
  readonly endpoint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly content: boolean;
  readonly sampler: SamplerPlan;
  readonly metricIntervalMs: number;
  readonly metricTimeoutMs: number;
  readonly batch: { delayMs: number; timeoutMs: number; queue: number; size: number };
  /** What the variables ask for and the gateway does not do, in sentences. */
  readonly warnings: readonly string[];
}

export interface SamplerPlan {
  readonly root: 'on' | 'off' | 'ratio';
  /** The decision of a client's context comes first. */
  readonly parentBased: boolean;
  readonly ratio: number;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Undefined: nothing is exported. */
export function telemetryPlan(config: TelemetryOptions | undefined, env: Env): TelemetryPlan | undefined {
  if (config?.enabled === false || isTrue(env.OTEL_SDK_DISABLED)) return undefined;
  const warnings: string[] = [];
  const exports = (signal: 'TRACES' | 'METRICS'): boolean => {
    const named =
      config?.endpoint ?? set(env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]) ?? set(env.OTEL_EXPORTER_OTLP_ENDPOINT);
    const isOn = named !== undefined || config?.enabled === true;
    const wanted = set(env[`OTEL_${signal}_EXPORTER`]) ?? (isOn ? 'otlp' : 'none');
    const exporters = wanted.split(',').map((name) => name.trim());
    for (const name of exporters) {
      if (name === 'otlp' || name === 'none') continue;
      const instead = name === 'prometheus' ? ': set gateway.metrics for a listener' : '; otlp and none are known';
      warnings.push(`OTEL_${signal}_EXPORTER=${name} is left out${instead}.`);
    }
    const protocol = set(env[`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`]) ?? set(env.OTEL_EXPORTER_OTLP_PROTOCOL);
    const isOtlp = exporters.includes('otlp');
    if (isOtlp && protocol !== undefined && protocol !== 'http/protobuf')
      warnings.push(`OTLP is sent as http/protobuf: ${protocol} is not supported for ${signal.toLowerCase()}.`);
    return isOtlp;
  };
  const traces = exports('TRACES');
  const metrics = exports('METRICS');
  if (!traces && !metrics) return undefined;
  return {
    traces,
    metrics,
    endpoint: config?.endpoint,
    headers: config?.headers ?? {},
    content: config?.content ?? false,
    sampler: samplerPlan(env, warnings),
    metricIntervalMs: positive(env, 'OTEL_METRIC_EXPORT_INTERVAL', 60_000, warnings),
    metricTimeoutMs: positive(env, 'OTEL_METRIC_EXPORT_TIMEOUT', 30_000, warnings),
    batch: {
      delayMs: positive(env, 'OTEL_BSP_SCHEDULE_DELAY', 5_000, warnings),
      timeoutMs: positive(env, 'OTEL_BSP_EXPORT_TIMEOUT', 30_000, warnings),
      queue: positive(env, 'OTEL_BSP_MAX_QUEUE_SIZE', 2_048, warnings),
      size: positive(env, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512, warnings),
    },
    warnings,
  };
}

const SAMPLERS: Readonly<Record<string, SamplerPlan['root']>> = {
  always_on: 'on',
  always_off: 'off',
  traceidratio: 'ratio',
};

function samplerPlan(env: Env, warnings: string[]): SamplerPlan {
  const name = set(env.OTEL_TRACES_SAMPLER) ?? 'parentbased_always_on';
  const parentBased = name.startsWith('parentbased_');
  const root = SAMPLERS[parentBased ? name.slice('parentbased_'.length) : name];
  if (root === undefined) {
    warnings.push(`OTEL_TRACES_SAMPLER=${name} is not known: parentbased_always_on is used.`);
    return { root: 'on', parentBased: true, ratio: 1 };
  }
  const given = set(env.OTEL_TRACES_SAMPLER_ARG);
  const ratio = given === undefined ? 1 : Number(given);
  if (root === 'ratio' && !(ratio >= 0 && ratio <= 1)) {
    warnings.push('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1: 1 is used.');
    return { root, parentBased, ratio: 1 };
  }
  return { root, parentBased, ratio };
}

/** Milliseconds, or a count: beyond what a timer holds nothing is meant. */
function positive(env: Env, name: string, otherwise: number, warnings: string[]): number {
  const given = set(env[name]);
  if (given === undefined) return otherwise;
  const value = Number(given);
  if (Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
  warnings.push(`${name} must be a whole number above 0: ${otherwise} is used.`);
  return otherwise;
}

/** An empty variable is one that is not set (OpenTelemetry, "Environment Variable Specification"). */
const set = (value: string | undefined): string | undefined => (value?.trim() ? value.trim() : undefined);

const isTrue = (value: string | undefined): boolean => value?.trim().toLowerCase() === 'true';
