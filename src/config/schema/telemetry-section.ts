/**
 * The schemas of `gateway.metrics` and `gateway.telemetry`: who may read metrics, and what is exported by OTLP.
 * @module
 */
import { z } from 'zod';
import { count, text } from './fields.ts';

export const metricsSchema = z.strictObject({
  host: text().default('127.0.0.1').meta({
    description: 'Address of a listener of its own for /metrics, /healthz and /readyz, which need no credential there.',
  }),
  port: count(0, 65_535).default(9_464).meta({ description: 'Its port; 0 for any free one.' }),
});

export const telemetrySchema = z.strictObject({
  enabled: z.boolean().optional().meta({
    description: 'Whether traces and metrics are exported by OTLP. Default: where endpoint or OTEL_… variables say so.',
  }),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .max(2_048)
    .optional()
    .meta({
      description: 'Base address of a collector, such as http://127.0.0.1:4318. Default: OTEL_EXPORTER_OTLP_ENDPOINT.',
    }),
  headers: z
    .record(z.string(), z.string())
    .default({})
    .meta({ description: `Headers sent to the collector. Write \${VAR}, not a credential itself.` }),
  content: z.boolean().default(false).meta({
    description: 'Spans hold arguments, results and URIs of resources too. They may be personal or secret.',
  }),
});
