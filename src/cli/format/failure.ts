/**
 * Why the gateway cannot use a server, as lines for `check`.
 * @module
 */
import type { Failure } from '../../federation/failure.ts';

export function failureLines(
  name: string,
  { sent, to, received, nothingWithinMs, stderr, try: hint }: Failure,
): string[] {
  const lines = [`${name} cannot be used:`];
  if (sent !== undefined) lines.push(`  sent      ${sent}`);
  if (received) {
    const { status, type, beginning } = received;
    const what = [status === undefined ? 'a JSON-RPC error' : `HTTP ${status}`, type ?? 'no type'].join(', ');
    lines.push(`  received  ${what}: ${beginning === '' ? '(nothing)' : beginning}`);
  }
  if (to !== undefined) lines.push(`  to        ${to}`);
  if (nothingWithinMs !== undefined) lines.push(`  received  nothing within ${seconds(nothingWithinMs)} s`);
  for (const line of stderr ?? []) lines.push(`  stderr    ${line}`);
  lines.push(`  try       ${hint}`);
  return lines;
}

/** To a tenth, and never `0`. */
const seconds = (ms: number): number => Math.max(0.1, Math.round(ms / 100) / 10);
