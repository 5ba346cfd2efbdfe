/**
 * Servers of the published package on a broker, with tools for tests.
 * @module
 */
import { MCPServer, type Tool } from '@cloudsignal/mcp-over-mqtt';
import type { IClientOptions } from 'mqtt';
import { connectHandle, type Handle } from './handle.ts';

const object = (properties: Record<string, unknown> = {}) => ({ type: 'object', properties });

/** Calls that a server of {@link startToolServer} has received, by tool. */
export type Counts = Record<string, number>;

export interface ToolServer {
  readonly handle: Handle;
  readonly counts: Counts;
  /** Says that it is offline, as a server that is ended in order does. */
  stop(): Promise<void>;
  /** Its connection breaks: the broker publishes its will. */
  kill(): Promise<void>;
}

export interface ToolServerOptions {
  name?: string;
  namespace?: string;
  tools?: Tool[];
  mqtt?: IClientOptions;
  shared?: boolean;
}

/** Tools that echo, fail, take their time and report. */
export function testTools(counts: Counts): Tool[] {
  const counted =
    (name: string, handler: Tool['handler']): Tool['handler'] =>
    (args, context) => {
      counts[name] = (counts[name] ?? 0) + 1;
      return handler(args, context);
    };
  const tool = (name: string, handler: Tool['handler'], more: Partial<Tool> = {}): Tool => ({
    name,
    description: `Test tool ${name}.`,
    input_schema: object({ text: { type: 'string' } }),
    handler: counted(name, handler),
    ...more,
  });
  return [
    tool('echo', async (args) => ({ echoed: args }), { allowed_callers: ['scout', 'operator'], version: '1.2.3' }),
    tool('say', async ({ text }) => text),
    tool('nothing', async () => undefined),
    tool('fail', async () => {
      throw new Error('the database at 10.1.2.3:5432 is away');
    }),
    tool('slow', () => new Promise(() => {})),
    tool('big', async ({ bytes }) => 'x'.repeat(Number(bytes))),
    tool(
      'steps',
      async (_args, { stream }) => {
        for (let step = 0; step < 3; step++) await stream?.(`step ${step}`);
        await stream?.({ done: true });
        return 'finished';
      },
      { supports_streaming: true },
    ),
  ];
}

export async function startToolServer(url: string, options: ToolServerOptions = {}): Promise<ToolServer> {
  const { name = 'tools', namespace = 'a2a/v1', mqtt = {}, shared = true } = options;
  const counts: Counts = {};
  const tools = options.tools ?? testTools(counts);
  const offline = { version: '1', server: name, namespace, tools: tools.map((each) => each.name), status: 'offline' };
  const handle = await connectHandle(url, {
    ...mqtt,
    will: {
      topic: `${namespace}/mcp/servers/${name}/card`,
      payload: JSON.stringify(offline) as never,
      qos: 1,
      retain: true,
    },
  });
  const quiet = { info() {}, warn() {}, error() {} };
  const server = new MCPServer({
    name,
    namespace,
    tools,
    broker: '',
    credentials: { orgId: '', tokenServiceUrl: '' },
    client: handle as never,
    logger: quiet,
    useSharedSubscription: shared,
  });
  await withoutJitter(() => server.start());
  return {
    handle,
    counts,
    async stop() {
      await server.stop();
      await handle.disconnect();
    },
    async kill() {
      const closed = new Promise<void>((resolve) => handle.client.once('close', () => resolve()));
      handle.client.options.reconnectPeriod = 0;
      handle.client.stream.destroy();
      await closed;
      await handle.disconnect(true);
    },
  };
}

/** The package waits up to three seconds at random before it starts. */
function withoutJitter<T>(start: () => Promise<T>): Promise<T> {
  const { random } = Math;
  Math.random = () => 0;
  try {
    return start();
  } finally {
    Math.random = random;
  }
}
