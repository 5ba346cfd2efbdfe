/**
 * Connects one MCP server over the transport of its target.
 * @module
 */
import type { ConnectContext } from '../../src/core/adapter.ts';
import { GATEWAY_IDENTITY } from '../../src/core/credentials.ts';
import { secretsOf } from '../../src/core/evidence.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import { asConnectError } from './errors.ts';
import { UpstreamHost } from './host.ts';
import { connectHttp } from './http/connect.ts';
import { LostCallers } from './session/lost-callers.ts';
import { connectStdio } from './stdio/connect.ts';
import { McpUpstream } from './upstream.ts';

/** The credentials that the gateway shows the server, which the server may repeat. */
async function secretsIn({ target, credentials }: ConnectContext): Promise<string[]> {
  if (target.transport === 'stdio') return [];
  try {
    return secretsOf({ ...target.headers, ...(await credentials.headersFor(GATEWAY_IDENTITY)) }, target.url);
  } catch {
    return secretsOf(target.headers, target.url);
  }
}

export async function connectMcp(context: ConnectContext): Promise<Upstream> {
  const { target, name, signal } = context;
  const host = new UpstreamHost(context);
  try {
    const { gatewaySession, connection } = await (target.transport === 'stdio'
      ? connectStdio(context, target, host)
      : connectHttp(context, target, host));
    const lost = connection.perCaller && !connection.renewable ? await LostCallers.of(context) : undefined;
    return new McpUpstream(context, connection, gatewaySession, host, lost);
  } catch (error) {
    throw asConnectError(name, error, signal, await secretsIn(context));
  }
}
