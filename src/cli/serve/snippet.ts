/**
 * What to paste into a client.
 * @module
 */
import { sep } from 'node:path';
import type { LoadedConfig } from '../../load-config.ts';

/** For clients that speak HTTP. The token itself is never printed. */
export function httpSnippet(url: string, hasToken: boolean): string {
  const entry = hasToken
    ? { type: 'http', url, headers: { Authorization: 'Bearer <your token>' } }
    : { type: 'http', url };
  return snippet(entry);
}

/** For desktop clients that start a command: this very program with this very configuration. */
export function stdioSnippet(program: string, { file }: Pick<LoadedConfig, 'file'>): string {
  const serve = ['serve', '--stdio', ...(file === undefined ? [] : ['--config', file])];
  // A copy in npx's cache is gone one day; npx itself finds the next one.
  const entry = program.includes(`${sep}_npx${sep}`)
    ? { command: 'npx', args: ['-y', 'agent-switchboard', ...serve] }
    : { command: process.execPath, args: [program, ...serve] };
  return snippet(entry);
}

/** On one line: short enough to be read, whole enough to be pasted. */
const snippet = (entry: object): string => inline({ mcpServers: { switchboard: entry } });

/** JSON with the spaces people put. */
function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}: ${inline(member)}`)
    .join(', ')} }`;
}
