/**
 * Plain tables: columns padded to their widest cell, two spaces between. Colours are added after measuring.
 * @module
 */
import { stripVTControlCharacters } from 'node:util';
import { shortenTo } from '../../core/text.ts';

export interface Column {
  title: string;
  /** Default: left. */
  align?: 'left' | 'right';
}

/** Below this width the last column wraps instead of being cut. */
const MIN_LAST = 20;

/**
 * The lines of a table; without titles it has no header. `width` is the terminal's: the last column is cut to fit it.
 * Cells may be coloured.
 */
export function table(
  titles: readonly (string | Column)[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): string[] {
  const columns = titles.map((column): Column => (typeof column === 'string' ? { title: column } : column));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => shownLength(row[i] ?? ''))));
  const before = widths.slice(0, -1).reduce((sum, each) => sum + each + 2, 0);
  const last = width !== undefined && width - before >= MIN_LAST ? width - before : undefined;
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, i) => {
        const cell = cells[i] ?? '';
        if (i === columns.length - 1)
          return last !== undefined && shownLength(cell) > last ? shortenTo(plain(cell), last) : cell;
        const padding = ' '.repeat(Math.max(0, (widths[i] ?? 0) - shownLength(cell)));
        return align === 'right' ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
  const header = columns.map(({ title }) => title);
  return header.every((title) => title === '') ? rows.map(line) : [line(header), ...rows.map(line)];
}

const plain = (cell: string): string => stripVTControlCharacters(cell);
const shownLength = (cell: string): number => plain(cell).length;
