/**
 * The gateway inside a program of your own. Run it with `node examples/embed.ts [servers.json]`.
 * In a project that installed the package, the import is from 'agent-switchboard'.
 */
import { createGateway, createLog, loadConfig } from '../src/index.ts';

const [file = 'servers.json'] = process.argv.slice(2);

const config = await loadConfig({ file, env: process.env, overrides: { port: 0 } });
const gateway = await createGateway(config, { log: createLog('warn') });

// Clients connect here …
const { url } = await gateway.listen();
console.log(`Listening at ${url}`);

// … and the program itself calls without going over the network.
await gateway.federation.settled();
for (const member of gateway.federation.members()) console.log(member.name, member.state);
const result = await gateway.localCall('tools/call', { name: 'everything__echo', arguments: { message: 'hi' } });
console.log(JSON.stringify(result.content));

await gateway.close();
