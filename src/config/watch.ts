/**
 * Watches what a load reads: the configuration file and the files it names, such as policy documents and modules of hooks.
 * Every event is only a hint; what counts is whether the contents have changed.
 * @module
 */
import { FileWatch } from './file-watch.ts';
import { NamedFiles, readTextFile, stateOf } from './read-file.ts';

export interface WatchTimes {
  /** How long the folders must be quiet before the files are read: a save is several events. */
  debounceMs?: number;
  /** Between looks where no watch can be had. */
  pollMs?: number;
}

export interface Watcher {
  /** Loads now and reports, changed or not. */
  reload(): Promise<void>;
  /** No callback runs after this. */
  close(): void;
}

/** A save that truncates first is seen empty for a moment; after this many looks the file counts as empty. */
const EMPTY_LOOKS = 5;

/** Longest wait for quiet, in waits. */
const MAX_DEBOUNCES = 10;

/**
 * Calls `load` after each edit of a file it read last, through `files`; then `onChange` with what it made of them, or
 * `onError` with what it rejected with. Loads once before it resolves, to learn the files, and reports nothing of that.
 */
export async function watchFiles<T>(
  { debounceMs = 150, pollMs = 1000 }: WatchTimes,
  load: (files: NamedFiles) => Promise<T>,
  onChange: (loaded: T) => void,
  onError: (error: Error) => void,
): Promise<Watcher> {
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  /** When the first hint came that was not followed by a read yet. */
  let hintedAt: number | undefined;
  let emptyLooks = 0;
  /** Reads run one after the other, so that an older text never overtakes a newer one. */
  let reading: Promise<void> = Promise.resolve();

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
  const watched = new WatchedFiles(hint, pollMs);
  const loadAndFollow = async (): Promise<T> => {
    const files = new NamedFiles();
    try {
      return await load(files);
    } finally {
      await watched.follow(files.states);
    }
  };
  const read = async (always: boolean): Promise<void> => {
    if (closed) return;
    const found = await watched.look();
    if (found === 'empty' && !always && emptyLooks++ < EMPTY_LOOKS) {
      hint();
      return;
    }
    emptyLooks = 0;
    if (found === 'same' && !always) return;
    try {
      const loaded = await loadAndFollow();
      if (!closed) onChange(loaded);
    } catch (error) {
      if (!closed) onError(error as Error);
    }
  };
  const enqueue = (always: boolean): Promise<void> => {
    reading = reading.then(() => read(always));
    return reading;
  };

  // Mistakes were reported when the caller loaded it.
  await loadAndFollow().catch(() => undefined);
  return {
    reload: () => {
      clearTimeout(timer);
      hintedAt = undefined;
      return enqueue(true);
    },
    close() {
      closed = true;
      clearTimeout(timer);
      watched.close();
    },
  };
}

/** The files that were read last, whether or not the configuration was sound. */
class WatchedFiles {
  readonly #hint: () => void;
  readonly #pollMs: number;
  readonly #watches = new Map<string, FileWatch>();
  #states: ReadonlyMap<string, string> = new Map();
  #closed = false;

  constructor(hint: () => void, pollMs: number) {
    this.#hint = hint;
    this.#pollMs = pollMs;
  }

  /** Watches these files and no others. `states` is what they held when they were read. */
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
