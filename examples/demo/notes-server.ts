/**
 * A small MCP server over stdio that can be made to break: its plug can be pulled in the middle of a call.
 * @module
 */
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod';

serveStdio(() => {
  const server = new McpServer({ name: 'notes', version: '1.0.0' });
  server.registerTool(
    'write',
    { description: 'Writes a note down.', inputSchema: z.object({ text: z.string() }) },
    ({ text }) => ({ content: [{ type: 'text', text: `Noted: ${text}` }] }),
  );
  server.registerTool('pull_the_plug', { description: 'Ends this very process, in the middle of the call.' }, () => {
    process.kill(process.pid, 'SIGKILL');
    return { content: [] };
  });
  return server;
});
