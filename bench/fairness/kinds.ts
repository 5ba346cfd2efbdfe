/**
 * The kinds of greed: what the greedy principal does as fast as it can, and what each of the others does meanwhile, one
 * request after the other, with what is contested.
 * @module
 */
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { FairnessClient } from './client.ts';

export interface Kind {
  name: string;
  /** What is contested, for the table. */
  what: string;
  /** One call of a modest principal. Throws when it is refused. */
  modest(client: FairnessClient): Promise<void>;
  /** One of the greedy principal's. `n` counts them. May throw: it is refused much. */
  greedy(client: FairnessClient, n: number): Promise<void>;
  /** How many callers of the greedy principal run side by side. */
  callers: number;
}

/** Listed beside the tools that are called, so that lists are long. */
const FILLERS = Array.from({ length: 500 }, (_, i) => `filler_${i}`);

/** What each server lists. */
export const TOOL_NAMES = ['echo', 'nap', 'large', 'ask', 'job', 'forbidden', 'pay', 'counted', ...FILLERS];

const FORM = { capabilities: { elicitation: {} } };
const TASKS = { capabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } } };

const echo = async (client: FairnessClient): Promise<void> => passed(await client.call('free__echo'));

/** Throws for a tool's error, which a denial is. */
function passed(result: JsonObject): void {
  if (result.isError === true) throw new Error(JSON.stringify(result));
}

async function ask(client: FairnessClient): Promise<JsonObject> {
  const result = await client.call('asking__ask', {}, FORM);
  if (result.resultType !== 'input_required') throw new Error(`not asked: ${JSON.stringify(result)}`);
  return result;
}

const STREAM = { accept: 'text/event-stream' };

export const KINDS: readonly Kind[] = [
  {
    name: 'calls',
    what: 'small calls, 64 at a time',
    modest: echo,
    greedy: echo,
    callers: 64,
  },
  {
    name: 'large',
    what: '64 KiB results, 32 at a time',
    modest: echo,
    greedy: async (client) => void (await client.send('tools/call', { name: 'free__large', arguments: {} })),
    callers: 32,
  },
  {
    name: 'queue',
    what: "a server's queue, from 300 sessions",
    modest: async (client) => passed(await client.call('slow__nap')),
    greedy: async (client, n) => passed(await client.call('slow__nap', {}, { session: `s${n % 300}` })),
    callers: 300,
  },
  {
    name: 'sessions',
    what: 'sessions of legacy clients, never ended',
    async modest(client) {
      const session = await client.openSession();
      passed(await client.legacy(session, 'tools/call', { name: 'free__echo', arguments: {} }));
      await client.endSession(session);
    },
    greedy: async (client) => void (await client.openSession()),
    callers: 32,
  },
  {
    name: 'named sessions',
    what: 'sessions with a server, a new one per call',
    modest: async (client) => passed(await client.call('stateful__echo')),
    greedy: async (client, n) => passed(await client.call('stateful__echo', {}, { session: `n${n}` })),
    callers: 32,
  },
  {
    name: 'streams',
    what: 'event streams, held open',
    async modest(client) {
      const session = await client.openSession();
      const { status, socket } = await client.raw('GET /mcp', { ...session, ...STREAM }, '');
      socket.destroy();
      await client.endSession(session);
      if (status !== 200) throw new Error(`a stream was refused with ${status}`);
    },
    async greedy(client) {
      const session = await client.openSession();
      const { status, socket } = await client.raw('GET /mcp', { ...session, ...STREAM }, '');
      if (status !== 200) socket.destroy();
    },
    callers: 16,
  },
  {
    name: 'suspended calls',
    what: 'calls that wait for an answer, never given',
    async modest(client) {
      const { requestState, inputRequests } = await ask(client);
      const [question = ''] = Object.keys(isObject(inputRequests) ? inputRequests : {});
      const inputResponses = { [question]: { action: 'accept', content: { name: 'x' } } };
      const retry = { name: 'asking__ask', arguments: {}, requestState, inputResponses };
      passed(await client.modern('tools/call', retry, FORM));
    },
    greedy: async (client) => void (await ask(client)),
    callers: 32,
  },
  {
    name: 'tasks',
    what: 'tasks, created and polled',
    async modest(client) {
      const { taskId } = await client.call('tasks__job', {}, TASKS);
      await client.modern('tasks/get', { taskId }, TASKS);
    },
    async greedy(client, n) {
      const { taskId } = await client.call('tasks__job', {}, { ...TASKS, session: `t${n}` });
      await client.modern('tasks/get', { taskId }, TASKS);
    },
    callers: 32,
  },
  {
    name: 'counters',
    what: 'counters of limits, a new one per call',
    modest: async (client) => passed(await client.call('free__counted')),
    greedy: async (client, n) => passed(await client.call('free__counted', {}, { session: `c${n}` })),
    callers: 32,
  },
  {
    name: 'approvals',
    what: 'calls that need an approval, each another one',
    modest: echo,
    greedy: async (client, n) => void (await client.call('free__pay', { amount: n })),
    callers: 32,
  },
  {
    name: 'refusals',
    what: 'denied calls and unknown tools: audit and log',
    modest: echo,
    greedy: async (client, n) => void (await client.call(n % 2 === 0 ? 'free__forbidden' : 'free__missing')),
    callers: 64,
  },
  {
    name: 'connections',
    what: 'connections, a new one per request and held',
    async modest(client) {
      await client.reconnect();
      await echo(client);
    },
    async greedy(client) {
      await client.raw('GET /readyz', {}, '');
    },
    callers: 16,
  },
  {
    name: 'slow bodies',
    what: 'request bodies of 1 MiB that never end',
    modest: async (client) => passed(await client.call('free__echo', { text: 'y'.repeat(8_192) })),
    async greedy(client) {
      client.leave('POST /mcp', { 'content-length': String(2 * 1024 * 1024) }, 'x'.repeat(1024 * 1024));
      await new Promise((resolve) => setTimeout(resolve, 5));
    },
    callers: 4,
  },
  {
    name: 'connectServer',
    what: 'servers connected at run time',
    modest: async (client) => passed(await client.call('listServers')),
    greedy: async (client, n) => void (await client.call('connectServer', { url: `http://127.0.0.1:9/mcp?${n}` })),
    callers: 16,
  },
  {
    name: 'subscriptions',
    what: 'subscriptions to resources',
    async modest(client) {
      const session = await client.openSession();
      await client.legacy(session, 'resources/subscribe', { uri: 'stateful+demo://r/1' });
      await client.endSession(session);
    },
    async greedy(client, n) {
      const session = await client.openSession();
      for (let i = 0; i < 100; i++) {
        await client.legacy(session, 'resources/subscribe', { uri: `stateful+demo://r/${(n + i) % 1_000}` });
      }
    },
    callers: 32,
  },
  {
    name: 'lists',
    what: 'lists of 2,540 tools, 32 at a time',
    modest: echo,
    greedy: async (client) => void (await client.send('tools/list', {})),
    callers: 32,
  },
  {
    name: 'completions',
    what: 'completions, 64 at a time',
    modest: (client) => complete(client),
    greedy: (client) => complete(client),
    callers: 64,
  },
];

async function complete(client: FairnessClient): Promise<void> {
  const ref = { type: 'ref/prompt', name: 'free__greet' };
  await client.modern('completion/complete', { ref, argument: { name: 'who', value: 'w' } });
}
