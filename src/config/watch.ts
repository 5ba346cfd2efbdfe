/**
 * Watches the configuration file and the files it names: policy documents and modules of hooks. Every event is only a
 * hint; what counts is whether what the files hold has changed.
 * @module
 */
import { FileWatch } from './file-watch.ts';
import { readText } from './load.ts';
import { shownPath } from './mistakes.ts';
import { NamedFiles, stateOf } from './named-files.ts';
import { readTextFile } from './read-file.ts';

export interface WatchOptions {
  /** Absolute. */
  file: string;
  cwd?: string;
  /** How long the folder must be quiet before the file is read: a save is several events. */
  debounceMs?: number;
  /** Between looks where no watch can be had. */
  pollMs?: number;
}

export interface Watcher {
  /** Reads the file now and reports, changed or not. */
  reload(): Promise<void>;
  /** No callback runs after this. */
  close(): void;
}

/** A save that truncates first is seen empty for a moment; after this many looks the file counts as empty. */
const EMPTY_LOOKS = 5;

/** Longest wait for quiet, in waits. */
const MAX_DEBOUNCES = 10;

/**
 * Calls `onChange` with what `load` makes of each new text, `onError` with what it rejects with (once per edit). `load`
 * reads further files through `files`; those are watched as well. Files that are the same as now are no change.
 */
export async function watchFile<T>(
  options: WatchOptions,
  loadText: (text: string, files: NamedFiles) => Promise<T>,
  onChange: (config: T) => void,
  onError: (error: Error) => void,
): Promise<Watcher> {
  const { file, debounceMs = 150, cwd = process.cwd() } = options;
  const label = shownPath(file, cwd);
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  /** When the first hint came that was not followed by a read yet. */
  let hintedAt: number | undefined;
  let emptyLooks = 0;
  /** What was read last: the text, or the message of the error that reading gave. */
  let last: string;
  /** Reads run one after the other, so that an older text never overtakes a newer one. */
  let reading: Promise<void> = Promise.resolve();

  const load = async (text: string): Promise<T> => {
    const files = new NamedFiles();
    try {
      return await loadText(text, files);
    } finally {
      await named.follow(files.states);
    }
  };
  const read = async (always: boolean): Promise<void> => {
    if (closed) return;
    let text: string;
    try {
      text = await readText(file, label);
    } catch (error) {
      const { message } = error as Error;
      own.lost();
      if (!closed && (always || message !== last)) onError(error as Error);
      last = message;
      return;
    }
    await own.follow();
    const others = await named.look();
    const isEmpty = text.trim() === '' || others === 'empty';
    if (isEmpty && !always && emptyLooks++ < EMPTY_LOOKS) {
      hint();
      return;
    }
    emptyLooks = 0;
    if (!always && text === last && others === 'same') return;
    last = text;
    try {
      const config = await load(text);
      if (!closed) onChange(config);
    } catch (error) {
      if (!closed) onError(error as Error);
    }
  };
  const enqueue = (always: boolean): Promise<void> => {
    reading = reading.then(() => read(always));
    return reading;
  };
  const hint = (): void => {
    if (closed) return;
    hintedAt ??= Date.now();
    // A file beside it that is written all the time (audit records, a log) must not put reading off for ever.
    if (Date.now() - hintedAt > MAX_DEBOUNCES * debounceMs) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      hintedAt = undefined;
      void enqueue(false);
    }, debounceMs);
  };
  const pollMs = options.pollMs ?? 1000;
  const own = new FileWatch(file, hint, pollMs);
  const named = new NamedWatch(hint, pollMs);

  last = await readText(file, label).catch((error: Error) => error.message);
  await own.follow();
  // Only to learn which files it names; what is wrong with it was told when it was loaded.
  await load(last).catch(() => undefined);
  return {
    reload: () => {
      clearTimeout(timer);
      hintedAt = undefined;
      return enqueue(true);
    },
    close() {
      closed = true;
      clearTimeout(timer);
      own.close();
      named.close();
    },
  };
}

/** Watches the files that the configuration named when it was read last, whether or not it was sound. */
class NamedWatch {
  readonly #hint: () => void;
  readonly #pollMs: number;
  readonly #watches = new Map<string, FileWatch>();
  #states: ReadonlyMap<string, string> = new Map();
  #closed = false;

  constructor(hint: () => void, pollMs: number) {
    this.#hint = hint;
    this.#pollMs = pollMs;
  }

  /** `states` is what the files held when they were read. */
  async follow(states: ReadonlyMap<string, string>): Promise<void> {
    if (this.#closed) return;
    this.#states = states;
    for (const [file, watch] of this.#watches) {
      if (states.has(file)) continue;
      watch.close();
      this.#watches.delete(file);
    }
    for (const file of states.keys()) {
      if (this.#closed) return;
      if (this.#watches.has(file)) continue;
      const watch = new FileWatch(file, this.#hint, this.#pollMs);
      this.#watches.set(file, watch);
      await watch.follow();
      const result = await readTextFile(file);
      // Its folder may not be there yet.
      if (result.text === undefined) watch.lost();
      // Edited after it was read and before it was watched.
      if (stateOf(result) !== states.get(file)) this.#hint();
    }
  }

  /** Whether the files hold what they held; `empty` where one that changed holds nothing, as it may during a save. */
  async look(): Promise<'same' | 'changed' | 'empty'> {
    let found: 'same' | 'changed' | 'empty' = 'same';
    for (const [file, watch] of [...this.#watches]) {
      const result = await readTextFile(file);
      if (result.text === undefined) watch.lost();
      else await watch.follow();
      if (stateOf(result) === this.#states.get(file)) continue;
      if (result.text?.trim() === '') return 'empty';
      found = 'changed';
    }
    return found;
  }

  close(): void {
    this.#closed = true;
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
  }
}
