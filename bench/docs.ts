/**
 * Puts the results of a run where the documentation shows them, between two markers.
 * @module
 */
import { readFile, writeFile } from 'node:fs/promises';

/** The page with `report` between the markers of this name. Throws when a marker is missing. */
export function withResults(page: string, report: string, name = 'bench'): string {
  const [first, last] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const begin = page.indexOf(first);
  const end = page.indexOf(last);
  if (begin === -1 || end < begin) throw new Error(`the page has no ${first} … ${last}`);
  return `${page.slice(0, begin + first.length)}\n\n${report}\n\n${page.slice(end)}`;
}

export async function writeResults(path: string | URL, report: string, name?: string): Promise<void> {
  await writeFile(path, withResults(await readFile(path, 'utf8'), report, name));
}
