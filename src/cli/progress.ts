/**
 * Waiting for servers: until all have answered or failed once, or only until what a command needs is there. While a
 * person waits, one line on the terminal says for whom.
 * @module
 */

import { shortenTo } from '../core/text.ts';
import type { Federation } from '../federation/types.ts';
import { plural } from './format/text.ts';
import type { OutputStream } from './io.ts';

/** Shorter waits need no explanation. */
const QUIET_MS = 300;

/** Resolves when every configured server is ready or has failed once. */
export async function untilSettled(federation: Federation, screen: OutputStream, signal: AbortSignal): Promise<void> {
  await untilFound(federation, screen, signal, () => undefined);
}

/**
 * Resolves with what `find` gives as soon as it gives something, or with its last word when every server has been
 * heard: one slow server delays nobody who does not need it. Rejects with the signal's reason.
 */
export async function untilFound<T>(
  federation: Federation,
  screen: OutputStream,
  signal: AbortSignal,
  find: () => T | undefined,
): Promise<T | undefined> {
  if (signal.aborted) throw signal.reason;
  const now = find();
  if (now !== undefined) return now;
  const line = screen.isTTY ? new ProgressLine(federation, screen) : undefined;
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
  const look = (): void => {
    line?.draw();
    const found = find();
    if (found !== undefined) resolve(found);
  };
  const abort = (): void => reject(signal.reason);
  const stops = [federation.onStateChange(look), federation.all.onListChanged(look)];
  signal.addEventListener('abort', abort, { once: true });
  federation.settled().then(() => resolve(find()), reject);
  try {
    return await promise;
  } finally {
    for (const stop of stops) stop();
    signal.removeEventListener('abort', abort);
    line?.clear();
  }
}

/** One line that is written over and over, and wiped away in the end. */
class ProgressLine {
  readonly #federation: Federation;
  readonly #screen: OutputStream;
  readonly #timer: NodeJS.Timeout;
  #visible = false;

  constructor(federation: Federation, screen: OutputStream) {
    this.#federation = federation;
    this.#screen = screen;
    this.#timer = setTimeout(() => {
      this.#visible = true;
      this.draw();
    }, QUIET_MS);
  }

  draw(): void {
    if (!this.#visible) return;
    const text = shortenTo(progressText(this.#federation), (this.#screen.columns || 80) - 1);
    this.#screen.write(`\r\u001b[2K${text}`);
  }

  clear(): void {
    clearTimeout(this.#timer);
    if (this.#visible) this.#screen.write('\r\u001b[2K');
    this.#visible = false;
  }
}

/** `Connecting: 12 of 50 servers are ready; waiting for mastra, langgraph`. */
export function progressText(federation: Federation): string {
  const members = federation.members().filter(({ builtin, config }) => !builtin && !config.disabled);
  const ready = members.filter(({ state }) => state === 'ready').length;
  const waiting = members.filter(({ state }) => state === 'connecting' || state === 'configured');
  const names = waiting.map(({ name }) => name).join(', ');
  return `Connecting: ${ready} of ${plural(members.length, 'server')} ready${names === '' ? '' : `; waiting for ${names}`}`;
}
