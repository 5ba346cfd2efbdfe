/**
 * Watches what a load reads: the configuration file and the files it names, such as policy documents and modules of hooks.
 * Every event is only a hint; what counts is whether the contents have changed.
 * @module
 */
import { type FSWatcher, unwatchFile, watch, watchFile } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NamedFiles, readTextFile, stateOf } from './read-file.ts';

export interface WatchTimes {
  /** How long the folders must be quiet before the files are read: a save is several events. */
  debounceMs?: number;
  /** Between looks where no watch can be had. */
  pollMs?: number;
}

/** What the caller has loaded itself. */
export interface WatchedSince {
  /** The files of that load: one that was edited since is a change. Without them, what the first load finds is none. */
  since?: NamedFiles;
}

export interface Watcher {
  /** Loads now and reports, changed or not. */
  reload(): Promise<void>;
  /** Looks now, and loads where a file says something else than it did. */
  look(): Promise<void>;
  /** No callback runs after this. */
  close(): void;
}

/** A save that truncates first is seen empty for a moment; after this many looks the file counts as empty. */
const EMPTY_LOOKS = 5;

/** Longest wait for quiet, in waits. */
const MAX_DEBOUNCES = 10;

/**
 * Calls `load` after each edit of a file it read last, through `files`; then `onChange` with what it made of them, or
 * `onError` with what it rejected with. Loads once before it resolves, to learn the files; of that it reports only what was
 * edited `since` the caller's own load.
 */
export async function watchFiles<T>(
  { debounceMs = 150, pollMs = 1000, since }: WatchTimes & WatchedSince,
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
  const loadAndFollow = async (files = new NamedFiles()): Promise<T> => {
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

  const files = new NamedFiles();
  const isEdited = (): boolean => since !== undefined && !isSame(since.states, files.states);
  try {
    const loaded = await loadAndFollow(files);
    if (isEdited()) onChange(loaded);
  } catch (error) {
    // Other mistakes were reported when the caller loaded it.
    if (isEdited()) onError(error as Error);
  }
  return {
    reload: () => {
      clearTimeout(timer);
      hintedAt = undefined;
      return enqueue(true);
    },
    look: () => enqueue(false),
    close() {
      closed = true;
      clearTimeout(timer);
      watched.close();
    },
  };
}

const isSame = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): boolean =>
  before.size === after.size && after.entries().every(([file, state]) => before.get(file) === state);

/**
 * Watches the files of the last load, whether or not the configuration was sound: their folders, and each file at intervals
 * where that fails. Editors do not write files, they replace them, and a watch on the file itself would follow the old one.
 * For a symbolic link the folder of its target is watched as well.
 */
class WatchedFiles {
  readonly #hint: () => void;
  readonly #pollMs: number;
  readonly #folders = new Map<string, FSWatcher>();
  readonly #polled = new Set<string>();
  /** What each file held when it was read. */
  #states: ReadonlyMap<string, string> = new Map();
  #closed = false;

  constructor(hint: () => void, pollMs: number) {
    this.#hint = hint;
    this.#pollMs = pollMs;
  }

  /** Watches these files and no others. A file that was edited since it was read is a hint. */
  async follow(states: ReadonlyMap<string, string>): Promise<void> {
    if (this.#closed) return;
    this.#states = states;
    for (const file of this.#polled) if (!states.has(file)) this.#endPolling(file);
    if ((await this.look()) !== 'same') this.#hint();
  }

  /** Whether the files hold what they held; `empty` where one that changed holds nothing, as it may during a save. */
  async look(): Promise<'same' | 'changed' | 'empty'> {
    await this.#watchFolders();
    let found: 'same' | 'changed' | 'empty' = 'same';
    for (const [file, state] of this.#states) {
      const result = await readTextFile(file);
      if (result.text === undefined) this.#lost(file);
      if (stateOf(result) === state) continue;
      if (result.text?.trim() === '') found = 'empty';
      else if (found === 'same') found = 'changed';
    }
    return found;
  }

  close(): void {
    this.#closed = true;
    for (const folder of this.#folders.keys()) this.#endWatch(folder);
    for (const file of this.#polled) this.#endPolling(file);
  }

  async #watchFolders(): Promise<void> {
    const places = await Promise.all(
      [...this.#states.keys()].map(async (file) => {
        // A file that is gone at this moment has no real path; its folder is watched.
        const target = await realpath(file).catch(() => file);
        return [...new Set([dirname(file), dirname(target)])].map((folder) => ({ folder, file }));
      }),
    );
    const folders = Map.groupBy(places.flat(), ({ folder }) => folder);
    for (const folder of this.#folders.keys()) if (!folders.has(folder)) this.#endWatch(folder);
    if (this.#closed) return;
    for (const [folder, files] of folders) {
      if (!this.#folders.has(folder))
        this.#watch(
          folder,
          files.map(({ file }) => file),
        );
    }
  }

  #watch(folder: string, files: readonly string[]): void {
    const failed = (): void => {
      this.#endWatch(folder);
      for (const file of files) this.#poll(file);
    };
    try {
      const watcher = watch(folder, { persistent: false }, this.#hint);
      this.#folders.set(folder, watcher);
      watcher.on('error', () => {
        failed();
        this.#hint();
      });
    } catch {
      // The system has no watches left, or the folder is gone.
      failed();
    }
  }

  /** A file is gone, and perhaps its folder: a watch on a folder that is made again under its name gets no events. */
  #lost(file: string): void {
    this.#endWatch(dirname(file));
    this.#poll(file);
  }

  #endWatch(folder: string): void {
    this.#folders.get(folder)?.close();
    this.#folders.delete(folder);
  }

  #poll(file: string): void {
    if (this.#polled.has(file) || this.#closed) return;
    this.#polled.add(file);
    watchFile(file, { interval: this.#pollMs, persistent: false }, this.#hint);
    // A file that is there again before the first look of that is no event to it.
    this.#hint();
  }

  #endPolling(file: string): void {
    unwatchFile(file, this.#hint);
    this.#polled.delete(file);
  }
}
