/** What becomes of agents' runs behind a whole gateway: time, restarts of the gateway and of the server, waiting approvals. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../src/core/testing/free-port.ts';
import { createGateway, type Gateway, type GatewayOptions } from '../../src/index.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { type LanggraphFixture, startLanggraph } from '../fixtures/langgraph.ts';
import type { MastraFixture } from '../fixtures/mastra.ts';
import { borrowLanggraph, borrowMastra } from '../fixtures/shared.ts';

let graphs: LanggraphFixture;
let studio: MastraFixture;
const folder = mkdtempSync(path.join(tmpdir(), 'switchboard-runs-'));
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  [graphs, studio] = await Promise.all([borrowLanggraph('1.5'), borrowMastra()]);
});
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});
afterAll(async () => {
  await Promise.all([graphs?.stop(), studio?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

async function gateway(more: JsonObject = {}, options: Partial<GatewayOptions> = {}): Promise<Gateway> {
  const made = await createGateway({
    servers: {
      graphs: { kind: 'langgraph', url: graphs.url, ...more },
      studio: { kind: 'mastra', url: studio.url, ...more },
    },
    logLevel: 'silent',
    ...options,
  } as GatewayOptions);
  open.push(made);
  await made.settled();
  return made;
}

async function callAgent(from: Gateway, args: JsonObject): Promise<{ made: JsonObject; result: JsonObject }> {
  const result = (await from.call('tools/call', { name: 'callAgent', arguments: args })) as JsonObject;
  return { result, made: (result.structuredContent ?? {}) as JsonObject };
}

const textOf = ({ content }: JsonObject): string => (content as { text: string }[])[0]?.text ?? '';
const slow = (event: string): number => graphs.events.filter((seen) => seen.event === `slow ${event}`).length;

describe('the time of an agent’s run', () => {
  it('is not over while the server says that it goes on, streamed or not, up to the ceiling', async () => {
    // Its first run loads the graph, which may take a server longer than a second.
    await callAgent(await gateway({}), { agent: 'graphs/slow', message: '1' });
    const short = await gateway({ timeoutMs: 1_000, maxTimeoutMs: 6_000 });
    const { made } = await callAgent(short, { agent: 'graphs/slow', message: '13' });
    expect(made).toMatchObject({ status: 'completed', text: '13 ticks' });
    expect(made.elapsedMs).toBeGreaterThan(1_000);

    const shorter = await gateway({ timeoutMs: 1_000, maxTimeoutMs: 2_000 });
    const before = { started: slow('started'), aborted: slow('aborted') };
    const { result } = await callAgent(shorter, { agent: 'graphs/slow', message: '600' });
    expect(textOf(result)).toMatch(/did not answer within 2(\.\d)? s/);
    expect(slow('started')).toBe(before.started + 1);
    await vi.waitFor(() => expect(slow('aborted')).toBe(before.aborted + 1), { timeout: 10_000, interval: 20 });
  });

  it('begins anew with each event of a Mastra agent that is not streamed', async () => {
    const short = await gateway({ timeoutMs: 1_000, maxTimeoutMs: 2_000 });
    const before = studio.events.filter(({ event }) => event === 'slow aborted').length;
    const { result } = await callAgent(short, { agent: 'studio/slow', message: 'go' });
    // It ticks every 100 ms: only the ceiling ends it.
    expect(textOf(result)).toMatch(/did not answer within 2(\.\d)? s/);
    const aborted = () => studio.events.filter(({ event }) => event === 'slow aborted').length;
    await vi.waitFor(() => expect(aborted()).toBe(before + 1), { timeout: 10_000, interval: 20 });
  });
});

describe('an approval that waits', () => {
  it('outlives the gateway, and is decided once through the next one', async () => {
    const options = { state: path.join(folder, 'approvals') };
    const first = await gateway({}, options);
    const { made } = await callAgent(first, { agent: 'studio/janitor', message: 'old.txt' });
    expect(made).toMatchObject({ status: 'interrupted' });
    await first.close();

    const next = await gateway({}, options);
    const [{ continueWith }] = made.interrupts as [{ continueWith: JsonObject[] }];
    const decision = { agent: 'studio/janitor', options: continueWith[0] };
    expect((await callAgent(next, decision)).made).toMatchObject({ status: 'completed' });
    const deleted = () => studio.events.filter(({ event, path: file }) => event === 'deleted' && file === 'old.txt');
    expect(deleted()).toHaveLength(1);
    expect((await callAgent(next, decision)).result.isError).toBe(true);
    expect(deleted()).toHaveLength(1);
  });

  it('is known to the next gateway also where nothing was kept, for the local user', async () => {
    const { made } = await callAgent(await gateway(), { agent: 'studio/janitor', message: 'kept.txt' });
    const [{ continueWith }] = made.interrupts as [{ continueWith: JsonObject[] }];
    const decided = await callAgent(await gateway(), { agent: 'studio/janitor', options: continueWith[1] });
    expect(decided.made).toMatchObject({ status: 'completed' });
    expect(studio.events.some(({ path: file }) => file === 'kept.txt')).toBe(false);
  });
});

describe('the conversations with an agent', () => {
  it.each(['graphs/echo', 'studio/echo'])('are listed, copied and removed by tools: %s', async (agent) => {
    const made = await gateway();
    const use = async (name: string, args: JsonObject): Promise<JsonObject> => {
      const result = (await made.call('tools/call', { name, arguments: { agent, ...args } })) as JsonObject;
      return { ...(result.structuredContent as JsonObject), isError: result.isError, text: textOf(result) };
    };
    const { threadId } = (await callAgent(made, { agent, message: 'remember me', threadId: 'new' })).made;
    const ids = async () => {
      const { threads } = await use('listThreads', { limit: 100 });
      return (threads as JsonObject[]).map((each) => each.threadId);
    };
    expect(await ids()).toContain(threadId);
    const copy = await use('changeThread', { threadId, action: 'fork' });
    expect(await ids()).toEqual(expect.arrayContaining([threadId, copy.threadId]));
    expect((await use('changeThread', { threadId: copy.threadId, action: 'delete' })).isError).not.toBe(true);
    expect(await ids()).not.toContain(copy.threadId);
    expect(await use('changeThread', { threadId: copy.threadId, action: 'delete' })).toMatchObject({
      isError: true,
      text: expect.stringMatching(/has no thread/),
    });
    const { kind } = agent.startsWith('graphs') ? { kind: 'langgraph' } : { kind: 'mastra' };
    const server = agent.split('/')[0];
    const uri = `${server}+${kind}://threads/${threadId}`;
    const { contents } = (await made.call('resources/read', { uri })) as { contents: { text: string }[] };
    expect(JSON.parse(contents[0]?.text ?? '')).toMatchObject({
      messages: [{ role: 'user', text: 'remember me' }, {}],
    });
  });
});

it('the image of an answer is a content block of the result, and its tokens are in _meta', async () => {
  const { result, made } = await callAgent(await gateway(), { agent: 'studio/viewer', message: 'look' });
  expect(result.content).toContainEqual(expect.objectContaining({ type: 'image', mimeType: 'image/png' }));
  expect(made).toMatchObject({ reasoning: 'It is blue.', usage: { totalTokens: 8 } });
  expect(result._meta).toMatchObject({ 'switchboard/usage': { totalTokens: 8 } });
});

it('a server that restarts in the middle of a run fails the call once, is found again, and runs nothing twice', async () => {
  const port = await freePort();
  let server = await startLanggraph('1.5', { port });
  try {
    const made = await createGateway({
      servers: { graphs: { kind: 'langgraph', url: server.url } },
      logLevel: 'silent',
    } as GatewayOptions);
    open.push(made);
    await made.settled();
    const running = callAgent(made, { agent: 'graphs/slow', message: '600' });
    await vi.waitFor(() => expect(server.events).toContainEqual(expect.objectContaining({ event: 'slow started' })), {
      timeout: 10_000,
      interval: 20,
    });
    await server.kill();
    const { result } = await running;
    expect(result.isError).toBe(true);
    expect(textOf(result)).toMatch(/broke off|not reachable/);
    server = await startLanggraph('1.5', { port });
    await vi.waitFor(
      async () => {
        const { made: answer } = await callAgent(made, { agent: 'graphs/echo', message: 'again' });
        expect(answer.text).toBe('echo: again');
      },
      { timeout: 30_000, interval: 200 },
    );
    expect(server.events).toEqual([]);
  } finally {
    await server.stop();
  }
});
