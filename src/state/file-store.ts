/**
 * State in a folder: one JSON file per namespace, replaced whole and atomically (written beside it, flushed, renamed),
 * readable by its owner only, because it may hold headers with credentials.
 *
 * Every change reads the file again under a lock, so several gateways may share a folder. A file that does not parse
 * is set aside and the namespace starts empty: a gateway that cannot start because of its cache helps nobody.
 * @module
 */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SwitchboardError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { isObject } from '../wire/jsonrpc.ts';
import { withFileLock } from './file-lock.ts';
import {
  checkNamespace,
  encodeValue,
  type JsonValue,
  namespaceFull,
  STATE_LIMITS,
  type StateLimits,
  type StateStore,
} from './store.ts';

type Values = Map<string, JsonValue>;

interface Cached {
  /** Identifies the version of the file the values came from. */
  stamp: string;
  values: Values;
}

const ABSENT = 'absent';
const FORMAT = 1;

export class FileStore implements StateStore {
  readonly #folder: string;
  readonly #log: Log;
  readonly #limits: StateLimits;
  readonly #cache = new Map<string, Cached>();
  /** Per namespace, the change under way: changes of one process run one after the other. */
  readonly #tails = new Map<string, Promise<unknown>>();

  private constructor(folder: string, log: Log, limits: StateLimits) {
    this.#folder = folder;
    this.#log = log;
    this.#limits = limits;
  }

  /** Makes the folder if it is not there. Rejects with `SWB_STATE` when it cannot be used. */
  static async open(folder: string, log: Log, limits: StateLimits = STATE_LIMITS): Promise<FileStore> {
    try {
      // A folder that was there already may be shared for reasons of its own; the files in it never are.
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // Whether it can be written is known only by writing.
      const probe = join(folder, `.probe-${process.pid}`);
      await (await open(probe, 'w', 0o600)).close();
      await rm(probe, { force: true });
    } catch (error) {
      throw new SwitchboardError('SWB_STATE', `The state folder cannot be used (${codeOf(error)}).`, { cause: error });
    }
    return new FileStore(folder, log, limits);
  }

  async get(namespace: string, key: string): Promise<JsonValue | undefined> {
    const value = (await this.#read(namespace)).get(key);
    return value === undefined ? undefined : structuredClone(value);
  }

  async entries(namespace: string): Promise<[string, JsonValue][]> {
    return structuredClone([...(await this.#read(namespace))]);
  }

  async set(namespace: string, key: string, value: JsonValue): Promise<void> {
    const own = JSON.parse(encodeValue(key, value, this.#limits)) as JsonValue;
    await this.#change(namespace, (values) => values.set(key, own));
  }

  async delete(namespace: string, key: string): Promise<boolean> {
    let was = false;
    await this.#change(namespace, (values) => {
      was = values.delete(key);
      return was;
    });
    return was;
  }

  #file(namespace: string): string {
    checkNamespace(namespace);
    return join(this.#folder, `${namespace}.json`);
  }

  /** `edit` returns false when there is nothing to write. */
  #change(namespace: string, edit: (values: Values) => unknown): Promise<void> {
    const file = this.#file(namespace);
    const before = this.#tails.get(namespace) ?? Promise.resolve();
    const change = before.then(() =>
      withFileLock(file, async () => {
        const values = new Map(await this.#read(namespace));
        if (edit(values) === false) return;
        const text = JSON.stringify({ format: FORMAT, entries: [...values] });
        if (Buffer.byteLength(text) > this.#limits.maxNamespaceBytes) throw namespaceFull(this.#limits);
        await replaceFile(file, text);
        this.#cache.set(namespace, { stamp: await stampOf(file), values });
      }).catch((error: unknown) => {
        if (error instanceof SwitchboardError) throw error;
        throw new SwitchboardError('SWB_STATE', `The state could not be written (${codeOf(error)}).`, { cause: error });
      }),
    );
    this.#tails.set(
      namespace,
      change.catch(() => {}),
    );
    return change;
  }

  async #read(namespace: string): Promise<Values> {
    const file = this.#file(namespace);
    const stamp = await stampOf(file);
    const cached = this.#cache.get(namespace);
    if (cached?.stamp === stamp) return cached.values;
    const values = stamp === ABSENT ? new Map<string, JsonValue>() : await this.#parse(file);
    this.#cache.set(namespace, { stamp, values });
    return values;
  }

  async #parse(file: string): Promise<Values> {
    const text = await this.#text(file);
    if (text === undefined) return new Map();
    const values = parseEntries(text);
    if (values !== undefined) return values;
    const aside = `${file}.corrupt-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
    await rename(file, aside);
    this.#log.warn({ file, aside }, 'A state file could not be read; it was set aside and starts empty.');
    return new Map();
  }

  /** Undefined when there is no file. What is too large was not written here, and counts as corrupt. */
  async #text(file: string): Promise<string | undefined> {
    try {
      const { size } = await stat(file);
      return size > 2 * this.#limits.maxNamespaceBytes ? '' : await readFile(file, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw new SwitchboardError('SWB_STATE', `The state could not be read (${codeOf(error)}).`, { cause: error });
    }
  }
}

/** Pairs, not an object: objects put keys that look like numbers first. Undefined when the text is no state. */
function parseEntries(text: string): Values | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isObject(parsed) || parsed.format !== FORMAT || !Array.isArray(parsed.entries)) return undefined;
    const isPair = (entry: unknown): entry is [string, JsonValue] =>
      Array.isArray(entry) && entry.length === 2 && typeof entry[0] === 'string';
    return parsed.entries.every(isPair) ? new Map(parsed.entries) : undefined;
  } catch {
    return undefined;
  }
}

/** Either the old text or the new one is on disk, whatever happens in between. */
async function replaceFile(file: string, text: string): Promise<void> {
  const next = `${file}.${process.pid}.next`;
  try {
    const handle = await open(next, 'w', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, file);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}

async function stampOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(file, { bigint: true });
    return `${ino}-${size}-${mtimeNs}`;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ABSENT;
    throw new SwitchboardError('SWB_STATE', `The state could not be read (${codeOf(error)}).`, { cause: error });
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code;
