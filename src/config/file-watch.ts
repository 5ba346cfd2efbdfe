/**
 * Hints that something may have happened to a file: watches on its folders, or looks at it where watches fail.
 *
 * Editors do not write files, they replace them: a watch on the file itself follows the old one into oblivion. So the
 * folder is watched and, for a symbolic link, the folder of its target.
 * @module
 */
import { type FSWatcher, unwatchFile, watch, watchFile } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';

export class FileWatch {
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
