/**
 * How the behaviour suite uses a toy server.
 * @module
 */
import type { CaseSetup } from '../../../src/adapter.ts';
import { toyAdapter } from './adapter.ts';
import { startToyServer } from './server.ts';

export async function toyCases(): Promise<CaseSetup> {
  const server = await startToyServer();
  const call = (name: string, words = '') => ({ method: 'tools/call', params: { name, arguments: { words } } });
  return {
    adapter: toyAdapter,
    target: { transport: 'http', url: server.url, headers: {} },
    context: { options: { greeting: 'Hello' } },
    offers: { tools: ['greet', 'break', 'nap'], agents: ['parrot'] },
    echo: (marker) => call('greet', marker),
    failure: { ...call('break'), says: /The toy is broken/ },
    unknown: call('no-such-toy'),
    slow: { ...call('nap'), started: () => server.naps.started, cancelled: () => server.naps.cancelled },
    kill: () => server.stop(),
    stop: () => server.stop(),
  };
}
