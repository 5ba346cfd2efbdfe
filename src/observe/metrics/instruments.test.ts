import { describe, expect, it } from 'vitest';
import { Counter, gauge, Histogram, type InstrumentOptions, MAX_SERIES } from './instruments.ts';

const options = (more: Partial<InstrumentOptions> = {}): InstrumentOptions => ({
  ...{ name: 'test.calls', help: 'Calls.', unit: '{call}' },
  labels: ([server, error]) => ({ server, error }),
  ...more,
});

describe('a counter', () => {
  it('has a series for each combination of values, without the labels that have none', () => {
    const counter = new Counter(options());
    counter.add('a', undefined);
    counter.add('a', 'SWB_DENIED');
    counter.add('a', undefined);
    counter.add(undefined, undefined);
    expect(counter.collect()).toEqual({
      ...{ name: 'test.calls', help: 'Calls.', unit: '{call}', type: 'counter' },
      points: [
        { labels: { server: 'a' }, value: 2 },
        { labels: { server: 'a', error: 'SWB_DENIED' }, value: 1 },
        { labels: {}, value: 1 },
      ],
    });
  });

  it('tells values apart that look alike in a row', () => {
    const counter = new Counter(options());
    for (const [server, error] of [
      ['a', 'b,c'],
      ['a,b', 'c'],
      ['', undefined],
      [undefined, ''],
    ])
      counter.add(server, error);
    expect(counter.collect().points.map(({ value }) => value)).toEqual([1, 1, 1, 1]);
  });

  it('counts what comes after the most series together, and the known ones still by themselves', () => {
    const counter = new Counter(options({ maxSeries: 2 }));
    for (const name of ['a', 'b', 'c', 'd', 'a']) counter.add(name, undefined);
    counter.add('b', 'SWB_DENIED');
    expect(counter.collect().points).toEqual([
      { labels: { server: 'a' }, value: 2 },
      { labels: { server: 'b' }, value: 1 },
      { labels: { 'otel.metric.overflow': 'true' }, value: 3 },
    ]);
  });

  it('keeps nothing of values that have no series of their own', () => {
    const counter = new Counter(options());
    for (let n = 0; n < MAX_SERIES + 5_000; n++) counter.add(`server-${n}`, undefined);
    const { points } = counter.collect();
    expect(points).toHaveLength(MAX_SERIES + 1);
    expect(points.at(-1)).toEqual({ labels: { 'otel.metric.overflow': 'true' }, value: 5_000 });
  });
});

describe('a histogram', () => {
  it('counts an amount into the first bucket it fits in, its bound included, and into the last above all bounds', () => {
    const histogram = new Histogram([1, 2, 5], options({ unit: 's' }));
    for (const amount of [0, 1, 1.5, 2, 5, 5.1, 100]) histogram.record(amount, 'a', undefined);
    expect(histogram.collect()).toMatchObject({
      type: 'histogram',
      bounds: [1, 2, 5],
      points: [{ labels: { server: 'a' }, value: { counts: [2, 2, 1, 2], count: 7 } }],
    });
    const sums = histogram.collect().points.map(({ value }) => (typeof value === 'number' ? value : value.sum));
    expect(sums).toEqual([expect.closeTo(114.6)]);
  });

  it('gives counts that later amounts do not change', () => {
    const histogram = new Histogram([1], options());
    histogram.record(0.5, 'a', undefined);
    const before = histogram.collect();
    histogram.record(0.5, 'a', undefined);
    expect(before.points[0]?.value).toEqual({ counts: [1, 0], sum: 0.5, count: 1 });
  });
});

it('a gauge has a point for each value, without the labels that have none', () => {
  const described = { name: 'test.up', help: 'Up.', unit: '' };
  expect(gauge(described, [{ labels: { server: 'a', era: undefined }, value: 1 }, { value: 0 }])).toEqual({
    ...described,
    type: 'gauge',
    points: [
      { labels: { server: 'a' }, value: 1 },
      { labels: {}, value: 0 },
    ],
  });
});
