/**
 * The official client, SDK v1: connects to a running gateway, is notified of changed tools and calls one.
 * Run it with `node examples/client-sdk-v1.ts [url]`.
 */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

const [url = 'http://127.0.0.1:7300/mcp'] = process.argv.slice(2);

const client = new Client({ name: 'example', version: '1.0.0' });
client.setNotificationHandler(ToolListChangedNotificationSchema, () => console.log('The tools changed.'));
await client.connect(new StreamableHTTPClientTransport(new URL(url)) as Transport);

const { tools } = await client.listTools();
console.log(`${tools.length} tools, among them ${tools[0]?.name}`);

const sum = await client.callTool({ name: 'everything__get-sum', arguments: { a: 1, b: 2 } });
console.log(sum.content);

await client.close();
