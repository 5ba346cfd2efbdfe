/** The bench measures what it says, without the gateway: direct and the limits under a real load, in real processes. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allBlocks } from '../../bench/blocks.ts';
import { Collections } from '../../bench/child.ts';
import { readLayout } from '../../bench/machine.ts';
import { type Effort, Rounds } from '../../bench/rounds.ts';
import { toRows } from '../../bench/rows.ts';
import { Topology } from '../../bench/topology.ts';

const BRIEF: Effort = {
  rounds: 2,
  windowMs: 60,
  sustainedCalls: 100,
  warmup: { small: 50, large: 20, both: 20, logs: 20, list: 4 },
  rewarm: { small: 16, large: 16, both: 16, logs: 16, list: 2 },
};

function ownChildren(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        return parent === String(process.pid) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
      } catch {
        return '';
      }
    })
    .filter((command) => command.includes('/bench/'));
}

describe('garbage collections of a process', () => {
  it('are read from what Node writes with --trace-gc', () => {
    const collections = new Collections();
    for (const line of [
      '[9:0x1] 310 ms: Scavenge 9.1 (12.0) -> 8.4 (12.0) MB, pooled: 0 MB, 0.71 / 0.00 ms (average mu = 1.000) task;',
      '[9:0x1] 400 ms: Scavenge 9.9 (12.0) -> 8.4 (12.0) MB, 22.50 / 0.00 ms (average mu = 1.000) allocation failure;',
      '[9:0x1] 500 ms: Mark-Compact 9.9 (12.0) -> 8.4 (12.0) MB, 55.00 / 0.00 ms (average mu = 1.000) task;',
      'Switchboard is listening.',
    ]) {
      collections.read(line);
    }
    expect(collections).toMatchObject({ scavenges: 2, longestScavenge: 22.5 });
  });
});

describe('the bench', () => {
  it('measures direct and both limits in both eras, skips a gateway that is not there, and leaves nothing behind', async () => {
    const layout = readLayout('/nonexistent/main.ts');
    const topology = await Topology.start(layout, false);
    const blocks = allBlocks({ small: [4], large: [2], both: [2], logs: [2], list: [1] });
    let measured: Awaited<ReturnType<Rounds['run']>>;
    try {
      expect(topology.gatewayMissing).toContain('does not exist');
      measured = await new Rounds(topology, BRIEF, () => {}).run(blocks);
    } finally {
      await topology.stop();
    }
    expect(measured.failures).toEqual([]);
    expect(measured.samples).toHaveLength(blocks.length * 3 * BRIEF.rounds);
    for (const sample of measured.samples) {
      expect(sample.calls).toBeGreaterThan(0);
      expect(sample.p50).toBeGreaterThan(0);
      expect(sample.p99).toBeGreaterThanOrEqual(sample.p50);
    }
    const rows = toRows(blocks, measured.samples);
    expect(rows.map((row) => row.target)).toEqual(blocks.flatMap(() => ['direct', 'b', 'c']));
    if (layout.readsCpu) {
      for (const row of rows.filter(({ target }) => target !== 'direct')) {
        expect(row.cpuPer1k?.median).toBeGreaterThan(0);
        expect(row.timesC?.median).toBeGreaterThan(0);
      }
    }
    expect(process.platform === 'linux' ? ownChildren() : []).toEqual([]);
  });

  it('gives a row with wrong replies no figures, and says what was wrong', async () => {
    const layout = readLayout('/nonexistent/main.ts');
    const topology = await Topology.start(layout, false);
    try {
      const [block] = allBlocks({ small: [2], large: [], both: [], logs: [], list: [] });
      const endpoint = topology.endpoint(block as NonNullable<typeof block>, 'direct');
      const job = {
        port: endpoint?.port ?? 0,
        path: '/mcp',
        era: 'legacy',
        operation: 'small',
        tool: 'nothing',
      } as const;
      await expect(topology.prepare({ ...job, tools: 1, callers: 2, warmupCalls: 4 })).rejects.toThrow(
        /errors, the first: no "content" in: .*Unknown tool: nothing/,
      );
      await topology.finish();
    } finally {
      await topology.stop();
    }
  });
});
