/**
 * Three replicas under load while replicas, Redis, servers and clients fail: `npm run chaos -- [--minutes 10] [--clients 28] [--seed 1]`.
 * Ends with a verdict, and with 1 where something was lost, doubled or miscounted, or memory grew.
 * @module
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { modernRequest, send } from '../e2e/raw.ts';
import { FAULTS } from './faults.ts';
import { Load } from './load.ts';
import { Memory } from './memory.ts';
import { findings, summary } from './verdict.ts';
import { LIMITED, MAX_CALLS, World } from './world.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '28' },
    seed: { type: 'string' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
const clients = Number(values.clients);
const seed = values.seed === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(values.seed);
const chosen = FAULTS.filter(({ name }) => values.only === undefined || name.includes(values.only));
const usage = `Usage: npm run chaos -- [--minutes 10] [--clients 28] [--seed <integer>] [--only <part of a fault's name>]
Needs redis-server. Faults: ${FAULTS.map(({ name }) => name).join(', ')}.`;
if (values.help) {
  console.log(usage);
  process.exit(0);
}
if (!(minutes > 0) || !(clients > 0) || !Number.isInteger(seed) || chosen.length === 0) {
  console.error(usage);
  process.exit(2);
}

/** Between two faults nothing fails for so long. */
const CALM_MS = { least: 1_000, most: 6_000 };
/** After the last fault everything has to work again within that time, or ten times what the start of the world took: a busy machine. */
const RECOVERY_MS = 30_000;
const RECOVERY_STARTS = 10;

/** Mulberry32: the same faults at the same moments for the same seed. */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const begunAt = performance.now();
const seconds = (): string => `${((performance.now() - begunAt) / 1_000).toFixed(1).padStart(7)} s`;
const say = (text: string): void => console.log(`${seconds()}  ${text}`);

/** What does not work: calls of each server at every replica that do not pass, with their errors. */
async function broken(world: World): Promise<string[]> {
  const replies = await Promise.all(
    world.replicas.flatMap((replica, at) =>
      ['legacy', 'modern'].map((server) => {
        const id = `check-${performance.now()}-${at}-${server}`;
        const request = modernRequest('tools/call', { name: `${server}__pay`, arguments: { id } });
        const where = `${server} at replica ${at}: `;
        return send(replica?.url ?? '', request).then(
          ({ message: { result, error } }) =>
            result !== undefined && result.isError !== true ? '' : where + JSON.stringify(error ?? result),
          (failed: unknown) => where + String(failed),
        );
      }),
    ),
  );
  return replies.filter((reply) => reply !== '');
}

/** Calls until each limit is used up: what is left of it is what was counted. */
async function useUp(load: Load): Promise<void> {
  await Promise.all(LIMITED.map((tool) => useUpOf(tool, load)));
}

async function useUpOf(tool: string, load: Load): Promise<void> {
  for (let n = 0; n <= 2 * MAX_CALLS; n++) {
    const id = `rest-${tool}-${n}`;
    const request = modernRequest('tools/call', { name: `modern__${tool}`, arguments: { id } });
    const reply = await load.sent({ id, tool, client: 'the rest' }, request);
    if (JSON.stringify(reply?.message.result ?? {}).includes('SWB_RATE_LIMITED')) return;
  }
}

function interrupt(world: World): void {
  world.resume();
  void world.close().finally(() => process.exit(130));
}

async function main(): Promise<boolean> {
  const random = randomOf(seed);
  const world = new World();
  const memory = new Memory(say);
  // Who ends the run early leaves no replicas behind, nor any that are suspended.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt(world));
  try {
    await world.start();
    const recoveryMs = Math.max(RECOVERY_MS, RECOVERY_STARTS * (performance.now() - begunAt));
    say(`${clients} clients, ${minutes} minutes, seed ${seed}`);
    const load = new Load(world, randomOf(seed + 1));
    load.start(clients);
    memory.watch(world.replicas[0]);
    const until = performance.now() + minutes * 60_000;
    while (performance.now() < until) {
      await pause(CALM_MS.least + random() * (CALM_MS.most - CALM_MS.least));
      const fault = chosen[Math.floor(random() * chosen.length)];
      say(`${fault?.name} (${load.calls.length} calls so far)`);
      await fault?.run(world, load, random);
    }
    const calmAt = performance.now();
    let left = await broken(world);
    while (left.length > 0 && performance.now() - calmAt < recoveryMs) {
      await pause(200);
      left = await broken(world);
    }
    const calmed = `after ${Math.round(performance.now() - calmAt)} ms`;
    say(left.length === 0 ? `everything works again ${calmed}` : `not everything works again ${calmed}`);
    await load.stop();
    await memory.stop();
    say('each limit is used up');
    await useUp(load);
    const calls = [...load.calls];
    await world.close();
    console.log(`\n${calls.length} calls:\n${summary(calls).join('\n')}\n`);
    const found = [
      { what: 'Everything works again', holds: left.length === 0, detail: left.join('; ') || calmed },
      ...findings(calls, world.ledger, memory, world.errors),
    ];
    for (const { what, holds, detail } of found)
      console.log(`${holds ? 'yes' : 'NO '}  ${what}${detail ? ` (${detail})` : ''}`);
    return found.every(({ holds }) => holds);
  } finally {
    await memory.stop();
    await world.close();
  }
}

process.exit(
  await main().then(
    (holds) => (holds ? 0 : 1),
    (error: unknown) => {
      console.error(error);
      return 1;
    },
  ),
);
