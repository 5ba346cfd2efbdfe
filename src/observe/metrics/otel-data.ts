/**
 * Metrics as the data of OpenTelemetry's SDK, which its exporters and its writer of Prometheus text take. Loads the SDK:
 * imported only when metrics are read.
 * @module
 */
import { type HrTime, ValueType } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import { PRODUCT } from '../../core/product.ts';
import type { Metric } from './instruments.ts';
import { SCOPE } from './vocabulary.ts';

export interface Collected {
  readonly metrics: readonly Metric[];
  /** When counting began, in milliseconds since the epoch. */
  readonly since: number;
}

/** All values are cumulative. `nameOf`: another name than the metric's own. */
export function resourceMetrics(
  { metrics, since }: Collected,
  resource: Resource,
  nameOf = ({ name }: Metric): string => name,
): ResourceMetrics {
  const times = { startTime: hrTime(since), endTime: hrTime(Date.now()) };
  const data = metrics.map((metric) => metricData(metric, nameOf(metric), times));
  return { resource, scopeMetrics: [{ scope: { name: SCOPE, version: PRODUCT.version }, metrics: data }] };
}

interface Times {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
}

function metricData(metric: Metric, name: string, times: Times): MetricData {
  const { help: description, unit } = metric;
  const base = {
    descriptor: { name, description, unit, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  if (metric.type === 'histogram') {
    const { bounds } = metric;
    const dataPoints = metric.points.map(({ labels, value: { counts, sum, count } }) => ({
      ...times,
      attributes: labels,
      value: { buckets: { boundaries: [...bounds], counts: [...counts] }, sum, count },
    }));
    return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints };
  }
  const dataPoints = metric.points.map(({ labels, value }) => ({ ...times, attributes: labels, value }));
  return metric.type === 'counter'
    ? { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...base, dataPointType: DataPointType.GAUGE, dataPoints };
}

const hrTime = (ms: number): HrTime => [Math.floor(ms / 1_000), Math.round((ms % 1_000) * 1e6)];
