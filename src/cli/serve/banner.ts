/**
 * What `serve` tells a person on start: where it listens, what it federates, what is missing, what to paste.
 * @module
 */
import type { LoadedConfig } from '../../load-config.ts';
import { countsText, missingLines, type ServerRow } from '../format/status.ts';
import { table } from '../format/table.ts';
import { oneLine } from '../format/text.ts';
import type { Painter } from '../output.ts';
import { httpSnippet, stdioSnippet } from './snippet.ts';

export function listeningLines(
  url: string,
  config: LoadedConfig,
  version: string,
  program: string,
  paint: Painter,
): string[] {
  return [
    `${paint('bold', `Switchboard ${version}`)} listens at ${paint('cyan', url)}`,
    `Configuration: ${config.file ?? 'AGENT_SERVERS'}`,
    '',
    'Add it to a client that speaks HTTP:',
    `  ${httpSnippet(url, config.gateway.token !== undefined)}`,
    'or to one that starts a command:',
    `  ${stdioSnippet(program, config)}`,
    '',
  ];
}

/** After every server was heard, or while the last ones still are not. */
export function federatedLines(rows: readonly ServerRow[], paint: Painter): string[] {
  const ready = rows.filter(({ state }) => state === 'ready');
  const missing = missingLines(rows);
  const lines: string[] = [];
  if (ready.length > 0) {
    const cells = ready.map((row) => [`  ${row.name}`, kindText(row), countsText(row)]);
    lines.push(`Federates ${ready.length === 1 ? '1 server' : `${ready.length} servers`}:`);
    lines.push(...table([{ title: '' }, { title: '' }, { title: '' }], cells, undefined));
  } else {
    lines.push('No server is ready yet; the gateway’s own tools are served.');
  }
  if (missing.length > 0) {
    lines.push(paint('yellow', `Missing ${missing.length}; each joins by itself when it can be reached:`));
    lines.push(...missing.map((line) => `  ${oneLine(line)}`));
  }
  return lines;
}

const kindText = ({ kind, transport, speaksMcp, era }: ServerRow): string =>
  [kind, transport, speaksMcp ? era : undefined].filter((part) => part !== undefined).join(', ');
