/**
 * What an example has started, and how it ends: in order, and also when it is interrupted or takes too long.
 * @module
 */
import { red, say } from './screen.ts';

/** What has been started, and is to be ended: last first, and also what is still starting by then. */
export class Curtain {
  readonly #ends: (() => Promise<unknown>)[] = [];
  #falling: Promise<void> | undefined;

  /** Starts something, to be ended when the curtain falls. Nothing is started after that. */
  async own<T>(start: () => Promise<T>, end: (started: T) => Promise<unknown>): Promise<T> {
    if (this.#falling) throw new Error('The demo is over.');
    const starting = start();
    this.#ends.push(async () => end(await starting));
    return starting;
  }

  /** Ends everything, whatever some of it says to that. */
  fall(): Promise<void> {
    this.#falling ??= (async () => {
      for (const end of this.#ends.reverse()) await end().catch(() => {});
    })();
    return this.#falling;
  }
}

/**
 * Plays an example, ends what it started, and exits: with 0 when everything went as it should, with 1 and the reason when it did
 * not. `limitMs`: something hangs that should not; undefined where a person takes part.
 */
export async function perform(play: (curtain: Curtain) => Promise<void>, limitMs?: number): Promise<never> {
  const curtain = new Curtain();
  const { promise: given, reject: giveUp } = Promise.withResolvers<never>();
  const late = () => giveUp(new Error(`The demo took longer than ${(limitMs ?? 0) / 1_000} s.`));
  const limit = limitMs === undefined ? undefined : setTimeout(late, limitMs);
  let exitCode = 0;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    // Asked twice, it still ends in order: that takes seconds, and what it started must not stay behind.
    process.on(signal, () => {
      exitCode ||= code;
      giveUp(new Error('Stopped.'));
    });
  }
  try {
    await Promise.race([play(curtain), given]);
  } catch (error) {
    exitCode ||= 1;
    say();
    process.stderr.write(`${red((error as Error).message)}\n`);
  } finally {
    clearTimeout(limit);
    await curtain.fall();
  }
  process.exit(exitCode);
}
