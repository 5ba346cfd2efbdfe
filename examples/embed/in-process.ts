/**
 * The gateway inside a program of your own, from plain values. Run it with `node examples/embed/in-process.ts`.
 * In a project that installed the package, the import is from 'agent-switchboard'.
 */
import { createGateway } from '../../src/index.ts';

const everything = 'node_modules/@modelcontextprotocol/server-everything/dist/index.js';

const gateway = await createGateway({
  servers: { everything: { command: 'node', args: [everything, 'stdio'] } },
  port: 0,
});

// Clients connect here …
const { url } = await gateway.listen();
console.log(`Listening at ${url}`);

// … and the program itself calls without a network.
await gateway.settled();
for (const { name, state } of gateway.servers()) console.log(name, state);
const result = await gateway.call('tools/call', { name: 'everything__echo', arguments: { message: 'hi' } });
console.log(JSON.stringify(result.content));

await gateway.close();
