/**
 * Servers and their states as text: tables, counts, and lines for those that are not ready.
 * @module
 */
import type { ServerConfig } from '../../config/types.ts';
import { plural } from '../../core/text.ts';
import { skippedText } from '../../federation/server-json.ts';
import type { Federation, ServerStatus } from '../../federation/types.ts';
import type { Painter } from '../output.ts';
import type { CommandContext } from '../session.ts';
import { table } from './table.ts';
import { oneLine } from './text.ts';

/** A disabled server has no state in the federation. */
export type ServerRow = Omit<ServerStatus, 'state'> & { state: ServerStatus['state'] | 'disabled' };

/** Every configured server and every one connected at run time, without the gateway itself. */
export function serverRows(federation: Federation, configured: readonly ServerConfig[]): ServerRow[] {
  const running = federation.members().filter(({ builtin }) => !builtin);
  const rows: ServerRow[] = running.map((member) => member.status());
  const known = new Set(rows.map(({ name }) => name));
  for (const server of configured) if (!known.has(server.name)) rows.push(disabledRow(server));
  for (const row of rows) {
    if (configured.find(({ name }) => name === row.name)?.disabled) row.state = 'disabled';
  }
  return rows;
}

function disabledRow({ name, kind, origin, target }: ServerConfig): ServerRow {
  return {
    name,
    kind,
    state: 'disabled',
    transport: target.transport === 'stdio' ? 'stdio' : undefined,
    speaksMcp: undefined,
    era: undefined,
    protocolVersion: undefined,
    stale: false,
    counts: { tools: 0, prompts: 0, resources: 0, templates: 0, agents: 0 },
    error: undefined,
    origin,
    since: 0,
    serverInfo: undefined,
  };
}

const STATE_STYLES = {
  ready: 'green',
  connecting: 'yellow',
  configured: 'yellow',
  degraded: 'red',
  stopped: 'red',
  disabled: 'dim',
} as const;

export function statusTable(rows: readonly ServerRow[], paint: Painter, width: number | undefined): string[] {
  const isKnown = ({ state, stale }: ServerRow): boolean => state === 'ready' || stale;
  return table(
    [
      'SERVER',
      'KIND',
      'ERA',
      'TRANSPORT',
      { title: 'TOOLS', align: 'right' },
      { title: 'AGENTS', align: 'right' },
      'STATE',
      'ERROR',
    ],
    rows.map((row) => [
      row.name,
      row.kind ?? '-',
      (row.speaksMcp && row.era) || '-',
      row.transport ?? '-',
      isKnown(row) ? String(row.counts.tools) : '-',
      isKnown(row) ? String(row.counts.agents) : '-',
      paint(STATE_STYLES[row.state], row.stale ? `${row.state} (stale)` : row.state),
      oneLine(row.error),
    ]),
    width,
  );
}

/** A line for each entry that is left out of lists because clients could not read it. */
export const skippedLines = (rows: readonly ServerRow[]): string[] =>
  rows.flatMap(({ name, skipped = [] }) => skipped.map((entry) => oneLine(`${name}: ${skippedText(entry)}.`)));

/** `13 tools, 4 prompts, 2 agents`, without zeros. */
export function countsText({ counts }: Pick<ServerRow, 'counts'>): string {
  const parts = (
    [
      [counts.tools, 'tool'],
      [counts.prompts, 'prompt'],
      [counts.resources + counts.templates, 'resource'],
      [counts.agents, 'agent'],
    ] as const
  )
    .filter(([count]) => count > 0)
    .map(([count, word]) => plural(count, word));
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

/** A line for each server that is configured, not disabled and not ready; `only` for these names. */
export const notReady = (
  { gateway, config, out }: CommandContext,
  only: (name: string) => boolean = () => true,
): string[] =>
  missingLines(serverRows(gateway.federation, config.servers).filter(({ name }) => only(name))).map((line) =>
    out.paintNote('yellow', `${line}.`),
  );

/** As {@link notReady}, without colour and stop. */
export function missingLines(rows: readonly ServerRow[]): string[] {
  return rows.filter(({ state }) => state !== 'ready' && state !== 'disabled').map(missingLine);
}

function missingLine({ name, state, error }: ServerRow): string {
  const reason = oneLine(error);
  // A reason may begin with the server's name.
  const about = `Server '${name}' `;
  if (reason.startsWith(about)) return `${name} ${reason.slice(about.length)}`;
  const is = `${name} is ${state === 'degraded' ? 'not ready' : state}`;
  return reason === '' ? is : `${is}: ${reason}`;
}
