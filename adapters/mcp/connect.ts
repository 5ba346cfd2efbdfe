/**
 * Connects one MCP server over the transport of its target.
 * @module
 */
import type { ConnectContext } from '../../src/core/adapter.ts';
import { brokerSecrets } from '../../src/core/broker.ts';
import { GATEWAY_IDENTITY } from '../../src/core/credentials.ts';
import { secretsOf } from '../../src/core/evidence.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import type { Connected } from './connection.ts';
import { asConnectError } from './errors.ts';
import { UpstreamHost } from './host.ts';
import { connectHttp } from './http/connect.ts';
import { LostCallers } from './session/lost-callers.ts';
import { McpUpstream } from './upstream.ts';

/** The credentials that the gateway shows the server, which the server may repeat. */
async function secretsIn({ target, credentials }: ConnectContext): Promise<string[]> {
  if (target.transport === 'stdio') return [];
  if (target.transport === 'mqtt') return [...secretsOf(target.headers, target.url), ...brokerSecrets(target.broker)];
  try {
    return secretsOf({ ...target.headers, ...(await credentials.headersFor(GATEWAY_IDENTITY)) }, target.url);
  } catch {
    return secretsOf(target.headers, target.url);
  }
}

/** Each transport is loaded where a server has it. */
async function connected(context: ConnectContext, host: UpstreamHost): Promise<Connected> {
  const { target } = context;
  switch (target.transport) {
    case 'stdio':
      return (await import('./stdio/connect.ts')).connectStdio(context, target, host);
    case 'mqtt':
      return (await import('./mqtt/connect.ts')).connectMqtt(context, target, host);
    default:
      return connectHttp(context, target, host);
  }
}

export async function connectMcp(context: ConnectContext): Promise<Upstream> {
  const { name, signal } = context;
  const host = new UpstreamHost(context);
  try {
    const { gatewaySession, connection } = await connected(context, host);
    const lost = connection.perCaller && !connection.renewable ? await LostCallers.of(context) : undefined;
    return new McpUpstream(context, connection, gatewaySession, host, lost);
  } catch (error) {
    throw asConnectError(name, error, signal, await secretsIn(context));
  }
}
