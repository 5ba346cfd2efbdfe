/**
 * A real LangGraph server of one line, connected, and short ways to talk to its agents.
 * @module
 */
import { readFileSync } from 'node:fs';
import { vi } from 'vitest';
import { type CaseRequest, resultOf } from '../../adapters/cases.ts';
import { langgraphAdapter } from '../../adapters/langgraph/index.ts';
import { type FakeCall, type FakeCallOptions, fakeCall } from '../../adapters/testing/call.ts';
import { fakeContext } from '../../adapters/testing/context.ts';
import type { AgentCallParams } from '../../src/core/agent-call.ts';
import type { Ask } from '../../src/core/call.ts';
import type { SwitchboardError } from '../../src/core/errors.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import type { LanggraphFixture, LanggraphVersion } from '../fixtures/langgraph.ts';
import { borrowLanggraph } from '../fixtures/shared.ts';

export const VERSIONS: readonly LanggraphVersion[] = ['1.5', '2.0'];

/** The release that the fixture of this line runs, as its package pins it. */
export function releaseOf(version: LanggraphVersion): string {
  const file = new URL(`../fixtures/langgraph-${version}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).dependencies['@langchain/langgraph-api'];
}

export const PROMPT = 'my very private prompt';

export const agentCall = (agent: string, text: string, more: Partial<AgentCallParams> = {}): CaseRequest => ({
  method: 'agents/call',
  params: { agent, messages: text === '' ? [] : [{ role: 'user', content: text }], ...more },
});

/** Accepts every question; the answer is that of the first key its message contains. */
export const accepting = (answers: Record<string, string>): FakeCallOptions => ({
  answer: ({ params }: Ask) => {
    const [, answer] = Object.entries(answers).find(([part]) => String(params?.message).includes(part)) ?? [];
    return { action: 'accept', content: { answer } };
  },
});

export class Talk {
  readonly server: LanggraphFixture;
  readonly upstream: Upstream;

  constructor(server: LanggraphFixture, upstream: Upstream) {
    this.server = server;
    this.upstream = upstream;
  }

  static async start(version: LanggraphVersion): Promise<Talk> {
    const server = await borrowLanggraph(version);
    const target = { transport: 'http', url: server.url, headers: {} } as const;
    return new Talk(server, await langgraphAdapter.connect(fakeContext(target)));
  }

  async stop(): Promise<void> {
    await this.upstream.close();
    await this.server.stop();
  }

  async say(
    agent: string,
    text: string,
    more: Partial<AgentCallParams> = {},
    options: FakeCallOptions = {},
  ): Promise<{ result: JsonObject; call: FakeCall }> {
    const call = fakeCall(options);
    const { method, params } = agentCall(agent, text, more);
    return { result: resultOf(await this.upstream.request(method, params, call)), call };
  }

  /** A call that can be aborted, and what it fails with in the end. */
  begin(
    agent: string,
    text: string,
    more: Partial<AgentCallParams> = {},
  ): { call: FakeCall; failed: Promise<unknown> } {
    const call = fakeCall();
    const { method, params } = agentCall(agent, text, more);
    const failed = this.upstream.request(method, params, call).then(
      () => undefined,
      (error: unknown) => error,
    );
    return { call, failed };
  }

  async failure(agent: string, text: string, more: Partial<AgentCallParams> = {}): Promise<SwitchboardError> {
    const failed = await this.begin(agent, text, more).failed;
    if (!failed) throw new Error('The call succeeded.');
    return failed as SwitchboardError;
  }

  /** Resolves when the slow graph runs on this thread. */
  async started(threadId: string): Promise<void> {
    await vi.waitFor(
      () => {
        const { events } = this.server;
        if (!events.some(({ event, thread }) => event === 'slow started' && thread === threadId)) {
          throw new Error('The slow graph has not started.');
        }
      },
      { timeout: 10_000, interval: 20 },
    );
  }

  count(event: string): number {
    return this.server.events.filter((seen) => seen.event === event).length;
  }

  /** The threads the server has. */
  async search<Found>(query: JsonObject): Promise<Found[]> {
    const headers = { 'content-type': 'application/json' };
    const reply = await fetch(`${this.server.url}/threads/search`, {
      method: 'POST',
      headers,
      body: JSON.stringify(query),
    });
    return (await reply.json()) as Found[];
  }

  /** The server's id of the local user's thread of this name. */
  async threadOf(name: string): Promise<string | undefined> {
    const [found] = await this.search<{ thread_id: string }>({ metadata: { switchboard_thread: name } });
    return found?.thread_id;
  }

  /** What the server itself says. */
  async get<Body = JsonObject>(path: string): Promise<Body> {
    return (await (await fetch(`${this.server.url}${path}`)).json()) as Body;
  }
}
