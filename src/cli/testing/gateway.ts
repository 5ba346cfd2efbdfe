/**
 * A gateway with a real federation, a real relay and the real tools around servers in memory. Only its endpoints are
 * faked.
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import { localCalls } from '../../gateway-calls.ts';
import type { InternalGateway, OpenGateway } from '../../gateway-internal.ts';
import type { Config } from '../../load-config.ts';
import { type MemoryServer, rig } from '../../tools/testing/rig.ts';

export interface GatewayProbe {
  openGateway: OpenGateway;
  /** Every gateway that was made. */
  made: InternalGateway[];
  closed: number;
  /** Ends the client that `serveStdio` serves. */
  leave(): void;
}

export interface ProbeOptions {
  listen?: InternalGateway['listen'];
}

export function memoryGateway(servers: readonly MemoryServer[], options: ProbeOptions = {}): GatewayProbe {
  const left = Promise.withResolvers<void>();
  const probe: GatewayProbe = {
    made: [],
    closed: 0,
    leave: () => left.resolve(),
    async openGateway(config) {
      const { federation, relay, close } = await rig({ servers, connect: config.gateway.connect });
      await federation.apply(config.servers);
      const end = async (): Promise<void> => {
        probe.closed++;
        await close();
      };
      const gateway: InternalGateway = {
        federation,
        relay,
        logins: undefined,
        connecting: undefined,
        operators: undefined,
        listen: options.listen ?? (async () => ({ host: '127.0.0.1', port: 7300, url: 'http://127.0.0.1:7300/mcp' })),
        instance: 'fake',
        on: () => () => {},
        handler: () => {},
        fetch: () => Promise.reject(new Error('Not faked.')),
        call: localCalls(relay, federation.all),
        serveMqtt: () => {},
        serveStdio: () => ({ closed: left.promise, close: () => left.promise }),
        servers: () => federation.members().map((member) => member.status()),
        settled: () => federation.settled(),
        reload: (next) => federation.apply((next as Config).servers),
        explain: () => Promise.reject(new SwitchboardError('SWB_NOT_SUPPORTED', 'Not faked.')),
        close: end,
        [Symbol.asyncDispose]: end,
      };
      probe.made.push(gateway);
      return gateway;
    },
  };
  return probe;
}
