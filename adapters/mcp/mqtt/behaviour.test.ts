import { afterAll, describe } from 'vitest';
import { BROKER_DEFAULTS } from '../../../src/core/broker.ts';
import { startV1Mqtt } from '../../../test/fixtures/mcp/mqtt.ts';
import { OFFERS, SECRET } from '../../../test/fixtures/mcp/world.ts';
import { hasMosquitto, type Mosquitto, startMosquitto } from '../../../test/fixtures/mosquitto.ts';
import type { CaseSetup } from '../../cases.ts';
import { behavesLikeAnUpstream } from '../../testing/vitest.ts';
import { mcpAdapter } from '../index.ts';

const tool = (name: string, args: object = {}, meta?: object) => ({
  method: 'tools/call',
  params: { name, arguments: args, ...(meta ? { _meta: meta } : {}) },
});

const OPTIONAL = {
  progress: { ...tool('slow', { ms: 60, steps: 3 }, { progressToken: 'client-1' }), atLeast: 3 },
  oversize: { ...tool('big', { bytes: 300_000 }), maxReplyBytes: 200_000 },
};

describe.runIf(hasMosquitto())('an MCP server at a broker', () => {
  let broker: Promise<Mosquitto> | undefined;
  let servers = 0;
  afterAll(async () => (await broker)?.stop());

  async function over(more: Partial<CaseSetup> = {}): Promise<CaseSetup> {
    broker ??= startMosquitto();
    const { url } = await broker;
    const fixture = await startV1Mqtt(url, { name: `fixture/v1/${++servers}` });
    return {
      adapter: mcpAdapter,
      target: { transport: 'mqtt', url, headers: {}, broker: BROKER_DEFAULTS },
      offers: OFFERS,
      echo: (marker) => tool('echo', { text: marker }),
      failure: { ...tool('boom'), says: /The fixture exploded/ },
      secrets: [SECRET],
      unknown: tool('no-such-tool'),
      slow: {
        ...tool('slow'),
        started: () => fixture.ledger.count('slow:started'),
        cancelled: () => fixture.ledger.count('slow:cancelled'),
      },
      kill: () => fixture.kill(),
      stop: () => fixture.close(),
      leftovers: () => fixture.sessions(),
      ...more,
      context: { ...more.context, options: { serverName: fixture.name } },
    };
  }

  behavesLikeAnUpstream('SDK v1 over MQTT', () => over(), OPTIONAL);
  behavesLikeAnUpstream(
    'SDK v1 over MQTT with a session per caller',
    () => over({ context: { isolation: 'caller' } }),
    OPTIONAL,
  );
});
