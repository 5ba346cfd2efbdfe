/**
 * A file that one writer appends lines to: opened when needed, moved aside at a size (`audit.jsonl`, then `audit.1.jsonl`,
 * the newest, `audit.2.jsonl`, …), and opened again when another process has deleted or moved it (logrotate).
 *
 * Only whole lines count as written. Where a disk fills up in the middle of one, the next write begins with a line break
 * and repeats that line, so that a reader loses nothing but sees one line that is no JSON. `sonic-boom` counts bytes and
 * not lines: after a failed write and a reopen it goes on in the middle of one, and cannot say how many records are lost.
 * @module
 */
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';

export interface AppendFileOptions {
  file: string;
  maxBytes: number;
  keep: number;
  /** Least milliseconds between two looks at whether the file is still there. */
  recheckMs: number;
}

const LINE_BREAK = 0x0a;

export class AppendFile {
  readonly #options: AppendFileOptions;
  #handle: FileHandle | undefined;
  /** Pipes and devices have no size and are not moved aside. */
  #isFile = true;
  #size = 0;
  #inode = '';
  #checkedAt = 0;
  #torn = false;

  constructor(options: AppendFileOptions) {
    this.#options = options;
  }

  /**
   * Writes whole lines. Resolves with the error that stopped it, if any, and how many bytes of `lines` need not be
   * written again: they end with a line.
   */
  async append(lines: Buffer): Promise<{ done: number; error: unknown }> {
    let written = 0;
    try {
      const handle = await this.#ready(lines.length);
      if (this.#torn) {
        await handle.write('\n');
        this.#size++;
        this.#torn = false;
      }
      while (written < lines.length) {
        const { bytesWritten } = await handle.write(lines, written);
        if (bytesWritten === 0) throw Object.assign(new Error('Nothing was written.'), { code: 'ENOSPC' });
        written += bytesWritten;
        this.#size += bytesWritten;
      }
      return { done: written, error: undefined };
    } catch (error) {
      const done = written === 0 ? 0 : lines.lastIndexOf(LINE_BREAK, written - 1) + 1;
      if (done !== written) this.#torn = true;
      // The next attempt opens it again: repairing it may have made another file of it.
      await this.close();
      return { done, error };
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => {});
  }

  async #ready(bytes: number): Promise<FileHandle> {
    if (this.#handle !== undefined && (await this.#wasMoved())) await this.close();
    let handle = this.#handle ?? (await this.#open());
    if (this.#isFile && this.#size > 0 && this.#size + bytes > this.#options.maxBytes) {
      await this.close();
      await rotate(this.#options.file, this.#options.keep);
      handle = await this.#open();
    }
    return handle;
  }

  async #open(): Promise<FileHandle> {
    const { file } = this.#options;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(file, 'a', 0o600);
    try {
      const found = await handle.stat();
      if (inodeOf(found) !== this.#inode) this.#torn = false;
      this.#isFile = found.isFile();
      this.#size = found.size;
      this.#inode = inodeOf(found);
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#checkedAt = performance.now();
    this.#handle = handle;
    return handle;
  }

  /** Whether the path leads to another file than the open one, or to none. */
  async #wasMoved(): Promise<boolean> {
    const now = performance.now();
    if (now - this.#checkedAt < this.#options.recheckMs) return false;
    this.#checkedAt = now;
    try {
      const found = await stat(this.#options.file);
      // A file that is emptied in place (copytruncate) stays the same file.
      this.#size = found.size;
      return inodeOf(found) !== this.#inode;
    } catch {
      return true;
    }
  }
}

const inodeOf = ({ dev, ino }: { dev: number; ino: number }): string => `${dev}-${ino}`;

function rotatedName(file: string, number: number): string {
  const extension = extname(file);
  return join(dirname(file), `${basename(file, extension)}.${number}${extension}`);
}

/** Moves the file aside, and removes the oldest of `keep` moved files. A file that is missing is no error. */
async function rotate(file: string, keep: number): Promise<void> {
  if (keep === 0) return rm(file, { force: true });
  for (let number = keep - 1; number >= 1; number--) {
    await renameIfThere(rotatedName(file, number), rotatedName(file, number + 1));
  }
  await renameIfThere(file, rotatedName(file, 1));
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
