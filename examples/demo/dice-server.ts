/**
 * A small MCP server over HTTP that is not in the configuration: it joins while the gateway runs.
 * @module
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';

export interface DiceServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export async function startDice(): Promise<DiceServer> {
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'dice', version: '1.0.0' });
    server.registerTool(
      'roll',
      { description: 'Rolls a die.', inputSchema: z.object({ sides: z.number().int().min(2).default(6) }) },
      ({ sides }) => ({ content: [{ type: 'text', text: `A ${randomInt(1, sides + 1)}, out of ${sides}.` }] }),
    );
    return server;
  });
  const serve = toNodeHandler(handler);
  const http = createServer((request, response) => void serve(request, response));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    port,
    async close() {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await Promise.all([closed, handler.close()]);
    },
  };
}
