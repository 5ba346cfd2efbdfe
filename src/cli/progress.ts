/**
 * Waits for the servers of a command: until every one has been tried (a command that exited, twice), or only until what the
 * command needs is there. On a terminal one line shows which servers are awaited; elsewhere a line now and then does.
 * @module
 */
import { nearest } from '../config/nearest.ts';
import { plural, shortenTo } from '../core/text.ts';
import type { Federation, Member } from '../federation/types.ts';
import { UsageError } from './exit.ts';
import type { OutputStream } from './io.ts';
import type { CommandContext } from './session.ts';

/** Shorter waits need no explanation. */
const QUIET_MS = 300;
/** Elsewhere than on a terminal, how often a line says what is awaited. */
const NOTE_MS = 10_000;

/** Resolves when every configured server, or this one, is ready or has failed once. */
export async function untilTried(context: CommandContext, server?: string): Promise<void> {
  const member = server === undefined ? undefined : requireServer(context, server);
  await untilFound(context, () => (member?.state === 'ready' ? member : undefined));
}

/**
 * Resolves with what `find` returns as soon as it returns something, and with its last result when every server has been
 * tried: a slow server delays only the commands that need it. Rejects with the signal's reason.
 */
export async function untilFound<T>(
  { gateway: { federation }, io: { stderr }, signal }: CommandContext,
  find: () => T | undefined,
): Promise<T | undefined> {
  if (signal.aborted) throw signal.reason;
  const now = find();
  if (now !== undefined) return now;
  const line = stderr.isTTY ? new ProgressLine(federation, stderr) : new ProgressNotes(federation, stderr);
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
  const look = (): void => {
    line.draw();
    const found = find();
    if (found !== undefined) resolve(found);
  };
  const abort = (): void => reject(signal.reason);
  const stops = [federation.onStateChange(look), federation.all.onListChanged(look)];
  signal.addEventListener('abort', abort, { once: true });
  federation.settled({ triedAgain: true }).then(() => resolve(find()), reject);
  try {
    return await promise;
  } finally {
    for (const stop of stops) stop();
    signal.removeEventListener('abort', abort);
    line.clear();
  }
}

/** The member of this name. Throws {@link UsageError} with the nearest name, or because the server is disabled. */
export function requireServer({ gateway, config }: CommandContext, name: string): Member {
  if (config.servers.find((server) => server.name === name)?.disabled) {
    throw new UsageError(`The server "${name}" is disabled in the configuration.`);
  }
  const members = gateway.federation.members().filter(({ builtin }) => !builtin);
  const member = members.find((each) => each.name === name);
  if (member !== undefined) return member;
  const names = members.map((each) => each.name);
  const near = nearest(name, names);
  const hint = near === undefined ? `The servers are: ${names.join(', ') || 'none'}.` : `Did you mean "${near}"?`;
  throw new UsageError(`There is no server "${name}". ${hint}`);
}

/** One line that is written over and over, and erased in the end. */
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

/** The same for a log: a line at intervals. */
class ProgressNotes {
  readonly #timer: NodeJS.Timeout;

  constructor(federation: Federation, screen: OutputStream) {
    this.#timer = setInterval(() => screen.write(`${progressText(federation)}\n`), NOTE_MS);
  }

  draw(): void {}

  clear(): void {
    clearInterval(this.#timer);
  }
}

/** `Connecting: 12 of 50 servers ready; waiting for mastra, langgraph`. */
function progressText(federation: Federation): string {
  const members = federation.members().filter(({ builtin, config }) => !builtin && !config.disabled);
  const ready = members.filter(({ state }) => state === 'ready').length;
  const waiting = members.filter(({ state }) => state === 'connecting' || state === 'configured');
  const names = waiting.map(({ name }) => name).join(', ');
  return `Connecting: ${ready} of ${plural(members.length, 'server')} ready${names === '' ? '' : `; waiting for ${names}`}`;
}
