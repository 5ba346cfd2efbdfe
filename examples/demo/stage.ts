/**
 * Everything the demo is played with: real servers with models that need no network, and the gateway in front of them.
 * @module
 */
import { join } from 'node:path';
import { startLanggraph } from '../../test/fixtures/langgraph.ts';
import { startMastra } from '../../test/fixtures/mastra.ts';
import type { Curtain } from './curtain.ts';
import { startDice } from './dice-server.ts';
import { startGateway } from './gateway.ts';
import { type Greenhouse, NAMESPACE, startGreenhouse } from './greenhouse.ts';
import { Person } from './person.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface Stage {
  readonly url: string;
  /** Of a server that is not configured. */
  readonly diceUrl: string;
  readonly greenhouse: Greenhouse;
  readonly person: Person;
}

/** Starts everything; what has been started is the curtain's, also when the rest fails. */
export async function setStage(curtain: Curtain): Promise<Stage> {
  const [mastra, langgraph, dice, greenhouse] = await Promise.all([
    curtain.own(startMastra, (server) => server.stop()),
    curtain.own(
      () => startLanggraph('2.0'),
      (server) => server.stop(),
    ),
    curtain.own(startDice, (server) => server.close()),
    curtain.own(startGreenhouse, (started) => started.close()),
  ]);

  const config = {
    gateway: {
      port: 0,
      stateDir: 'state',
      logLevel: 'warn',
      connect: { allowPrivate: [`127.0.0.1:${dice.port}`] },
    },
    mcpServers: {
      everything: {
        command: 'node',
        args: [join(ROOT, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'), 'stdio'],
      },
      notes: { command: 'node', args: [join(import.meta.dirname, 'notes-server.ts')] },
      mastra: { kind: 'mastra', url: mastra.url },
      langgraph: { kind: 'langgraph', url: langgraph.url },
      garden: { kind: 'mcp-over-mqtt', url: greenhouse.brokerUrl, topicNamespace: NAMESPACE },
    },
  };
  const gateway = await curtain.own(
    () => startGateway(config),
    (running) => running.close(),
  );
  const person = await curtain.own(
    () => Person.connect(gateway.url),
    (client) => client.close(),
  );
  return { url: gateway.url, diceUrl: dice.url, greenhouse, person };
}
