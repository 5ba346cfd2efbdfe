/**
 * What goes wrong in a chaos run. Each fault ends by itself and leaves everything as it was before.
 * @module
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Load } from './load.ts';
import type { World } from './world.ts';

export interface Fault {
  name: string;
  /** Resolves when it is over. */
  run(world: World, load: Load, random: () => number): Promise<void>;
}

/** The first replica is never ended: its memory is looked at. */
const someReplica = (random: () => number): number => 1 + Math.floor(random() * 2);
const between = (random: () => number, from: number, to: number): number => from + random() * (to - from);

export const FAULTS: readonly Fault[] = [
  {
    name: 'a replica is killed',
    async run(world, _, random) {
      const at = someReplica(random);
      await world.end(at, 'SIGKILL');
      await pause(between(random, 500, 4_000));
      await world.restart(at);
    },
  },
  {
    name: 'a replica is stopped in order',
    async run(world, _, random) {
      const at = someReplica(random);
      await world.end(at, 'SIGTERM');
      await world.restart(at);
    },
  },
  {
    name: 'a replica hangs',
    async run(world, _, random) {
      const { pid, ended } = world.replicas[Math.floor(random() * 3)] ?? {};
      if (pid === undefined || ended?.() !== undefined) return;
      process.kill(pid, 'SIGSTOP');
      await pause(between(random, 2_000, 14_000));
      process.kill(pid, 'SIGCONT');
    },
  },
  {
    name: 'Redis hangs',
    async run(world, _, random) {
      world.redis.child.kill('SIGSTOP');
      await pause(between(random, 300, 14_000));
      world.redis.child.kill('SIGCONT');
    },
  },
  {
    name: 'Redis is killed',
    async run(world, _, random) {
      await world.redis.kill();
      await pause(between(random, 100, 5_000));
      await world.redis.restart();
    },
  },
  {
    name: 'the legacy server is started again',
    async run({ legacy }, _, random) {
      await legacy.stop();
      await pause(between(random, 0, 3_000));
      await legacy.start();
    },
  },
  {
    name: 'the modern server is started again',
    async run({ modern }, _, random) {
      await modern.stop();
      await pause(between(random, 0, 3_000));
      await modern.start();
    },
  },
  {
    name: 'clients drop their connections',
    async run(_, load) {
      load.drop();
    },
  },
];
