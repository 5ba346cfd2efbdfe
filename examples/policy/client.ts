/**
 * A client with a key: what it may see, what it may do, and what a denial looks like to a program.
 * Run it with `KEY=… node examples/policy/client.ts [url]`.
 */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [url = 'http://127.0.0.1:7300/mcp'] = process.argv.slice(2);

const client = new Client({ name: 'example', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
const requestInit = { headers: { Authorization: `Bearer ${process.env.KEY}` } };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));

const { tools } = await client.listTools();
console.log('Tools:', tools.map(({ name }) => name).join(', '));

for (const [name, args] of [
  ['everything__get-sum', { a: 1, b: 2 }],
  ['everything__get-sum', { a: 101, b: 2 }],
  ['everything__get-tiny-image', {}],
  ['listServers', {}],
] as const) {
  const result = await client.callTool({ name, arguments: args });
  // Models read the text; programs read this.
  const denial = result._meta?.['switchboard/denial'] as { code: string; rule: string; reason: string } | undefined;
  console.log(name, JSON.stringify(args), '→', denial ? `${denial.code} ${denial.rule}: ${denial.reason}` : 'allowed');
}
await client.close();
