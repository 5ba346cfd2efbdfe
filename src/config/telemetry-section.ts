/**
 * Turns the checked `gateway.telemetry` and `gateway.metrics` into what the gateway takes.
 * @module
 */
import type { z } from 'zod';
import { checkHeaders } from './headers.ts';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import type { metricsSchema, telemetrySchema } from './schema/telemetry-section.ts';
import type { TelemetryConfig } from './types.ts';

const BASE: JsonPath = ['gateway'];

export function telemetryConfig(
  { headers, endpoint, ...entry }: z.infer<typeof telemetrySchema>,
  findings: Findings,
): TelemetryConfig {
  const url = endpoint === undefined ? null : URL.parse(endpoint);
  if (url && (url.username !== '' || url.password !== ''))
    findings.mistake([...BASE, 'telemetry', 'endpoint'], 'found a user name or password; allowed: them in headers');
  return { ...entry, endpoint, headers: checkHeaders(headers, [...BASE, 'telemetry', 'headers'], findings) };
}

/** `isHost`: the check of `gateway.host`. */
export function metricsConfig(
  { host, port }: z.infer<typeof metricsSchema>,
  isHost: (host: string) => boolean,
  findings: Findings,
): { host: string; port: number } {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (!isHost(bare))
    findings.mistake([...BASE, 'metrics', 'host'], 'found no host; allowed: an IP address or a host name');
  return { host: bare, port };
}
