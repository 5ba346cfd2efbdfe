/**
 * A gateway with a real federation, a real relay and the real tools around servers in memory. Only its endpoints are
 * faked.
 * @module
 */

import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { LOCAL_IDENTITY } from '../../core/identity.ts';
import type { CreateGateway, Gateway } from '../../gateway-types.ts';
import { resultObject } from '../../relay/types.ts';
import { type MemoryServer, rig } from '../../tools/testing/rig.ts';

const LOCAL: Caller = {
  key: 'local',
  principal: 'local',
  identity: LOCAL_IDENTITY,
  era: 'legacy',
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: undefined,
  logLevel: undefined,
  sessionId: undefined,
};

export interface GatewayProbe {
  createGateway: CreateGateway;
  /** Every gateway that was made. */
  made: Gateway[];
  closed: number;
  /** Ends the client that `serveStdio` serves. */
  leave(): void;
}

export interface ProbeOptions {
  listen?: Gateway['listen'];
}

export function memoryGateway(servers: readonly MemoryServer[], options: ProbeOptions = {}): GatewayProbe {
  const left = Promise.withResolvers<void>();
  const probe: GatewayProbe = {
    made: [],
    closed: 0,
    leave: () => left.resolve(),
    async createGateway(config) {
      const { federation, relay, close } = await rig({ servers, connect: config.gateway.connect });
      await federation.apply(config.servers);
      const gateway: Gateway = {
        federation,
        relay,
        listen: options.listen ?? (async () => ({ host: '127.0.0.1', port: 7300, url: 'http://127.0.0.1:7300/mcp' })),
        serveStdio: () => ({ closed: left.promise }),
        reload: (next) => federation.apply(next.servers),
        async localCall(method, params, onNotification, signal) {
          const flight = relay.handle({
            caller: LOCAL,
            view: federation.all,
            request: { jsonrpc: '2.0', id: 1, method, params },
            channel: { notify: (notification) => onNotification?.(notification) },
          });
          signal?.addEventListener('abort', () => flight.cancel(), { once: true });
          const answer = await flight.answer;
          return resultObject(answer);
        },
        explain: () => Promise.reject(new SwitchboardError('SWB_NOT_SUPPORTED', 'Not faked.')),
        async close() {
          probe.closed++;
          await close();
        },
      };
      probe.made.push(gateway);
      return gateway;
    },
  };
  return probe;
}
