/**
 * What the chaos happens to: a Redis that keeps what is written, three replicas, servers of both eras, and a balancer that asks the
 * replicas whether they are ready.
 * @module
 */
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { type Balancer, startBalancer } from '../e2e/balancer.ts';
import { type GatewaySetup, type ServedGateway, serveGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { Ledger, LedgerServer } from './ledger-server.ts';

export const ADMIN = 'admin-token-of-the-chaos-run';
/** Tools whose calls are counted, and how many of each may run. */
export const LIMITED = Array.from({ length: 30 }, (_, i) => `limited_${i}`);
export const MAX_CALLS = 150;

const CHECK_MS = 1_000;
const SESSION_IDLE_MS = 30_000;

export class World {
  readonly ledger = new Ledger();
  readonly legacy = new LedgerServer('legacy', ['pay', 'slow'], this.ledger);
  readonly modern = new LedgerServer('modern', ['pay', 'slow', 'approved', ...LIMITED], this.ledger);
  /** Undefined: it was ended, and is not started yet. */
  readonly replicas: (ServedGateway | undefined)[] = [];
  redis!: RedisServer;
  asking!: HttpFixture;
  balancer!: Balancer;
  #setup: GatewaySetup = {};
  #checking: NodeJS.Timeout | undefined;

  async start(): Promise<void> {
    [this.redis, this.asking, this.balancer] = await Promise.all([
      startRedis(['--appendonly', 'yes', '--appendfsync', 'always']),
      startV1Http(),
      startBalancer([]),
      this.legacy.start(),
      this.modern.start(),
    ]);
    const limits = (name: string): [string, object] => [
      name,
      { limits: [{ counter: name, window: 'day', max: MAX_CALLS }] },
    ];
    const limited = Object.fromEntries(LIMITED.map(limits));
    const policy = { version: '1', default: 'allow', tools: limited };
    const approved = { approve: true, approver: 'operator' };
    this.#setup = {
      servers: {
        legacy: { url: this.legacy.url, kind: 'mcp' },
        modern: {
          url: this.modern.url,
          kind: 'mcp',
          policy: { ...policy, tools: { ...limited, approved } },
          concurrency: 12,
        },
        asking: { url: this.asking.url, kind: 'mcp' },
      },
      gateway: {
        state: this.redis.url,
        redis: { waitMs: 500 },
        adminToken: ADMIN,
        logLevel: 'error',
        // Clients leave their sessions behind: how many are kept is steady as soon as the first ones end.
        limits: { sessionIdleMs: SESSION_IDLE_MS },
      },
    };
    const inspected = { ...this.#setup, env: { NODE_OPTIONS: '--inspect=127.0.0.1:0' } };
    const setups = [inspected, this.#setup, this.#setup];
    this.replicas.push(...(await Promise.all(setups.map((setup) => serveGateway(setup)))));
    this.#checking = setInterval(() => void this.check(), CHECK_MS);
    for (const replica of this.replicas) {
      await until(
        async () => (await fetch((replica as ServedGateway).at('/readyz'))).status === 200,
        () => 'the replicas to be ready',
      );
    }
    await this.check();
  }

  /** Sends requests to the replicas that say that they are ready. */
  async check(): Promise<void> {
    for (const [at, replica] of this.replicas.entries()) {
      const how = replica?.ended();
      if (replica === undefined || how === undefined) continue;
      this.replicas[at] = undefined;
      this.errors.push(`Replica ${at} ended by itself (${how}): ${replica.stderr().slice(-4_000)}`);
      console.error(this.errors.at(-1));
    }
    const ready = await Promise.all(
      this.replicas.map(async (replica) => {
        if (!replica) return undefined;
        const signal = AbortSignal.timeout(CHECK_MS);
        const status = await fetch(replica.at('/readyz'), { signal }).then(
          (reply) => reply.status,
          () => 0,
        );
        return status === 200 ? replica.url : undefined;
      }),
    );
    const urls = ready.filter((url) => url !== undefined);
    if (urls.length > 0) this.balancer.use(urls);
  }

  /** Ends a replica by this signal, and gives what it had logged. */
  async end(at: number, signal: NodeJS.Signals): Promise<void> {
    const replica = this.replicas[at];
    this.replicas[at] = undefined;
    await replica?.end(signal);
    this.#logged(replica);
    await replica?.close();
  }

  /** What was suspended goes on. */
  resume(): void {
    for (const replica of this.replicas)
      if (replica && replica.ended() === undefined) process.kill(replica.pid, 'SIGCONT');
    this.redis?.child.kill('SIGCONT');
  }

  /** Rejects while Redis is away: a replica without it does not start. */
  async restart(at: number): Promise<void> {
    this.replicas[at] = await serveGateway(this.#setup);
  }

  readonly errors: string[] = [];

  /** Errors in a log are faults of the gateway itself, whatever is done to it. */
  #logged(replica: ServedGateway | undefined): void {
    this.errors.push(
      ...(replica?.stderr().split('\n') ?? []).filter((line) => /"level":"(?:error|fatal)"|ERROR/.test(line)),
    );
  }

  async close(): Promise<void> {
    clearInterval(this.#checking);
    for (const replica of this.replicas) this.#logged(replica);
    await this.balancer?.close();
    await Promise.all(this.replicas.map((replica) => replica?.close()));
    await Promise.all([this.redis?.close(), this.asking?.close(), this.legacy.stop(), this.modern.stop()]);
  }
}
