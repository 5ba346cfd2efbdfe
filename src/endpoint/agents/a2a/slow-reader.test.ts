import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { recordingLog } from '../../../../adapters/testing/context.ts';
import { LOCAL_IDENTITY } from '../../../core/identity.ts';
import type { AgentRelay } from '../../../relay/relay.ts';
import { Said } from '../../../relay/runs/said.ts';
import { memoryState } from '../../../state/memory/memory-state.ts';
import type { AgentHttp } from '../endpoint.ts';
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
