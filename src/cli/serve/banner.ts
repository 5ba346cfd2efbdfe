/**
 * What `serve` prints on start: where it listens, what to paste into a client, which servers are ready and which are missing.
 * @module
 */
import { sep } from 'node:path';
import { tokenFile } from '../../auth/admin-token.ts';
import { forwarding, type Log } from '../../core/log.ts';
import type { LoadedConfig } from '../../load-config.ts';
import { SERVER_NOT_CONNECTED } from '../../observe/log-events.ts';
import { countsText, missingLines, type ServerRow } from '../format/status.ts';
import { table } from '../format/table.ts';
import { oneLine } from '../format/text.ts';
import type { Painter } from '../output.ts';

export const titleLine = (url: string, version: string, paint: Painter): string =>
  `${paint('bold', `Switchboard ${version}`)} listens at ${paint('cyan', url)}`;

/** What it is configured by, and what to paste into a client. */
export function listeningLines(url: string, config: LoadedConfig, program: string): string[] {
  return [
    `Configuration: ${config.file ?? 'AGENT_SERVERS'}`,
    '',
    'Add it to a client that speaks HTTP:',
    `  ${httpSnippet(url, config.gateway.token !== undefined)}`,
    'or to one that starts a command:',
    `  ${stdioSnippet(program, config)}`,
    '',
  ];
}

/**
 * Where the pages for operators are, and what opens them. The code of the link opens one session, for ten minutes from now.
 * The token itself is never printed.
 */
export function pagesLines(
  url: string,
  code: string | undefined,
  { gateway, policy }: LoadedConfig,
  paint: Painter,
): string[] {
  const pages = url.replace(/mcp$/, 'admin/');
  const isInFolder = policy.adminToken === undefined && gateway.stateDir !== undefined;
  const token = isInFolder ? `the admin token in ${tokenFile(gateway.stateDir as string)}` : 'gateway.adminToken';
  return code === undefined
    ? [`Look at it in a browser, and log in with ${token}:`, `  ${paint('cyan', pages)}`, '']
    : [
        'Look at it in a browser (this link logs in once, within ten minutes):',
        `  ${paint('cyan', `${pages}#login=${code}`)}`,
        '',
      ];
}

/** After every server has been tried, or while the last ones are still connecting. */
export function federatedLines(rows: readonly ServerRow[], paint: Painter): string[] {
  const ready = rows.filter(({ state }) => state === 'ready');
  const missing = missingLines(rows);
  const lines: string[] = [];
  if (ready.length > 0) {
    const cells = ready.map((row) => [`  ${row.name}`, kindText(row), countsText(row)]);
    lines.push(`Federates ${ready.length === 1 ? '1 server' : `${ready.length} servers`}:`);
    lines.push(...table([{ title: '' }, { title: '' }, { title: '' }], cells, undefined));
  } else {
    lines.push('No server is ready yet; the builtin tools are served.');
  }
  if (missing.length > 0) {
    lines.push(paint('yellow', `Missing ${missing.length}; each joins by itself when it can be reached:`));
    lines.push(...missing.map((line) => `  ${oneLine(line)}`));
  }
  return lines;
}

const kindText = ({ kind, transport, speaksMcp, era }: ServerRow): string =>
  [kind, transport, speaksMcp ? era : undefined].filter((part) => part !== undefined).join(', ');

/** Passes everything on but first failures to connect, until `isPrinted`: the list of missing servers names them. */
export const withoutMissing = (log: Log, isPrinted: () => boolean): Log => ({
  ...forwarding(log),
  warn(fields, message) {
    if (message !== SERVER_NOT_CONNECTED || isPrinted()) log.warn(fields, message);
  },
});

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
