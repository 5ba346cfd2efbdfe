import { Writable } from 'node:stream';
import type { ExecutionEventBus, RequestContext } from '@a2a-js/sdk/server';
import { expect, it } from 'vitest';
import { recordingLog } from '../../../../adapters/testing/context.ts';
import { LOCAL_IDENTITY } from '../../../core/identity.ts';
import type { AgentRelay } from '../../../relay/relay.ts';
import { Said } from '../../../relay/runs/said.ts';
import { memoryState } from '../../../state/memory/memory-state.ts';
import type { AgentHttp } from '../endpoint.ts';
import { Kept } from '../kept.ts';
import { STATE } from './events.ts';
import { AgentTasks } from './executor.ts';
import { Pace } from './pace.ts';
import { loadSdk } from './sdk.ts';
import { A2aEndpoint } from './serve.ts';

const PIECES = 500;
const PIECE = 'x'.repeat(1_000);

/** An agent that has its next piece ready whenever it is asked for one. */
class Talkative extends Said {
  /** Pieces that were taken from it. */
  read = 0;
  readonly #done: () => void;

  constructor(done: () => void) {
    super();
    this.#done = done;
    this.add(PIECE);
  }

  override next(index: number): ReturnType<Said['next']> {
    if (index >= this.count - 1) {
      if (this.count < PIECES) this.add(PIECE);
      else this.#done();
    }
    this.read = Math.max(this.read, index);
    return super.next(index);
  }
}

/** `done`: what the agent calls when its run is over. */
function relayOf(agent: (done: () => void) => Said): AgentRelay {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const record = { id: 'run_1', status: 'working', owner: { replica: 'here' }, result: {} };
  const said = agent(() => {
    record.status = 'completed';
    record.result = { content: [], structuredContent: { status: 'completed', text: '' } };
    resolve();
  });
  const run = { record, said, ended, onChange: () => () => {}, keep: async () => {} };
  const route = { member: { name: 's' }, original: 'a', entry: { value: {} } };
  return {
    agents: () => [route],
    agent: () => route,
    beginAgent: async () => run,
    runs: {
      limits: { keepRunsMs: 60_000, maxRunMs: 60_000 },
      live: () => run,
      asksOf: () => undefined,
      find: async () => record,
      isClosed: false,
    },
  } as unknown as AgentRelay;
}

/** A client that reads nothing until it is let go. */
class SlowReader extends Writable {
  text = '';
  readonly #letGo = Promise.withResolvers<void>();

  constructor() {
    super({ highWaterMark: 16 * 1024 });
  }

  writeHead(): this {
    return this;
  }

  flushHeaders(): void {}

  letGo(): void {
    this.#letGo.resolve();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    void this.#letGo.promise.then(() => {
      this.text += chunk;
      done();
    });
  }
}

it.each(['message/stream', 'SendStreamingMessage'])(
  'an agent is held back for a client that does not read the stream of %s, and loses nothing',
  async (method) => {
    let agent: Talkative | undefined;
    const relay = relayOf((done) => {
      agent = new Talkative(done);
      return agent;
    });
    const { kv } = memoryState(recordingLog());
    const endpoint = new A2aEndpoint({ relay, kv, log: recordingLog(), signedCards: 'replaced', secured: false });
    const isCurrent = method === 'SendStreamingMessage';
    const message = isCurrent
      ? { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'talk' }] }
      : { kind: 'message', messageId: 'm', role: 'user', parts: [{ kind: 'text', text: 'talk' }] };
    const res = new SlowReader();
    const req = { method: 'POST', url: '/', headers: isCurrent ? { 'a2a-version': '1.0' } : {} };
    const http = { req, res, identity: LOCAL_IDENTITY, view: {}, base: 'http://gateway' } as unknown as AgentHttp;
    const body = { jsonrpc: '2.0', id: 1, method, params: { message } };
    const served = endpoint.take(http, { server: 's', agent: 'a', path: '' }, body);
    await expect.poll(() => res.writableNeedDrain).toBe(true);
    expect(agent?.read).toBeLessThan(100);
    res.letGo();
    await served;
    expect(agent?.read).toBeGreaterThanOrEqual(PIECES - 1);
    expect(res.text.split(PIECE)).toHaveLength(PIECES + 1);
    expect(res.text).toMatch(isCurrent ? /TASK_STATE_COMPLETED/ : /"completed"/);
  },
);

it('a task whose client reads nothing is published to its end once the run is over', async () => {
  const said = new Said();
  for (let each = 0; each < PIECES; each++) said.add(PIECE);
  let end = (): void => {};
  const relay = relayOf((done) => {
    end = done;
    return said;
  });
  const { kv } = memoryState(recordingLog());
  const threads = new Kept({ kv, log: recordingLog(), namespace: 'contexts', keepMs: 60_000, most: 10 });
  const options = { sdk: await loadSdk(), relay, view: {}, route: relay.agents({} as never, {} as never)[0] };
  const tasks = new AgentTasks({ ...options, threads } as never);
  const published: unknown[] = [];
  const bus = { publish: (event: unknown) => published.push(event), finished() {} } as unknown as ExecutionEventBus;
  const userMessage = { messageId: 'm', role: 1, parts: [], contextId: '', taskId: '' };
  const user = { identity: LOCAL_IDENTITY, pace: new Pace() };
  const request = { taskId: 't', contextId: 'c', userMessage, context: { user } } as unknown as RequestContext;
  const executed = tasks.execute(request, bus);
  await expect.poll(() => published.length).toBeGreaterThan(8);
  expect(published.length).toBeLessThan(20);
  end();
  await executed;
  expect(published.length).toBeGreaterThan(PIECES);
  expect(published.at(-1)).toMatchObject({ data: { status: { state: STATE.COMPLETED } } });
});
