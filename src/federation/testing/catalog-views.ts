/**
 * Views over members in memory that never connect, and filters whose answers a test sets.
 * @module
 */

import { recordingLog } from '../../../adapters/testing/context.ts';
import type { ServerConfig } from '../../config/types.ts';
import type { Catalog, CatalogKind, Entry } from '../../core/upstream.ts';
import type { ViewMember } from '../members/facts.ts';
import { DEFAULT_TIMING } from '../members/timing.ts';
import type { Member, Route, ViewFilter } from '../types.ts';
import type { ViewOptions } from '../views/view.ts';
import { FakeServer, serverConfig } from './fakes.ts';

export const viewOptions = (pageSize = 1_000): ViewOptions => ({
  pageSize,
  timing: DEFAULT_TIMING,
  log: recordingLog(),
});

/** A member that is connected, with catalogs a test replaces. */
export class CatalogMember implements ViewMember {
  readonly adapter = undefined;
  readonly name: string;
  readonly config: ServerConfig;
  readonly builtin = false;
  settling = false;
  state: Member['state'] = 'ready';
  upstream: Member['upstream'] = new FakeServer().upstream();
  facts: ViewMember['facts'];
  readonly catalogs: Partial<Record<CatalogKind, Catalog>> = {};
  touches = 0;

  constructor(name: string, config: Partial<ServerConfig> = {}, facts: Partial<NonNullable<ViewMember['facts']>> = {}) {
    this.name = name;
    this.config = serverConfig(name, config);
    this.facts = {
      kind: 'mcp',
      transport: 'in-process',
      era: 'legacy',
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: `${name} itself`, version: '1' },
      instructions: `How to use ${name}.`,
      ...facts,
    };
  }

  offer(kind: CatalogKind, entries: Entry[], rest: Omit<Catalog, 'entries'> = {}): void {
    this.catalogs[kind] = { ...rest, entries };
  }

  catalog(kind: CatalogKind): Catalog {
    return this.catalogs[kind] ?? { entries: [] };
  }

  touch(): number {
    this.touches++;
    return Number.POSITIVE_INFINITY;
  }

  status(): never {
    throw new Error('not faked');
  }

  require(): never {
    throw new Error('not faked');
  }

  listenResources(): () => void {
    return () => {};
  }
}

/** Keeps from its principal what is named here as `server/key`, and servers by name. */
export class SetFilter implements ViewFilter {
  unreached = new Set<string>();
  hidden = new Set<string>();
  unlisted = new Set<string>();
  /** How often it was asked about an entry. */
  asked = 0;
  preparing: ((kind: CatalogKind, routes: readonly Route[]) => Promise<void> | undefined) | undefined;
  readonly listeners = new Set<() => void>();

  constructor(hidden: { unreached?: string[]; hidden?: string[]; unlisted?: string[] } = {}) {
    this.unreached = new Set(hidden.unreached);
    this.hidden = new Set(hidden.hidden);
    this.unlisted = new Set(hidden.unlisted);
  }

  reaches({ name }: Member): boolean {
    return !this.unreached.has(name);
  }

  knows(_kind: CatalogKind, member: Member, entry: Entry): boolean {
    this.asked++;
    return this.reaches(member) && !this.hidden.has(`${member.name}/${entry.key}`);
  }

  lists(_kind: CatalogKind, { name }: Member, entry: Entry): boolean {
    return !this.unlisted.has(`${name}/${entry.key}`);
  }

  knowsUri(member: Member, original: string): boolean {
    return this.reaches(member) && !this.hidden.has(`${member.name}/${original}`);
  }

  prepare(kind: CatalogKind, routes: readonly Route[]): Promise<void> | undefined {
    return this.preparing?.(kind, routes);
  }

  onChanged(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

/** Time for everything that was going to be announced. */
export async function ticks(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}
