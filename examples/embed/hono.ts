/**
 * The gateway behind a web-standard `fetch`, here in a Hono application below `/gateway`; no port is opened, and the
 * official client calls the application itself. Run it with `node examples/embed/hono.ts`.
 */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Hono } from 'hono';
import { startGateway } from './gateway.ts';

const gateway = await startGateway();

const app = new Hono();
app.get('/hello', (c) => c.text('Hello.'));
app.mount('/gateway', gateway.fetch);

const client = new Client({ name: 'example', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
const fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => app.fetch(new Request(url, init));
await client.connect(new StreamableHTTPClientTransport(new URL('http://localhost/gateway/mcp'), { fetch }));
const sum = await client.callTool({ name: 'everything__get-sum', arguments: { a: 1, b: 2 } });
console.log(sum.content);
await client.close();
await gateway.close();
