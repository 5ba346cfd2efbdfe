/**
 * Watches the configuration file. Editors do not write files, they replace them: a watch on the file itself follows the
 * old one into oblivion. So the folder is watched (and, for a symbolic link, the folder of its target), every event is
 * only a hint, and what counts is whether the text changed. Where no watch can be had, the file is looked at every
 * second.
 * @module
 */
import { type FSWatcher, unwatchFile, watch, watchFile } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Environment } from './expand.ts';
import type { Overrides } from './gateway-section.ts';
import { type LoadedConfig, readConfig, readText } from './load.ts';
import { shownPath } from './mistakes.ts';

export interface WatchOptions {
  /** Absolute. */
  file: string;
  env: Environment;
  overrides?: Overrides;
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

/**
 * Calls `onChange` with each new whole configuration, `onError` with each `SWB_CONFIG` a broken edit gives (once per
 * edit; what runs stays). Call it after the first load: text that is the same as now is no change.
 */
export async function watchConfig(
  options: WatchOptions,
  onChange: (config: LoadedConfig) => void,
  onError: (error: Error) => void,
): Promise<Watcher> {
  const { file, debounceMs = 150, cwd = process.cwd() } = options;
  const label = shownPath(file, cwd);
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let emptyLooks = 0;
  /** What was read last: the text, or the message of the error that reading gave. */
  let last: string;
  /** Reads run one after the other, so that an older text never overtakes a newer one. */
  let reading: Promise<void> = Promise.resolve();

  const read = async (always: boolean): Promise<void> => {
    if (closed) return;
    let text: string;
    try {
      text = await readText(file, label);
    } catch (error) {
      const { message } = error as Error;
      folders.lost();
      if (!closed && (always || message !== last)) onError(error as Error);
      last = message;
      return;
    }
    await folders.follow();
    if (text.trim() === '' && !always && emptyLooks++ < EMPTY_LOOKS) {
      hint();
      return;
    }
    emptyLooks = 0;
    if (!always && text === last) return;
    last = text;
    try {
      const config = await readConfig(text, file, options);
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
    clearTimeout(timer);
    if (!closed) timer = setTimeout(() => void enqueue(false), debounceMs);
  };
  const folders = new FolderWatch(file, hint, options.pollMs ?? 1000);

  last = await readText(file, label).catch((error: Error) => error.message);
  await folders.follow();
  return {
    reload: () => {
      clearTimeout(timer);
      return enqueue(true);
    },
    close() {
      closed = true;
      clearTimeout(timer);
      folders.close();
    },
  };
}

/** Hints that something may have happened to a file: watches on its folders, or looks at it where watches fail. */
class FolderWatch {
  readonly #file: string;
  readonly #hint: () => void;
  readonly #pollMs: number;
  readonly #watchers = new Map<string, FSWatcher>();
  #polling = false;
  #closed = false;

  constructor(file: string, hint: () => void, pollMs: number) {
    this.#file = file;
    this.#hint = hint;
    this.#pollMs = pollMs;
  }

  /** Watches the folders the file is in now: a symbolic link may have been turned. */
  async follow(): Promise<void> {
    const folders = await foldersOf(this.#file);
    if (this.#closed) return;
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#watch(folder);
  }

  /** The file is gone, and perhaps its folder; a watch on a folder that is made anew under its name hears nothing. */
  lost(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#poll();
  }

  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    if (this.#polling) unwatchFile(this.#file, this.#hint);
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, this.#hint);
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(folder);
        this.#poll();
        this.#hint();
      });
      this.#watchers.set(folder, watcher);
    } catch {
      // No watches left on this system, or the folder is gone.
      this.#poll();
    }
  }

  #poll(): void {
    if (this.#polling || this.#closed) return;
    this.#polling = true;
    watchFile(this.#file, { interval: this.#pollMs, persistent: false }, this.#hint);
  }
}

async function foldersOf(file: string): Promise<Set<string>> {
  const folders = new Set([dirname(file)]);
  try {
    folders.add(dirname(await realpath(file)));
  } catch {
    // Gone at this moment; its folder is watched.
  }
  return folders;
}
