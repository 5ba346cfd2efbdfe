/** What PromQL expressions name, and which names there are. */

const WORDS = /[a-zA-Z_:][a-zA-Z0-9_:]*/g;
/** Functions, operators and keywords that the expressions in `deploy/` use. */
const LANGUAGE: ReadonlySet<string> = new Set(
  'sum by rate increase histogram_quantile topk label_values and or unless on without max min avg count offset'.split(
    ' ',
  ),
);

/** Names of metrics in an expression: what is left without strings, labels, ranges and the language itself. */
export function metricsIn(expression: string): string[] {
  const bare = expression
    .replace(/\{[^}]*\}/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ')
    .replace(/\boffset \w+/g, ' ')
    .replace(/\b(?:by|without|on)\s*\([^)]*\)/g, ' ')
    .replace(/label_values\(([^,]*),[^)]*\)/g, '$1');
  return [...new Set(bare.match(WORDS) ?? [])].filter((word) => !LANGUAGE.has(word));
}

/** Prometheus adds these to what it scrapes, or makes them of an aggregation. */
const ADDED: readonly string[] = ['instance', 'job', 'le'];

/** Labels that an expression selects, matches or groups by. */
export function labelsIn(expression: string): string[] {
  const selected = [...expression.matchAll(/\{([^}]*)\}/g)].flatMap(
    ([, inner = '']) => inner.match(/\w+(?=\s*(?:=|!))/g) ?? [],
  );
  const grouped = [...expression.matchAll(/\b(?:by|without|on)\s*\(([^)]*)\)/g)].flatMap(
    ([, inner = '']) => inner.match(/\w+/g) ?? [],
  );
  const listed = [...expression.matchAll(/label_values\([^,]*,\s*(\w+)\)/g)].map(([, label = '']) => label);
  return [...new Set([...selected, ...grouped, ...listed])].filter((label) => !ADDED.includes(label));
}
