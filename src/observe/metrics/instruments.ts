/**
 * Counters and histograms that are cheap to record: a series is found by walking a few small maps, and nothing is made for
 * a recording. OpenTelemetry's own instruments make an object of attributes and a key of them for each.
 *
 * Series of one instrument are bounded in number. Further ones are counted together, under the attribute that OpenTelemetry
 * has for that (`otel.metric.overflow`).
 * @module
 */

/** Attributes as they are exported; those without a value are left out. */
export type Labels = Readonly<Record<string, string | undefined>>;

/** Cumulative counts of a histogram, the last one above all bounds. */
export interface HistogramValue {
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

export interface Point<Value> {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Value;
}

interface Described {
  /** By OpenTelemetry's rules: dots, no unit. */
  readonly name: string;
  readonly help: string;
  /** UCUM: `s`, `By`, `1`, `{call}`. */
  readonly unit: string;
}

/** What one instrument has counted. */
export type Metric = Described &
  (
    | { readonly type: 'counter' | 'gauge'; readonly points: readonly Point<number>[] }
    | {
        readonly type: 'histogram';
        readonly bounds: readonly number[];
        readonly points: readonly Point<HistogramValue>[];
      }
  );

/** As many as OpenTelemetry's default. */
export const MAX_SERIES = 2_000;

const OVERFLOW: Readonly<Record<string, string>> = { 'otel.metric.overflow': 'true' };

type Level<S> = Map<string | undefined, Level<S> | S>;

/** The series of one instrument by their values. */
class Series<S> {
  readonly #make: () => S;
  readonly #labels: (values: readonly (string | undefined)[]) => Labels;
  readonly #max: number;
  readonly #root: Level<S> = new Map();
  readonly #all: { labels: Readonly<Record<string, string>>; series: S }[] = [];
  #overflow: S | undefined;

  constructor(make: () => S, labels: (values: readonly (string | undefined)[]) => Labels, max: number) {
    this.#make = make;
    this.#labels = labels;
    this.#max = max;
  }

  at(values: readonly (string | undefined)[]): S {
    let level = this.#root;
    const last = values.length - 1;
    for (let i = 0; i < last; i++) {
      let next = level.get(values[i]) as Level<S> | undefined;
      if (!next) {
        if (this.#all.length >= this.#max) return this.#shared();
        next = new Map();
        level.set(values[i], next);
      }
      level = next;
    }
    const found = level.get(values[last]) as S | undefined;
    if (found) return found;
    if (this.#all.length >= this.#max) return this.#shared();
    const series = this.#make();
    level.set(values[last], series);
    this.#all.push({ labels: defined(this.#labels(values)), series });
    return series;
  }

  #shared(): S {
    this.#overflow ??= this.#make();
    return this.#overflow;
  }

  points<Value>(read: (series: S) => Value): Point<Value>[] {
    const points = this.#all.map(({ labels, series }) => ({ labels, value: read(series) }));
    if (this.#overflow) points.push({ labels: OVERFLOW, value: read(this.#overflow) });
    return points;
  }
}

export interface InstrumentOptions extends Described {
  /** The attributes of a series, from the values it is recorded under. */
  labels(values: readonly (string | undefined)[]): Labels;
  maxSeries?: number;
}

export class Counter {
  readonly #options: InstrumentOptions;
  readonly #series: Series<{ value: number }>;

  constructor(options: InstrumentOptions) {
    this.#options = options;
    this.#series = new Series(() => ({ value: 0 }), options.labels, options.maxSeries ?? MAX_SERIES);
  }

  /** Always with as many values. */
  add(...values: readonly (string | undefined)[]): void {
    this.#series.at(values).value++;
  }

  /** The series exists from now on, with 0: what counts its increase sees the first one. */
  begin(...values: readonly (string | undefined)[]): void {
    this.#series.at(values);
  }

  collect(): Metric {
    const { name, help, unit } = this.#options;
    return { name, help, unit, type: 'counter', points: this.#series.points(({ value }) => value) };
  }
}

class Buckets {
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(bounds: number) {
    this.counts = new Array<number>(bounds + 1).fill(0);
  }
}

export class Histogram {
  readonly #options: InstrumentOptions;
  readonly #bounds: readonly number[];
  readonly #series: Series<Buckets>;

  constructor(bounds: readonly number[], options: InstrumentOptions) {
    this.#options = options;
    this.#bounds = bounds;
    this.#series = new Series(() => new Buckets(bounds.length), options.labels, options.maxSeries ?? MAX_SERIES);
  }

  /** Always with as many values. */
  record(amount: number, ...values: readonly (string | undefined)[]): void {
    const series = this.#series.at(values);
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && amount > (bounds[bucket] as number)) bucket++;
    series.counts[bucket] = (series.counts[bucket] as number) + 1;
    series.sum += amount;
    series.count++;
  }

  collect(): Metric {
    const { name, help, unit } = this.#options;
    const points = this.#series.points(({ counts, sum, count }) => ({ counts: [...counts], sum, count }));
    return { name, help, unit, type: 'histogram', bounds: this.#bounds, points };
  }
}

/** One value that is read when it is asked for. */
export function gauge(described: Described, points: readonly { labels?: Labels; value: number }[]): Metric {
  const defines = points.map(({ labels, value }) => ({ labels: defined(labels ?? {}), value }));
  return { ...described, type: 'gauge', points: defines };
}

function defined(labels: Labels): Record<string, string> {
  const known: Record<string, string> = {};
  for (const [name, value] of Object.entries(labels)) if (value !== undefined) known[name] = value;
  return known;
}
