/**
 * A gateway as the suite meets it: everything at its default but the port and the upstreams.
 * @module
 */

import { type InternalGateway, openGateway } from '../../src/gateway.ts';
import type { GatewayParts, ServerOptions } from '../../src/gateway-types.ts';
import { readConfig } from '../../src/load-config.ts';
import { createLog } from '../../src/observe/log.ts';

export interface RunningGateway {
  gateway: InternalGateway;
  /** Without a path. */
  origin: string;
}

/** Resolves when every upstream (name → URL) is connected or has failed once. */
export async function startGateway(
  port: number,
  upstreams: Readonly<Record<string, string>>,
  { entry = {}, parts = {} }: { entry?: ServerOptions; parts?: GatewayParts } = {},
): Promise<RunningGateway> {
  const servers = Object.fromEntries(Object.entries(upstreams).map(([name, url]) => [name, { url, ...entry }]));
  const config = await readConfig(JSON.stringify({ gateway: { port }, servers }), undefined, { env: {} });
  const gateway = await openGateway(config, { ...parts, log: createLog(process.env.CONFORMANCE_LOG ?? 'warn') });
  const { url } = await gateway.listen();
  await gateway.federation.settled();
  return { gateway, origin: new URL(url).origin };
}
