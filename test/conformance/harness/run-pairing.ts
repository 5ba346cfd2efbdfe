/**
 * One pairing: its upstream and its gateway are started, the suite is run through them, everything is stopped.
 * @module
 */
import { join } from 'node:path';
import { freePort } from '../../../src/core/testing/free-port.ts';
import { startNamesProxy } from '../names/proxy.ts';
import { MERGED_UPSTREAMS, type Pairing, type Revision, UPSTREAMS, type UpstreamName } from '../pairings.ts';
import type { Results } from './checks.ts';
import { type Service, startService } from './processes.ts';
import { runSuite } from './suite.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/everything');
const GATEWAY = join(import.meta.dirname, '../gateway-main.ts');

/** A direct run takes 3 to 6 s. */
const CAP_MS = 60_000;

export const startUpstream = (name: UpstreamName): Promise<Service> => {
  const { script, args } = UPSTREAMS[name];
  return startService(join(FIXTURES, script), args);
};

interface Stoppable {
  stop(): Promise<void>;
}

/** Runs `work` and stops, last first, what was started in it. */
async function withServices<T>(work: (keep: <S extends Stoppable>(service: S) => S) => Promise<T>): Promise<T> {
  const services: Stoppable[] = [];
  try {
    return await work((service) => {
      services.push(service);
      return service;
    });
  } finally {
    for (const service of services.reverse()) await service.stop();
  }
}

// The rebinding scenario sends this name as its Host header and expects to be let in.
const local = (url: string): string => url.replace('127.0.0.1', 'localhost');

const against = (url: string, revision: Revision, scenario: string | undefined): Promise<Results> =>
  runSuite({ leg: 'server', revision, scenario, subject: ['--url', local(url)], capMs: CAP_MS });

export function runDirect(upstream: UpstreamName, revision: Revision, scenario?: string): Promise<Results> {
  return withServices(async (keep) => against(keep(await startUpstream(upstream)).url, revision, scenario));
}

export interface Through {
  results: Results;
  /** What the gateway logged. */
  log: string;
}

export function runThrough(pairing: Pairing, scenario?: string): Promise<Through> {
  return withServices(async (keep) => {
    const merged = pairing.view === 'merged';
    const wanted: Record<string, UpstreamName> = merged ? MERGED_UPSTREAMS : { everything: pairing.upstream };
    const urls: string[] = [];
    for (const [name, upstream] of Object.entries(wanted)) {
      urls.push(`${name}=${keep(await startUpstream(upstream)).url}`);
    }
    const gateway = keep(await startService(GATEWAY, urls));
    let url = `${gateway.url}/servers/everything/mcp`;
    if (merged) {
      const [name] = Object.entries(wanted).find(([, upstream]) => upstream === pairing.upstream) ?? [];
      const proxy = await startNamesProxy({ port: await freePort(), gateway: gateway.url, server: name as string });
      keep(proxy);
      url = proxy.url;
    }
    return { results: await against(url, pairing.revision, scenario), log: gateway.output() };
  });
}
