/** The bench's view of the real gateway: every kind of row gets correct replies. What they cost is for the bench to judge. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { measureAgents } from '../../bench/agents.ts';
import { allBlocks, BUDGET_CALLERS } from '../../bench/blocks.ts';
import { measureFirstLook } from '../../bench/first-look.ts';
import { readLayout } from '../../bench/machine.ts';
import { measureObserved } from '../../bench/observed.ts';
import { measureRedis } from '../../bench/redis.ts';
import { measureReplicas } from '../../bench/replicas.ts';
import { type Measured, Rounds } from '../../bench/rounds.ts';
import { measureSessions, SESSION_LIVES } from '../../bench/sessions.ts';
import { measureStartup } from '../../bench/startup.ts';
import { measureSustained, SUSTAINED_CALLERS, SUSTAINED_TARGETS, type SustainedRow } from '../../bench/sustained.ts';
import { Topology } from '../../bench/topology.ts';

/** Not pinned to cores, which the tests beside this one use as well. */
const layout = {
  ...readLayout(fileURLToPath(new URL('../../bin/switchboard.js', import.meta.url))),
  ...{ gatewayCore: undefined, loadCore: undefined },
};
const silent = (): void => {};
/** Nothing is judged here: what matters is that every reply is right. */
const brief = { rounds: 1, windowMs: 60, warmup: 20, rewarm: 8 };

// Every one starts several gateways, and each of those a process of its own.
vi.setConfig({ testTimeout: 400_000 });

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
    const { built, entry } = await measureStartup(layout, 1, silent);
    for (const { answered, listed } of [built, entry]) {
      expect(answered.median).toBeGreaterThan(0);
      expect(listed.median).toBeGreaterThanOrEqual(answered.median);
    }
  });

  it('lists a thousand tools for grants with documents of their own', async () => {
    const { first, cached, grants } = await measureFirstLook(layout, silent, { warmup: 1, measured: 3 });
    expect(grants).toBe(3);
    for (const { median } of [first, cached]) {
      expect(median).toBeGreaterThan(0);
      expect(Number.isFinite(median)).toBe(true);
    }
  });

  it.runIf(process.platform === 'linux')('keeps idle sessions of every kind', async () => {
    const rows = await measureSessions(layout, SESSION_LIVES, 40, silent, 40);
    expect(rows.map(({ life }) => life)).toEqual(['listed', 'called', 'streaming']);
    for (const { live } of rows) expect(Number.isFinite(live)).toBe(true);
  });

  it('answers calls of agents, as a whole and as a stream, and keeps nothing of long streams', async () => {
    const { rows, long } = await measureAgents(layout, { ...brief, longCalls: 8 }, silent);
    expect(rows.map(({ load, way }) => `${load} ${way}`)).toEqual([
      ...['whole (c)', 'whole callAgent', "whole the agent's tool"],
      ...['stream (c)', 'stream callAgent', "stream the agent's tool"],
    ]);
    expect(Number.isFinite(long.grown)).toBe(true);
  });

  it('asks Redis nothing for a call without limits, and once for one with a limit', async () => {
    const rows = await measureRedis(layout, { ...brief, countedCalls: 400 }, silent, ['redis', 'redis, limit']);
    const seen = (name: string) => rows.find(({ target }) => target === name)?.seen;
    // How many beats of replicas fall into a window is chance: on a slow machine they are a part of a round trip.
    expect(seen('redis')?.reads).toBeCloseTo(0, 0);
    expect(seen('redis, limit')?.reads).toBeCloseTo(1, 0);
  });

  it('answers through replicas behind a balancer, in both eras', async () => {
    const rows = await measureReplicas(layout, brief, silent, [1, 2]);
    expect(rows.map(({ replicas, era }) => `${replicas} ${era}`)).toEqual([
      '1 modern',
      '1 legacy',
      '2 modern',
      '2 legacy',
    ]);
  });

  it('answers while it is watched', async () => {
    const rows = await measureObserved(layout, brief, silent, ['traced', 'followed']);
    expect(rows.map(({ name }) => name)).toEqual(['traced', 'followed']);
  });
});
