/**
 * Pinning: compares the definitions a server offers now with those accepted by `switchboard lock`.
 *
 * `deny`: a definition that changed or is new does not exist until it is accepted, changed instructions are withheld, and
 * a server the file does not name offers nothing, servers connected at run time included: this mode is against definitions
 * that no person has reviewed. `warn`: everything exists and differences are reported, each once. Builtin tools are never
 * locked.
 * @module
 */
import { basename } from 'node:path';
import { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { CatalogKind, Entry } from '../../core/upstream.ts';
import type { LockConfig } from '../language/types.ts';
import { differenceLines, type LockChange, nameOf } from './differences.ts';
import { type LockDocument, readLockFile } from './lock-file.ts';
import {
  entryHash,
  instructionsHash,
  isLockedKind,
  type LockedKind,
  type Pin,
  pinEntry,
  pinInstructions,
} from './pins.ts';

export type LockState = 'same' | 'changed' | 'new' | 'unlocked-server';

/** A member of the federation. */
export interface LockedServer {
  readonly name: string;
  readonly builtin: boolean;
}

/**
 * Rejects with `SWB_CONFIG` when the file is damaged, or is missing in mode `deny`. Missing in mode `warn` it is reported
 * and nothing is compared.
 */
export async function openLock(config: LockConfig, log: Log): Promise<Lock> {
  return new Lock(config, await documentOf(config, log), log);
}

async function documentOf({ mode, file }: LockConfig, log: Log): Promise<LockDocument | undefined> {
  if (mode === 'off') return undefined;
  const document = await readLockFile(file);
  if (document !== undefined) return document;
  if (mode === 'deny') {
    throw new SwitchboardError(
      'SWB_CONFIG',
      `gateway.lock is "deny" and there is no ${basename(file)}. Run \`switchboard lock\` to accept what the servers offer now.`,
    );
  }
  log.warn(
    { file },
    'gateway.lock is "warn" and there is no lock file: nothing is compared. `switchboard lock` writes it.',
  );
  return undefined;
}

interface Checked {
  generation: number;
  server: string;
  kind: CatalogKind;
  state: LockState;
}

export class Lock {
  readonly #log: Log;
  #config: LockConfig;
  #document: LockDocument | undefined;
  #reports: LockReports;
  /** Entries keep their identity until their bytes change. */
  readonly #checked = new WeakMap<Entry, Checked>();
  readonly #instructions = new Map<string, { text: string; admitted: boolean }>();
  #generation = 0;

  constructor(config: LockConfig, document: LockDocument | undefined, log: Log) {
    this.#config = config;
    this.#document = document;
    this.#log = log;
    this.#reports = new LockReports(config, log);
  }

  get mode(): LockConfig['mode'] {
    return this.#config.mode;
  }

  /** Resources, which are not pinned, are the `same` in a server the file names. `off`: always the `same`. */
  check(server: LockedServer, kind: CatalogKind, entry: Entry): LockState {
    if (this.#document === undefined || server.builtin) return 'same';
    // A tool that stands for an agent is what the agent is.
    if (entry.agent) return this.check(server, 'agents', entry.agent);
    const known = this.#checked.get(entry);
    if (known?.generation === this.#generation && known.server === server.name && known.kind === kind) {
      return known.state;
    }
    const state = this.#compare(this.#document, server.name, kind, entry);
    this.#checked.set(entry, { generation: this.#generation, server: server.name, kind, state });
    return state;
  }

  /** Whether the entry exists. Reports an entry that is not the same, once. */
  admits(server: LockedServer, kind: CatalogKind, entry: Entry): boolean {
    return this.check(server, kind, entry) === 'same' || this.mode === 'warn';
  }

  admitsInstructions(server: LockedServer, text: string): boolean {
    const document = this.#document;
    if (document === undefined || server.builtin) return true;
    const known = this.#instructions.get(server.name);
    if (known?.text === text) return known.admitted;
    const pins = document.get(server.name);
    const isSame = pins !== undefined && pins.instructions?.hash === instructionsHash(text);
    if (pins === undefined) this.#reports.unlocked(server.name);
    else if (!isSame) this.#reports.differs(server.name, 'instructions', '', pins.instructions, pinInstructions(text));
    const admitted = isSame || this.mode === 'warn';
    if (this.#instructions.size >= MAX_INSTRUCTIONS) this.#instructions.clear();
    this.#instructions.set(server.name, { text, admitted });
    return admitted;
  }

  /** Whether anything of this server can exist. False only in mode `deny`. */
  reaches(server: LockedServer): boolean {
    if (this.#document === undefined || server.builtin || this.#document.has(server.name)) return true;
    this.#reports.unlocked(server.name);
    return this.mode === 'warn';
  }

  /**
   * Reads the file again, for another configuration. Everything that can fail is done when it resolves; the function it
   * resolves with exchanges old and new. Rejects with `SWB_CONFIG` as {@link openLock} does.
   */
  async prepareReload(config: LockConfig): Promise<() => void> {
    const document = await documentOf(config, this.#log);
    return () => {
      this.#config = config;
      this.#document = document;
      this.#reports = new LockReports(config, this.#log);
      this.#instructions.clear();
      this.#generation++;
    };
  }

  #compare(document: LockDocument, server: string, kind: CatalogKind, entry: Entry): LockState {
    const pins = document.get(server);
    if (pins === undefined) {
      this.#reports.unlocked(server);
      return 'unlocked-server';
    }
    if (!isLockedKind(kind)) return 'same';
    const pin = pins.items[kind].get(entry.key);
    if (pin?.hash === entryHash(kind, entry)) return 'same';
    this.#reports.differs(server, kind satisfies LockedKind, entry.key, pin, pinEntry(kind, entry));
    return pin === undefined ? 'new' : 'changed';
  }
}

/** Servers whose last instructions are remembered. */
const MAX_INSTRUCTIONS = 10_000;

/** Differences of one server that are reported in full. */
const MAX_REPORTS = 50;
const MAX_SERVERS = 10_000;

class LockReports {
  readonly #log: Log;
  readonly #file: string;
  readonly #denies: boolean;
  /** By server: kind, hash and key. */
  readonly #reported = new Map<string, Set<string>>();

  constructor({ mode, file }: LockConfig, log: Log) {
    this.#log = log;
    this.#file = basename(file);
    this.#denies = mode === 'deny';
  }

  unlocked(server: string): void {
    if (!this.#isNew(server, 'server')) return;
    const consequence = this.#denies ? 'Nothing of it is shown or can be called' : 'Nothing of it is compared';
    this.#log.warn(
      { server },
      `Server ${JSON.stringify(server)} is not in ${this.#file}. ${consequence} until \`switchboard lock\` has accepted it.`,
    );
  }

  /** `before` undefined: it is new. */
  differs(server: string, kind: LockChange['kind'], key: string, before: Pin | undefined, after: Pin): void {
    if (!this.#isNew(server, `${kind} ${after.hash} ${key}`)) return;
    if (this.#reported.get(server)?.size === MAX_REPORTS) {
      this.#log.warn(
        { server },
        'More differences to the lock file are not reported: `switchboard lock --check` shows all.',
      );
      return;
    }
    const what = `${nameOf(kind, key)} of server ${JSON.stringify(server)}`;
    const how = before === undefined ? `is not in ${this.#file}` : `is not as ${this.#file} has it`;
    const consequence = this.#denies
      ? ' It is hidden until `switchboard lock` has accepted it.'
      : ' `switchboard lock` accepts it.';
    const diff = before === undefined ? [] : differenceLines(before, after);
    this.#log.warn(
      { server, kind, key, change: before === undefined ? 'new' : 'changed' },
      [`${what} ${how}.${consequence}`, ...diff.map((line) => `  ${line}`)].join('\n'),
    );
  }

  #isNew(server: string, what: string): boolean {
    let reported = this.#reported.get(server);
    if (reported === undefined) {
      if (this.#reported.size >= MAX_SERVERS) this.#reported.clear();
      reported = new Set();
      this.#reported.set(server, reported);
    }
    if (reported.size >= MAX_REPORTS || reported.has(what)) return false;
    reported.add(what);
    return true;
  }
}
