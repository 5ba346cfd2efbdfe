/**
 * The gateway as the bench runs it: its own command in its own process, with a configuration of the run's in a folder
 * of the run's, everything not named there at its default.
 * @module
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Child } from './child.ts';
import type { Layout } from './machine.ts';
import { ToolsPoll } from './tools-poll.ts';

const START_DEADLINE_MS = 120_000;

export interface GatewayOptions {
  /** Ports of upstreams by name. */
  upstreams: Record<string, number>;
  /** Servers that are not at a port, by name, as the configuration has them. */
  more?: Record<string, Record<string, unknown>>;
  /** Calls each upstream may run at one time; the gateway's default when left out. */
  concurrency?: number;
  /** The `gateway` section, over host, port and state folder. */
  gateway?: Record<string, unknown>;
  /** Laid over every server. */
  server?: Record<string, unknown>;
  /** Laid over single servers, by name. */
  servers?: Record<string, Record<string, unknown>>;
  /** What clients have to send to be let in. */
  headers?: Readonly<Record<string, string>>;
  /** Variables of its environment, over those of this process. */
  env?: Readonly<Record<string, string>>;
  layout: Layout;
  /** Opens Node's inspector on a free port. */
  inspect?: boolean;
}

export class GatewayUnavailable extends Error {}

export class Gateway {
  readonly port: number;
  readonly child: Child;
  /** When the process was started, as `performance.now()`. */
  readonly startedAt: number;
  /** What clients have to send to be let in. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly #folder: string;

  private constructor(port: number, child: Child, startedAt: number, folder: string, headers: Gateway['headers']) {
    this.port = port;
    this.child = child;
    this.startedAt = startedAt;
    this.headers = headers;
    this.#folder = folder;
  }

  /** Starts the process and returns at once. Throws {@link GatewayUnavailable} when there is no entry to start. */
  static async launch(options: GatewayOptions): Promise<Gateway> {
    const { gatewayEntry, gatewayCore } = options.layout;
    if (!existsSync(gatewayEntry)) throw new GatewayUnavailable(`${relative('', gatewayEntry)} does not exist`);
    const folder = await mkdtemp(join(tmpdir(), 'switchboard-bench-'));
    const port = await freePort();
    const config = join(folder, 'servers.json');
    await writeFile(config, JSON.stringify(configuration(options, port, folder), null, 2));
    const startedAt = performance.now();
    const child = new Child({
      script: gatewayEntry,
      args: ['serve', '--config', config, '--port', String(port)],
      nodeFlags: options.inspect ? ['--inspect=127.0.0.1:0'] : [],
      core: gatewayCore,
      cwd: folder,
      env: { ...process.env, AGENT_SERVERS: '', NO_COLOR: '1', ...options.env },
      channel: false,
      traceGc: true,
    });
    return new Gateway(port, child, startedAt, folder, options.headers);
  }

  /** Launches and waits until `tools` tools of upstreams are listed. Throws {@link GatewayUnavailable} when that does not happen. */
  static async start(options: GatewayOptions, tools: number): Promise<Gateway> {
    const gateway = await Gateway.launch(options);
    const poll = new ToolsPoll(gateway.port, options.headers);
    // The gateway lists tools of its own before any upstream is there.
    const names = [...Object.keys(options.upstreams), ...Object.keys(options.more ?? {})];
    const prefixes = names.map((name) => `${name}__`);
    const ofUpstream = (tool: string): boolean => prefixes.some((prefix) => tool.startsWith(prefix));
    try {
      await poll.until(
        (listed) => listed.filter(ofUpstream).length >= tools,
        START_DEADLINE_MS,
        () => gateway.child.exited,
      );
      return gateway;
    } catch (error) {
      await gateway.stop();
      const said = gateway.child.stderr.split('\n').slice(-5).join('\n');
      throw new GatewayUnavailable(`${(error as Error).message}${said === '' ? '' : `; it said:\n${said}`}`);
    } finally {
      poll.close();
    }
  }

  async stop(): Promise<void> {
    await this.child.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function configuration(options: GatewayOptions, port: number, folder: string): object {
  const servers: Record<string, object> = {};
  for (const [name, upstreamPort] of Object.entries(options.upstreams)) {
    servers[name] = { type: 'http', url: `http://127.0.0.1:${upstreamPort}/mcp`, ...options.server };
    if (options.concurrency !== undefined) Object.assign(servers[name], { concurrency: options.concurrency });
    Object.assign(servers[name], options.servers?.[name]);
  }
  return {
    gateway: { host: '127.0.0.1', port, stateDir: join(folder, 'state'), ...options.gateway },
    mcpServers: { ...servers, ...options.more },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
