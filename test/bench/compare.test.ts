import { describe, expect, it } from 'vitest';
import { type Compared, compare, comparedRow } from '../../bench/compare.ts';
import type { LoadClient } from '../../bench/load-client.ts';
import type { LoadJob } from '../../bench/load-types.ts';

const sample = (cpuPer1k: number | undefined, perSecond = 100) => ({ perSecond, p50: 1, p99: 2, cpuPer1k });

describe('a row beside another one', () => {
  const samples = new Map([
    ['off', [sample(0.1, 100), sample(0.2, 50), sample(0.4, 200)]],
    ['on', [sample(0.11, 90), sample(0.24, 60), sample(0.4, 200)]],
  ]);

  it('has ratios that are taken within a round', () => {
    const { timesCpu, timesRate, cpuPer1k } = comparedRow({ name: 'on', beside: 'off' }, samples);
    expect(timesCpu).toEqual({ median: expect.closeTo(1.1), min: expect.closeTo(1), max: expect.closeTo(1.2) });
    expect(timesRate).toEqual({ median: 1, min: 0.9, max: 1.2 });
    expect(cpuPer1k?.median).toBe(0.24);
  });

  it('has none where it stands beside nothing, or where CPU time cannot be read', () => {
    expect(comparedRow({ name: 'off', beside: undefined }, samples)).toMatchObject({ timesCpu: undefined });
    const unread = new Map([
      ['off', [sample(undefined)]],
      ['on', [sample(undefined, 50)]],
    ]);
    const row = comparedRow({ name: 'on', beside: 'off' }, unread);
    expect(row.timesCpu).toBeUndefined();
    expect(row.timesRate?.median).toBe(0.5);
  });
});

describe('comparing', () => {
  it('warms every target up, measures each once a round in turns, and ends each load', async () => {
    const seen: string[] = [];
    const load = {
      prepare: async ({ tool, warmupCalls }: LoadJob) => void seen.push(`${tool} after ${warmupCalls}`),
      measure: async (ms: number) => {
        seen.push(`measured ${ms}`);
        return { calls: 10, seconds: 0.1, p50: 1, p99: 2, requestsPerCall: 1 };
      },
      finish: async () => void seen.push('finished'),
    } as unknown as LoadClient;
    const target = (name: string, beside?: string): Compared => ({
      name,
      beside,
      job: { port: 1, path: '/mcp', era: 'modern', operation: 'small', tool: name, tools: 1, callers: 1 },
      pids: [],
    });
    const pace = { rounds: 2, windowMs: 5, warmup: 50, rewarm: 3 };
    const rows = await compare(load, [target('a'), target('b', 'a')], pace, () => {});
    const measured = (name: string) => [`${name} after 3`, 'measured 5', 'finished'];
    expect(seen).toEqual([
      ...['a after 50', 'finished', 'b after 50', 'finished'],
      ...[...measured('a'), ...measured('b'), ...measured('b'), ...measured('a')],
    ]);
    expect(rows.map(({ name, perSecond, timesRate }) => [name, perSecond.median, timesRate?.median])).toEqual([
      ['a', 100, undefined],
      ['b', 100, 1],
    ]);
  });
});
