/** The behaviour of upstreams, with servers of the published package on a real broker. */
import { describe } from 'vitest';
import { hasMosquitto, startMosquitto } from '../../test/fixtures/mosquitto.ts';
import type { CaseSetup } from '../testing/setup.ts';
import { behavesLikeAnUpstream } from '../testing/vitest.ts';
import { mcpOverMqttAdapter } from './index.ts';
import { startToolServer } from './testing/servers.ts';

const call = (name: string, args: object = {}) => ({ method: 'tools/call', params: { name, arguments: { ...args } } });

async function setup(): Promise<CaseSetup> {
  const broker = await startMosquitto();
  const server = await startToolServer(broker.url);
  return {
    adapter: mcpOverMqttAdapter,
    target: { transport: 'mqtt', url: broker.url, headers: {}, broker: { version: 'auto', keepaliveSeconds: 30 } },
    context: { options: { topicNamespace: 'a2a/v1' } },
    offers: { tools: ['big', 'echo', 'fail', 'nothing', 'say', 'slow', 'steps'] },
    echo: (marker) => call('echo', { marker }),
    failure: { ...call('fail'), says: /the database/ },
    secrets: ['10.1.2.3'],
    unknown: call('missing'),
    slow: { ...call('slow'), started: () => server.counts.slow ?? 0 },
    kill: () => broker.kill(),
    async stop() {
      await server.handle.disconnect(true);
      await broker.stop();
    },
    leftovers: () => {
      const clients = (pattern: RegExp): number => broker.log().match(pattern)?.length ?? 0;
      return clients(/connected from \S+ as swb/g) - clients(/Client swb\w+ (?:closed|disconnected|has)/g);
    },
  };
}

describe.runIf(hasMosquitto())('with a broker', () => {
  behavesLikeAnUpstream('MCP over MQTT', setup, {
    progress: { ...call('steps'), atLeast: 3 },
    oversize: { ...call('big', { bytes: 300_000 }), maxReplyBytes: 100_000 },
  });
});
