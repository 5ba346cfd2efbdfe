/** The gateway that the other files here put into a server. */
import { createGateway, defineConfig, type Gateway } from '../../src/index.ts';

const everything = 'node_modules/@modelcontextprotocol/server-everything/dist/index.js';

export const config = defineConfig({
  servers: { everything: { command: 'node', args: [everything, 'stdio'], concurrency: 4 } },
  policy: { version: '1', default: 'allow', tools: { 'everything__get-env': { action: 'deny', reason: 'Secrets.' } } },
});

/** `basePath`: where its addresses begin in servers that pass on the whole path of a request. */
export async function startGateway(basePath?: string): Promise<Gateway> {
  const gateway = await createGateway({ ...config, basePath });
  process.once('SIGTERM', () => gateway.close().then(() => process.exit()));
  await gateway.settled();
  return gateway;
}
