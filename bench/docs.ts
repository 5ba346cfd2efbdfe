/**
 * Puts the results of a run where the documentation shows them, between two markers.
 * @module
 */
import { readFile, writeFile } from 'node:fs/promises';

const BEGIN = '<!-- bench:begin -->';
const END = '<!-- bench:end -->';

/** The page with `report` between its markers. Throws when a marker is missing. */
export function withResults(page: string, report: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) throw new Error(`the page has no ${BEGIN} … ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${report}\n\n${page.slice(end)}`;
}

export async function writeResults(path: string | URL, report: string): Promise<void> {
  await writeFile(path, withResults(await readFile(path, 'utf8'), report));
}
