/**
 * What a run found, for people and for programs.
 * @module
 */
import { readFile, writeFile } from 'node:fs/promises';
import type { Loss, Tally } from './harness/compare.ts';

export interface Row {
  id: string;
  client: string;
  upstream: string;
  /** Undefined where nothing can be asked directly. */
  direct: Tally | undefined;
  through: Tally;
  /** The same for scenarios that are run and not required. */
  directMore: Tally | undefined;
  throughMore: Tally;
  losses: readonly Loss[];
}

export const lostIn = ({ losses }: Row): Loss[] => losses.filter(({ known }) => known === undefined);
const knownIn = ({ losses }: Row): Loss[] => losses.filter(({ known }) => known !== undefined);

const HEAD = ['pairing', 'client', 'upstream', 'required', 'checks', 'not required', 'lost', 'known losses'];

const passed = (tally: Tally | undefined): string => (tally ? `${tally.passed}/${tally.of}` : '–');
const arrow = (before: string, after: string): string => (before === '–' ? after : `${before} → ${after}`);

const checks = (row: Row): string => {
  const count = (required: Tally, more: Tally): string => String(required.checks + more.checks);
  const before = row.direct && row.directMore ? count(row.direct, row.directMore) : '–';
  return arrow(before, count(row.through, row.throughMore));
};

const cells = (row: Row): string[] => [
  row.id,
  row.client,
  row.upstream,
  arrow(passed(row.direct), passed(row.through)),
  checks(row),
  row.throughMore.of === 0 ? '–' : arrow(passed(row.directMore), passed(row.throughMore)),
  String(lostIn(row).length),
  String(knownIn(row).length),
];

/** As a Markdown table. */
export function table(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = (line: readonly string[]): string =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [text(HEAD), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(cells).map(text)].join(
    '\n',
  );
}

/** One line per loss, the allowed ones grouped under their reason. */
export function lossList(rows: readonly Row[]): string {
  const lines: string[] = [];
  for (const row of rows) {
    for (const { scenario, check, direct, through, reason } of lostIn(row)) {
      lines.push(`- LOST in ${row.id}: ${scenario} / ${check}: ${direct} → ${through}${reason ? ` (${reason})` : ''}`);
    }
  }
  const byReason = new Map<string, Set<string>>();
  for (const row of rows) {
    for (const { scenario, check, known } of knownIn(row)) {
      const places = byReason.get(known as string) ?? new Set();
      byReason.set(known as string, places.add(`\`${check}\` of ${scenario} in ${row.id}`));
    }
  }
  for (const [reason, places] of byReason) {
    lines.push(`- ${reason}`, ...[...places].map((place) => `  - ${place}`));
  }
  return lines.join('\n');
}

/** The page with `report` between the markers of its place. Throws when a marker is missing. */
export function withReport(page: string, report: string, place = 'conformance'): string {
  const [BEGIN, END] = [`<!-- ${place}:begin -->`, `<!-- ${place}:end -->`];
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) throw new Error(`the page has no ${BEGIN} … ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${report}\n\n${page.slice(end)}`;
}

export async function writeReport(file: string, report: string, place: string): Promise<void> {
  await writeFile(file, withReport(await readFile(file, 'utf8'), report, place));
}
