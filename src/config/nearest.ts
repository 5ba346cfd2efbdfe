/**
 * Finds the known word that is nearest to a misspelt one.
 * @module
 */

/** The candidate with the fewest edits, when they are few enough for a typing error; ties go to the first. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  // A third of the word may be wrong, at least one sign: enough for typing errors, too little for other words.
  const allowed = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = allowed + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(simplified(word), simplified(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `max_queue` and `Max-Queue` count as `maxQueue`. */
const simplified = (word: string): string => word.toLowerCase().replaceAll(/[_-]/g, '');

/**
 * Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours count one each. Levenshtein's
 * distance, where a swap counts two, would miss `ulr` for `url`.
 */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
