/**
 * The gateway: what it is made of is in `gateway-wiring.ts`, what it offers its program is here.
 * @module
 */
import { diffGateway } from './config/diff.ts';
import { SwitchboardError } from './core/errors.ts';
import type { Identity } from './core/identity.ts';
import { serveStdio } from './endpoint/stdio/serve.ts';
import { localCalls } from './gateway-calls.ts';
import type { InternalGateway, OpenGateway } from './gateway-internal.ts';
import { readOptions } from './gateway-options.ts';
import type { StdioConnection } from './gateway-types.ts';
import { grantsOf, wire } from './gateway-wiring.ts';
import { subscribe } from './observe/events.ts';
import { explain } from './relay/explain/explain.ts';

export type { InternalGateway } from './gateway-internal.ts';
export type { Gateway, GatewayOptions, GatewayParts } from './gateway-types.ts';

/** As `createGateway`, with its inside, for the command line and tests. */
export const openGateway: OpenGateway = async (config, parts) => {
  const wiring = await wire(config, parts);
  const { instance, adapters, log, policy, gate, federation, relay, endpoint, mqtt, logins, connecting, operators } =
    wiring;
  const clients = new Set<StdioConnection>();
  let closing: Promise<void> | undefined;

  const gateway: InternalGateway = {
    federation,
    relay,
    logins,
    connecting,
    operators,
    instance,
    handler: endpoint.handler,
    fetch: endpoint.fetch,
    call: localCalls(relay, federation.all),
    on: (name, listener) => subscribe(name, listener, instance),
    settled: () => federation.settled(),

    async listen() {
      const { host, port, path } = await endpoint.listen();
      const metrics = await wiring.telemetry.listen(endpoint.health);
      if (metrics !== undefined) log.info({ metrics }, 'Metrics can be read.');
      gateway.serveMqtt();
      const name = host.includes(':') ? `[${host}]` : host;
      return { host, port, url: `http://${name}:${port}${path}/mcp` };
    },

    serveMqtt: () => mqtt?.start(),

    serveStdio(input = process.stdin, output = process.stdout) {
      const client = serveStdio({ relay, view: federation.all, input, output, log });
      clients.add(client);
      void client.closed.then(() => clients.delete(client));
      return client;
    },

    servers: () => federation.members().flatMap((member) => (member.builtin ? [] : [member.status()])),

    async reload(given) {
      const { config: next } = await readOptions(given, { adapters });
      // Policy first: what is about to be added must never be seen without it.
      if (next.policy) {
        await policy?.reload(next.policy, (lost) => {
          // No key has let clients on the broker in: theirs ends with the grant itself.
          const isKept = (identity: Identity): boolean =>
            identity.grant === undefined || !lost.has(identity.grant) || mqtt?.has(identity) === true;
          endpoint.revoke(isKept);
          mqtt?.revoke(() => true);
        });
        await logins?.revokeGrants(grantsOf(next.policy));
      }
      await federation.apply(next.servers);
      const restart = diffGateway(config.gateway, next.gateway);
      if (restart.length > 0) log.warn({ keys: restart }, 'These changes take effect after a restart.');
    },

    async explain(request) {
      if (policy && gate) return explain({ policy, gate, federation, log }, request);
      throw new SwitchboardError('SWB_NOT_SUPPORTED', 'This gateway has no policy: everything is allowed.');
    },

    close() {
      closing ??= wiring.close(() => Promise.all([...clients].map((client) => client.close())));
      return closing;
    },

    [Symbol.asyncDispose]: () => gateway.close(),
  };
  return gateway;
};
