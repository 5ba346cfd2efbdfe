/**
 * The lines that differ between two texts, with some around them, for a person to read.
 * @module
 */

export interface DiffLine {
  kind: 'same' | 'added' | 'removed' | 'skipped';
  text: string;
}

const CONTEXT = 3;
/** Larger middles are shown as replaced whole: comparing them takes the product of both. */
const MAX_PRODUCT = 4_000_000;

export function lineDiff(before: string, after: string): DiffLine[] {
  if (before === after) return [];
  const [was, is] = [before.split(/\r?\n/), after.split(/\r?\n/)];
  let start = 0;
  while (start < was.length && start < is.length && was[start] === is[start]) start++;
  let end = 0;
  while (end < was.length - start && end < is.length - start && was.at(-1 - end) === is.at(-1 - end)) end++;
  const middle = compared(was.slice(start, was.length - end), is.slice(start, is.length - end));
  const head = was.slice(Math.max(0, start - CONTEXT), start);
  const tail = was.slice(was.length - end).slice(0, CONTEXT);
  return [
    ...(start > CONTEXT ? [{ kind: 'skipped' as const, text: '' }] : []),
    ...head.map(same),
    ...middle,
    ...tail.map(same),
    ...(end > CONTEXT ? [{ kind: 'skipped' as const, text: '' }] : []),
  ];
}

const same = (text: string): DiffLine => ({ kind: 'same', text });
const removed = (text: string): DiffLine => ({ kind: 'removed', text });
const added = (text: string): DiffLine => ({ kind: 'added', text });

/** By the longest common subsequence. */
function compared(was: readonly string[], is: readonly string[]): DiffLine[] {
  if (was.length * is.length > MAX_PRODUCT) return [...was.map(removed), ...is.map(added)];
  const width = is.length + 1;
  const lengths = new Uint32Array((was.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] as number;
  for (let i = was.length - 1; i >= 0; i--) {
    for (let j = is.length - 1; j >= 0; j--) {
      lengths[i * width + j] = was[i] === is[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < was.length && j < is.length) {
    if (was[i] === is[j]) {
      lines.push(same(was[i] as string));
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) lines.push(removed(was[i++] as string));
    else lines.push(added(is[j++] as string));
  }
  return [...lines, ...was.slice(i).map(removed), ...is.slice(j).map(added)];
}
