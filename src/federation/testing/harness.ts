/**
 * Starts federations of fake servers for the tests of one file, and closes each after its test.
 * @module
 */
import { afterEach, expect, vi } from 'vitest';
import type { ServerConfig } from '../../config/types.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { CatalogKind } from '../../core/upstream.ts';
import type { FederationOptions } from '../federation.ts';
import type { Federation, View } from '../types.ts';
import { type FakeServer, type Fixture, federate, serverConfig } from './fakes.ts';

export interface Harness {
  /** A federation without servers. */
  create(servers: Readonly<Record<string, FakeServer>>, options?: Partial<FederationOptions>): Federation;
  /** One server per name, applied together; resolves when each is ready or has failed. */
  start(
    servers: Readonly<Record<string, FakeServer>>,
    configs?: Readonly<Record<string, Partial<ServerConfig>>>,
    options?: Partial<FederationOptions>,
  ): Promise<Federation>;
  /** What the last federation logged. */
  log(): Fixture['log']['lines'];
}

export function harness(): Harness {
  const open: Fixture[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ federation }) => federation.close()));
  });
  const create: Harness['create'] = (servers, options) => {
    const fixture = federate(servers, options);
    open.push(fixture);
    return fixture.federation;
  };
  return {
    create,
    async start(servers, configs = {}, options = {}) {
      const federation = create(servers, options);
      await federation.apply(Object.keys(servers).map((name) => serverConfig(name, configs[name])));
      await federation.settled();
      return federation;
    },
    log: () => open.at(-1)?.log.lines ?? [],
  };
}

export const until = (condition: () => void): Promise<void> => vi.waitFor(condition, { timeout: 3_000, interval: 5 });

export const untilReady = (federation: Federation, name: string): Promise<void> =>
  until(() => expect(federation.member(name)?.state).toBe('ready'));

export const exposed = (view: View, kind: CatalogKind = 'tools'): string[] =>
  view.routes(kind).map((route) => route.exposed);

export const toolNames = ({ all }: Federation): string[] => exposed(all);

export function thrownBy(act: () => unknown): SwitchboardError {
  try {
    act();
  } catch (error) {
    if (error instanceof SwitchboardError) return error;
  }
  throw new Error('It did not throw an error of the gateway.');
}
