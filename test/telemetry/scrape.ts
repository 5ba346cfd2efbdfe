/**
 * Prometheus text, read strictly (version 0.0.4): names, labels, escapes, one family in one place, buckets that grow and end
 * in `+Inf`. Throws for anything else.
 * @module
 */

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Family {
  type: string;
  help: string;
  samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\+Inf|-Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/y;
const SUFFIX = /_(?:bucket|sum|count)$/;

export function readScrape(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('The last line has no end.');
  const families = new Map<string, Family>();
  let current: string | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const help = /^# HELP (\S+) (.+)$/.exec(line);
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (help) {
      const name = help[1] as string;
      if (!NAME.test(name) || families.has(name)) throw new Error(`A second family, or no name: ${line}`);
      families.set(name, { type: '', help: help[2] as string, samples: [] });
      current = name;
    } else if (type) {
      if (type[1] !== current) throw new Error(`A type without its help: ${line}`);
      (families.get(current as string) as Family).type = type[2] as string;
    } else {
      const sample = sampleOf(line);
      const family = families.get(current ?? '');
      const name = family?.type === 'histogram' ? sample.name.replace(SUFFIX, '') : sample.name;
      if (!family || name !== current) throw new Error(`A sample outside its family: ${line}`);
      family.samples.push(sample);
    }
  }
  for (const [name, family] of families) check(name, family);
  return families;
}

function sampleOf(line: string): Sample {
  const [, name, inner, value] = SAMPLE.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`No sample: ${line}`);
  const labels: Record<string, string> = {};
  for (let at = 0; at < (inner?.length ?? 0); at = LABEL.lastIndex) {
    LABEL.lastIndex = at;
    const [, label, text] = LABEL.exec(inner as string) ?? [];
    if (label === undefined || Object.hasOwn(labels, label)) throw new Error(`No labels: ${line}`);
    labels[label] = text as string;
  }
  return { name, labels, value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) };
}

function check(name: string, { type, samples }: Family): void {
  if (type === 'counter' && !name.endsWith('_total')) throw new Error(`A counter without _total: ${name}`);
  const seen = new Set<string>();
  for (const { name: own, labels } of samples) {
    const key = own + JSON.stringify(labels);
    if (seen.has(key)) throw new Error(`Twice: ${key}`);
    seen.add(key);
  }
  if (type !== 'histogram') return;
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const series = Map.groupBy(buckets, ({ labels: { le: _, ...rest } }) => JSON.stringify(rest));
  for (const [key, own] of series) {
    const counts = own.map(({ value }) => value);
    const bounds = own.map(({ labels }) => (labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)));
    const grows = (values: number[]): boolean =>
      values.every((value, i) => i === 0 || value >= (values[i - 1] as number));
    if (!grows(counts) || !grows(bounds)) throw new Error(`Buckets do not grow: ${name} ${key}`);
    const count = samples.find((sample) => sample.name === `${name}_count` && JSON.stringify(sample.labels) === key);
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY || count?.value !== counts.at(-1))
      throw new Error(`The last bucket is not the count: ${name} ${key}`);
  }
}
