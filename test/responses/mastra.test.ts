/** The Responses API as a kind of server, against a real Mastra server's. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { responsesAdapter } from '../../adapters/responses/index.ts';
import { type FakeCallOptions, fakeCall } from '../../adapters/testing/call.ts';
import { fakeContext, fakeMemory } from '../../adapters/testing/context.ts';
import { codeOf, resultOf } from '../../adapters/testing/outcome.ts';
import { behavesLikeAnUpstream } from '../../adapters/testing/vitest.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import type { MastraFixture } from '../fixtures/mastra.ts';
import { borrowMastra } from '../fixtures/shared.ts';

const models = Object.fromEntries(
  ['echo', 'calculator', 'slow', 'failing'].map((id) => [id, { description: `The ${id}`, request: { agent_id: id } }]),
);

const ask = (agent: string, content: unknown, more: JsonObject = {}) => ({
  method: 'agents/call',
  params: { agent, messages: [{ role: 'user', content }], ...more },
});

behavesLikeAnUpstream(
  'The Responses API of a Mastra server',
  async () => {
    const server = await borrowMastra({ auth: true });
    const count = (event: string): number => server.events.filter((each) => each.event === event).length;
    return {
      adapter: responsesAdapter,
      target: { transport: 'http', url: `${server.url}/api/v1`, headers: server.headers },
      context: { options: { models } },
      offers: { agents: ['echo', 'calculator', 'slow', 'failing'] },
      echo: (marker) => ask('echo', marker),
      failure: { ...ask('failing', 'hello'), says: /ended without an answer/ },
      secrets: ['SECRET SYSTEM PROMPT', 'sk-fixture', 'prod.env', 'fixture-key'],
      unknown: ask('nobody', 'hello'),
      slow: { ...ask('slow', 'go'), started: () => count('slow started'), cancelled: () => count('slow aborted') },
      kill: server.kill,
      stop: server.stop,
    };
  },
  {
    progress: { ...ask('echo', 'one two three four', { stream: true }), atLeast: 4 },
    oversize: { ...ask('echo', 'x'.repeat(100_000)), maxReplyBytes: 90_000 },
  },
);

describe('The Responses API of a Mastra server', () => {
  let server: MastraFixture;
  let upstream: Upstream;
  beforeAll(async () => {
    server = await borrowMastra();
    const target = { transport: 'http', url: `${server.url}/api/v1`, headers: {} } as const;
    upstream = await responsesAdapter.connect(fakeContext(target, { options: { models }, memory: fakeMemory() }));
  });
  afterAll(async () => {
    await upstream?.close();
    await server?.stop();
  });

  const say = async (
    agent: string,
    content: unknown,
    more = {},
    options: FakeCallOptions = {},
  ): Promise<JsonObject> => {
    const { method, params } = ask(agent, content, more);
    return resultOf(await upstream.request(method, params, fakeCall(options)));
  };

  it('goes on with a thread whose id stays the same, and counts tokens', async () => {
    const options = { store: true };
    const first = await say('echo', 'one', { options });
    expect(first).toMatchObject({ status: 'completed', text: 'Echo: one', usage: { totalTokens: expect.any(Number) } });
    const second = await say('echo', 'two', { threadId: first.threadId, options });
    expect(second).toMatchObject({ text: 'Echo 2: two', threadId: first.threadId });
    const third = await say('echo', 'three', { threadId: first.threadId, options });
    expect(third).toMatchObject({ text: 'Echo 3: three', threadId: first.threadId });
  });

  it('shows the tools the agent called', async () => {
    const result = await say('calculator', '2 and 3');
    expect(result.text).toMatch(/5/);
    expect(result.steps).toEqual([
      { tool: 'add', arguments: expect.stringContaining('2'), result: expect.stringContaining('5') },
    ]);
  });

  it("does not know another principal's thread", async () => {
    const options = { store: true };
    const { threadId } = await say('echo', 'mine', { options }, { caller: { principal: 'alice' } });
    const failed = await say('echo', 'yours', { threadId, options }, { caller: { principal: 'bob' } }).catch((e) => e);
    expect(codeOf(failed)).toBe('SWB_INVALID_PARAMS');
  });

  it('refuses options that are not on the list', async () => {
    for (const name of ['model', 'background', 'previous_response_id', 'agent_id', 'tools']) {
      const failed = await say('echo', 'x', { options: { [name]: 'x' } }).catch((error) => error);
      expect(failed.message).toContain(`options.${name} is not accepted`);
    }
  });
});
