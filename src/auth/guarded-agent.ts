/**
 * Connections of one request that go to the addresses a guard has checked, and to no others.
 * @module
 */
import type { NetworkGuard } from '../core/adapter.ts';

export interface GuardedAgent {
  /** For the `dispatcher` of the global `fetch`, whose own undici knows dispatchers by an older contract. */
  readonly dispatcher: object;
  close(): void;
}

/** undici is loaded with the first one: a gateway starts without it. */
export async function guardedAgent(guard: NetworkGuard, timeoutMs: number): Promise<GuardedAgent> {
  const { Agent, buildConnector, Dispatcher1Wrapper } = await import('undici');
  const connect = buildConnector({ timeout: timeoutMs, lookup: guard.lookup });
  const agent = new Agent({ connect, connections: 1, pipelining: 1 });
  return { dispatcher: new Dispatcher1Wrapper(agent), close: () => void agent.destroy() };
}
