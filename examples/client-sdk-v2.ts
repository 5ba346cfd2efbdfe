/**
 * The official client, SDK v2: connects to a running gateway, calls a tool and asks an agent.
 * Run it with `node examples/client-sdk-v2.ts [url] [agent]`.
 */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [url = 'http://127.0.0.1:7300/mcp', agent] = process.argv.slice(2);

// `auto` finds the newest revision both sides speak.
const client = new Client({ name: 'example', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));

const { tools } = await client.listTools();
console.log(`MCP ${client.getNegotiatedProtocolVersion()}, ${tools.length} tools`);

const sum = await client.callTool({ name: 'everything__get-sum', arguments: { a: 1, b: 2 } });
console.log(sum.content);

if (agent !== undefined) {
  // Words arrive as progress while the agent speaks; the result holds all of them.
  const answer = await client.callTool(
    { name: 'callAgent', arguments: { agent, message: 'Hello, who is there?', stream: true } },
    { onprogress: ({ message = '' }) => void process.stdout.write(message) },
  );
  console.log('\n', answer.structuredContent);
}
await client.close();
