/**
 * The adapter for real MCP servers: both eras, over stdio, Streamable HTTP and the old HTTP+SSE transport. It speaks the
 * protocol itself; no SDK stands between a call and its bytes.
 * @module
 */
import type { Adapter, ConnectContext } from '../../src/core/adapter.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import { detectMcp } from './detect.ts';
import { asConnectError } from './errors.ts';
import { UpstreamHost } from './host.ts';
import { connectHttp } from './http/connect.ts';
import { connectStdio } from './stdio/connect.ts';
import { McpUpstream } from './upstream.ts';

export const mcpAdapter: Adapter = {
  kind: 'mcp',
  detect: detectMcp,
  connect: connectMcp,
};

async function connectMcp(context: ConnectContext): Promise<Upstream> {
  const { target, name, signal } = context;
  const host = new UpstreamHost(context);
  try {
    const { boot, connection } = await (target.transport === 'stdio'
      ? connectStdio(context, target, host)
      : connectHttp(context, target, host));
    return new McpUpstream(context, connection, boot, host);
  } catch (error) {
    throw asConnectError(name, error, signal);
  }
}
