/** The bench's view of the real gateway: every kind of row gets correct replies. What they cost is for the bench to judge. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { allBlocks, BUDGET_CALLERS } from '../../bench/blocks.ts';
import { measureFirstLook } from '../../bench/first-look.ts';
import { readLayout } from '../../bench/machine.ts';
import { type Measured, Rounds } from '../../bench/rounds.ts';
import { measureSessions, SESSION_LIVES } from '../../bench/sessions.ts';
import { measureStartup } from '../../bench/startup.ts';
import { measureSustained, SUSTAINED_CALLERS, SUSTAINED_TARGETS, type SustainedRow } from '../../bench/sustained.ts';
import { Topology } from '../../bench/topology.ts';

const layout = readLayout(fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url)));
const silent = (): void => {};

// Every one starts several gateways, and each of those a process of its own.
vi.setConfig({ testTimeout: 120_000 });

describe('the gateway on the bench', () => {
  it('answers every call and listing correctly, in both eras and across them', async () => {
    // With the callers at which policy is measured too.
    const blocks = allBlocks({ small: [BUDGET_CALLERS], large: [4], both: [4], logs: [4], list: [BUDGET_CALLERS] });
    const effort = {
      rounds: 1,
      windowMs: 60,
      sustainedCalls: 200,
      warmup: { small: 50, large: 20, both: 20, logs: 20, list: 4 },
      rewarm: { small: 20, large: 8, both: 8, logs: 8, list: 2 },
    };
    const topology = await Topology.start(layout, false);
    let measured: Measured;
    let sustained: SustainedRow[];
    try {
      expect(topology.gatewayMissing).toBeUndefined();
      sustained = await measureSustained(topology, effort.sustainedCalls, silent);
      measured = await new Rounds(topology, effort, silent).run(blocks);
    } finally {
      await topology.stop();
    }
    expect(measured.failures).toEqual([]);
    expect(measured.samples.map(({ block, target }) => `${block} ${target}`)).toEqual(
      blocks.flatMap(({ id, targets }) => targets.map((target) => `${id} ${target}`)),
    );
    expect(sustained.map(({ era, target, callers }) => `${era} ${target} ${callers}`)).toEqual(
      ['legacy', 'modern'].flatMap((era) =>
        SUSTAINED_TARGETS.flatMap((target) => SUSTAINED_CALLERS.map((callers) => `${era} ${target} ${callers}`)),
      ),
    );
    expect(sustained.map(({ calls }) => calls)).toEqual(sustained.map((_, i) => (i % 2 === 0 ? 200 : 100)));
    const paged = measured.samples.filter(({ target }) => target === 'paged');
    for (const { requestsPerCall } of paged) expect(requestsPerCall).toBeGreaterThan(1);
  });

  it('lists what forty-nine upstreams offer while the fiftieth never answers', async () => {
    const { answered, listed } = await measureStartup(layout, 1, silent);
    expect(answered.median).toBeGreaterThan(0);
    expect(listed.median).toBeGreaterThanOrEqual(answered.median);
  });

  it('lists a thousand tools for grants with documents of their own', async () => {
    const { first, cached, grants } = await measureFirstLook(layout, silent);
    expect(grants).toBe(15);
    expect(first.median).toBeGreaterThan(cached.median);
  });

  it.runIf(process.platform === 'linux')('keeps idle sessions of every kind', async () => {
    const rows = await measureSessions(layout, SESSION_LIVES, 40, silent);
    expect(rows.map(({ life }) => life)).toEqual(['listed', 'called', 'streaming']);
    for (const { live } of rows) expect(Number.isFinite(live)).toBe(true);
  });
});
