/**
 * One table, two ways to write it: aligned for a terminal, Markdown for the documentation.
 * @module
 */

export interface Table {
  title: string;
  head: readonly string[];
  rows: readonly (readonly string[])[];
}

export function alignedTable({ title, head, rows }: Table): string {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        isText(rows, column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [title, line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line), ''].join('\n');
}

export function markdownTable({ title, head, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (isText(rows, column) ? '-' : '-:'));
  return [`### ${title}`, '', line(head), `|${rule.join('|')}|`, ...rows.map(line), ''].join('\n');
}

/** Numbers, with their units and ranges, stand to the right. */
const isText = (rows: Table['rows'], column: number): boolean =>
  rows.some((row) => !/^(?:-|[≤<]? ?-?[\d.,]+.*)$/.test(row[column] ?? '-'));
