/**
 * Short text forms of servers and names, for the text content of builtin tools.
 * @module
 */
import { plural } from '../core/text.ts';
import type { ServerStatus } from '../federation/types.ts';

/** The first names, and how many more there are. */
export function someOf(names: readonly string[], most: number): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/** `mcp, modern 2026-07-28, streamable-http`: what is known of how a server is spoken to. */
export function protocolOf({ kind, speaksMcp, era, protocolVersion, transport }: ServerStatus): string {
  // Not every API tells its version.
  const version = protocolVersion === 'unknown' ? undefined : protocolVersion;
  const spoken = speaksMcp ? [era, version].filter(Boolean).join(' ') : version;
  return [kind, spoken, transport].filter(Boolean).join(', ');
}

/** `3 tools, 1 prompt`; what there is none of is not mentioned. */
export function countsOf({ counts }: ServerStatus): string {
  const parts = [
    [counts.tools, 'tool'],
    [counts.prompts, 'prompt'],
    [counts.resources, 'resource'],
    [counts.templates, 'resource template'],
    [counts.agents, 'agent'],
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, noun]) => plural(count, noun));
  return said.length > 0 ? said.join(', ') : 'nothing offered';
}
