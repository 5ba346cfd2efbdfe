/**
 * Metrics as Prometheus text. Names carry their unit, as OpenTelemetry's rules for Prometheus want:
 * `mcp_server_operation_duration_seconds`. Loads the SDK: imported at the first scrape.
 * @module
 */
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { PRODUCT } from '../../core/product.ts';
import type { Metric } from './instruments.ts';
import { type Collected, resourceMetrics } from './otel-data.ts';

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const SUFFIXES: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

const nameOf = ({ name, unit }: Metric): string => name + (SUFFIXES[unit] ?? '');

const resource = resourceFromAttributes({ 'service.name': PRODUCT.name, 'service.version': PRODUCT.version });

const serializer = new PrometheusSerializer(undefined, false, undefined, false, true);

export function prometheusText(collected: Collected): string {
  const text = serializer.serialize(resourceMetrics(collected, resource, nameOf));
  // Comments that the text format does not know are allowed in it, and this one's unit is UCUM's.
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('# UNIT '));
  return `${lines.join('\n')}\n`;
}
