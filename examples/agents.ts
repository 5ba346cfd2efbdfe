/**
 * `npm run agents`: a Mastra server and a LangGraph server where `servers.json` expects them, with models that need no
 * network and no keys. Both end with this process.
 * @module
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { startLanggraph } from '../test/fixtures/langgraph.ts';
import { startMastra } from '../test/fixtures/mastra.ts';

const MASTRA_PORT = 4111;
const LANGGRAPH_PORT = 2024;

const stops: (() => Promise<void>)[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => void Promise.all(stops.map((stop) => stop())).finally(() => process.exit()));
}

async function run(
  name: string,
  port: number,
  start: (port: number) => Promise<{ url: string; stop(): Promise<void> }>,
): Promise<void> {
  try {
    // The servers themselves wait for a port that is taken.
    const probe = createServer().listen(port, '127.0.0.1');
    await once(probe, 'listening');
    await once(probe.close(), 'close');
    const server = await start(port);
    stops.push(server.stop);
    console.log(`A ${name} server listens at ${server.url}. Ctrl-C ends it.`);
  } catch (error) {
    console.error(`The ${name} server does not start: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

await Promise.all([
  run('Mastra', MASTRA_PORT, (port) => startMastra({ port })),
  run('LangGraph', LANGGRAPH_PORT, (port) => startLanggraph('2.0', { port })),
]);
