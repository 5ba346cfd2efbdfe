/**
 * Remembers which era a server speaks and what it does not take, with a date, so that a restart need not find out again.
 *
 * The adapter corrects a wrong memory of a modern server. It cannot notice that a legacy server was upgraded, because
 * dual-era servers go on answering legacy requests; so that memory is short.
 * @module
 */

import type { ServerConfig } from '../../config/types.ts';
import type { ServerHabits, Target } from '../../core/adapter.ts';
import { sha256 } from '../../core/hash.ts';
import type { Log } from '../../core/log.ts';
import { type Era, eraOf } from '../../wire/eras.ts';
import { isObject } from '../../wire/jsonrpc.ts';

/** The part of a state store that is needed here. Values are JSON. */
export interface StateLike {
  get(namespace: string, key: string): unknown;
  set(namespace: string, key: string, value: unknown): unknown;
}

interface KnownEra {
  era: Era;
  protocolVersion: string;
}

const NAMESPACE = 'eras';
const DAY_MS = 24 * 60 * 60 * 1000;
const TRUSTED_MS: Readonly<Record<Era, number>> = { legacy: DAY_MS, modern: 30 * DAY_MS };

export class EraMemory {
  readonly #state: StateLike;
  readonly #log: Log;

  /** Without a store it remembers until the process ends. */
  constructor(state: StateLike | undefined, log: Log) {
    this.#state = state ?? inMemory();
    this.#log = log;
  }

  async recall(config: ServerConfig): Promise<KnownEra | undefined> {
    const value = await this.#read(config, keyOf(config));
    if (!isObject(value) || typeof value.protocolVersion !== 'string' || typeof value.at !== 'string') return undefined;
    const era = eraOf(value.protocolVersion);
    if (!era || era !== value.era) return undefined;
    const age = Date.now() - Date.parse(value.at);
    return age >= 0 && age < TRUSTED_MS[era] ? { era, protocolVersion: value.protocolVersion } : undefined;
  }

  /** Dates the memory when it is new; a repeated one keeps its date, or a legacy server would never be probed again. */
  async remember(config: ServerConfig, { era, protocolVersion }: KnownEra): Promise<void> {
    const known = await this.recall(config);
    if (known?.era === era && known.protocolVersion === protocolVersion) return;
    await this.#write(config, keyOf(config), { era, protocolVersion, at: new Date().toISOString() });
  }

  /** The server does not speak what it is remembered for. */
  async forget(config: ServerConfig): Promise<void> {
    await this.#write(config, keyOf(config), null);
  }

  async recallHabits(config: ServerConfig): Promise<ServerHabits | undefined> {
    const value = await this.#read(config, habitsKeyOf(config));
    if (!isObject(value) || typeof value.at !== 'string') return undefined;
    const age = Date.now() - Date.parse(value.at);
    if (!(age >= 0 && age < DAY_MS)) return undefined;
    const declares = LESS.find((each) => each === value.declares);
    return { ...(declares ? { declares } : {}), ...(value.oneSession === true ? { oneSession: true } : {}) };
  }

  async rememberHabits(config: ServerConfig, habits: ServerHabits): Promise<void> {
    await this.#write(config, habitsKeyOf(config), { ...habits, at: new Date().toISOString() });
  }

  /** Sets of capabilities for which the server lists the same as for all. */
  async recallAlike(config: ServerConfig): Promise<string[]> {
    const value = await this.#read(config, alikeKeyOf(config));
    if (!isObject(value) || typeof value.at !== 'string' || !Array.isArray(value.keys)) return [];
    const age = Date.now() - Date.parse(value.at);
    return age >= 0 && age < DAY_MS ? value.keys.filter((key) => typeof key === 'string') : [];
  }

  async rememberAlike(config: ServerConfig, keys: readonly string[]): Promise<void> {
    await this.#write(config, alikeKeyOf(config), { keys, at: new Date().toISOString() });
  }

  async #write(config: ServerConfig, key: string, value: unknown): Promise<void> {
    try {
      await this.#state.set(NAMESPACE, key, value);
    } catch (error) {
      this.#log.warn({ server: config.name, err: error }, 'The era of a server could not be remembered.');
    }
  }

  async #read(config: ServerConfig, key: string): Promise<unknown> {
    try {
      return await this.#state.get(NAMESPACE, key);
    } catch (error) {
      this.#log.warn({ server: config.name, err: error }, 'The remembered era of a server could not be read.');
      return undefined;
    }
  }
}

const LESS = ['modes', 'features', 'nothing'] as const;

const alikeKeyOf = (config: ServerConfig): string => `${keyOf(config)}:alike`;

const habitsKeyOf = (config: ServerConfig): string => `${keyOf(config)}:habits`;

/** A server by its name and its address. */
export const keyOf = ({ name, target }: ServerConfig): string => `${name}:${digestOf(target)}`;

/** Differs by target, without environment, headers, query or user info: nothing secret goes in, not even hashed. */
function digestOf(target: Target): string {
  const parts =
    target.transport === 'stdio' ? [target.command, target.cwd ?? ''] : [target.transport, where(target.url)];
  return sha256(JSON.stringify(parts), 'hex').slice(0, 16);
}

function where(url: string): string {
  const parsed = URL.parse(url);
  return parsed ? `${parsed.protocol}//${parsed.host}${parsed.pathname}` : '';
}

function inMemory(): StateLike {
  const values = new Map<string, unknown>();
  return {
    get: (namespace, key) => values.get(`${namespace}/${key}`),
    set: (namespace, key, value) => {
      values.set(`${namespace}/${key}`, value);
    },
  };
}
