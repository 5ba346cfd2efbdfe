/**
 * What programs make a gateway with. Its types mention nothing of the inside, so that they compile where only the package is
 * installed.
 * @module
 */
import { openGateway } from './gateway.ts';
import { readOptions } from './gateway-options.ts';
import type { Gateway, GatewayOptions, GatewayParts } from './gateway-types.ts';
import type { Config } from './load-config.ts';
import { createLog } from './observe/log.ts';

/**
 * A gateway from plain values, or from a configuration that was loaded. Starts connecting to every server at once and
 * resolves without waiting for any. Rejects with `SWB_CONFIG`, a line per mistake.
 */
export function createGateway(options: GatewayOptions): Promise<Gateway>;
export function createGateway(config: Config, parts?: GatewayParts): Promise<Gateway>;
export async function createGateway(given: Config | GatewayOptions, more: GatewayParts = {}): Promise<Gateway> {
  const { config, parts, logLevel } = await readOptions(given, more);
  const log = parts.log ?? createLog(logLevel);
  for (const warning of config.warnings ?? []) log.warn({}, warning);
  const { federation, relay, logins, connecting, operators, ...gateway } = await openGateway(config, { ...parts, log });
  return gateway;
}
