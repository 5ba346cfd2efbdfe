/** Threads of grants, against a scripted server; `test/langgraph/owners.test.ts` has the real ones. */
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import {
  type Answer,
  call,
  connect,
  endAll,
  failure,
  frame,
  json,
  STREAM,
  streamed,
  text,
} from './testing/scripted-server.ts';

afterEach(endAll);

const ID = '6f9619ff-8b86-4011-b42d-00c04fc964ff';
const ownerOf = (principal: string) => createHash('sha256').update(`switchboard:${principal}`).digest('hex');
const DONE = streamed(frame('values', { messages: [{ type: 'ai', content: 'hi' }] }));
const GET = 'GET /threads/*';
const MAKE = 'POST /threads';
const CI = { caller: { principal: 'ci' } };

/** A server that keeps metadata of threads as real ones do. */
function keeping(threads: Map<string, JsonObject> = new Map()) {
  const made: JsonObject[] = [];
  const make: Answer = (response, _request, body) => {
    const asked = JSON.parse(body) as { thread_id: string; metadata: JsonObject };
    made.push(asked);
    if (!threads.has(asked.thread_id)) threads.set(asked.thread_id, asked.metadata);
    json({ thread_id: asked.thread_id, metadata: threads.get(asked.thread_id) })(response, _request, body);
  };
  const get: Answer = (response, request, body) => {
    const id = request.url?.split('/')[2] ?? '';
    const found = threads.get(id);
    (found ? json({ thread_id: id, metadata: found }) : text('Thread not found', 404))(response, request, body);
  };
  return { routes: { [MAKE]: make, [GET]: get, [STREAM]: DONE }, threads, made };
}

describe('a thread of a grant', () => {
  it('is created with its owner as a hash, and is used again without a request', async () => {
    const { routes, made } = keeping();
    const { upstream, seen, bodies } = await connect(routes);
    const first = await call(upstream, { threadId: 'new' }, CI);
    expect(made).toEqual([
      { thread_id: first.threadId, metadata: { switchboard_owner: ownerOf('ci') }, if_exists: 'do_nothing' },
    ]);
    expect(JSON.stringify(made)).not.toContain('"ci"');
    await call(upstream, { threadId: first.threadId }, CI);
    expect(seen.filter((key) => key === STREAM || key === MAKE || key === GET)).toEqual([MAKE, STREAM, STREAM]);
    expect(bodies.map((body) => body.if_not_exists)).toEqual(['reject', 'reject']);
  });

  it('is read once after a restart, and then is known', async () => {
    const { routes } = keeping(new Map([[ID, { switchboard_owner: ownerOf('ci') }]]));
    const { upstream, seen } = await connect(routes);
    for (let i = 0; i < 2; i++) await call(upstream, { threadId: ID.toUpperCase() }, CI);
    expect(seen.filter((key) => key === GET)).toHaveLength(1);
  });

  it("does not exist for another grant, nor does the local user's, in the words of one that was never made", async () => {
    const threads = new Map<string, JsonObject>([
      [ID, { switchboard_owner: ownerOf('ci') }],
      [ID.replace('6f', '7f'), {}],
    ]);
    const { routes } = keeping(threads);
    const { upstream, seen } = await connect(routes);
    const other = { caller: { principal: 'other' } };
    const messages: string[] = [];
    for (const threadId of [...threads.keys(), ID.replace('6f', '8f')]) {
      for (const more of [{}, { messages: [], options: { resume: 'yes' } }]) {
        const refused = await failure(call(upstream, { threadId, ...more }, other));
        expect(refused.code).toBe('SWB_INVALID_PARAMS');
        messages.push(refused.message.replace(threadId, 'ID'));
      }
    }
    expect(new Set(messages).size).toBe(1);
    expect(messages[0]).toContain("has no thread 'ID'");
    expect(seen).not.toContain(STREAM);
  });

  it('by a name belongs to the grant under that name, and is not created only to be resumed', async () => {
    const { routes, threads } = keeping();
    const { upstream } = await connect(routes);
    const resume = { messages: [], threadId: 'main', options: { resume: 'yes' } };
    expect((await failure(call(upstream, resume, CI))).message).toContain("has no thread 'main'");
    expect(threads.size).toBe(0);
    expect((await call(upstream, { threadId: 'main' }, CI)).threadId).toBe('main');
    await call(upstream, { threadId: 'main' }, { caller: { principal: 'other' } });
    expect(threads.size).toBe(2);
    const [server] = threads.keys();
    const stolen = await failure(call(upstream, { threadId: server }, { caller: { principal: 'other' } }));
    expect(stolen.message).toContain('has no thread');
    await call(upstream, resume, CI);
  });

  it('is not taken over when it exists under the same uuid', async () => {
    const { routes, threads } = keeping();
    const { upstream } = await connect(routes);
    await call(upstream, { threadId: 'main' }, CI);
    for (const id of threads.keys()) threads.set(id, {});
    const { upstream: restarted } = await connect(keeping(threads).routes);
    expect((await failure(call(restarted, { threadId: 'main' }, CI))).code).toBe('SWB_INVALID_PARAMS');
  });

  it('that is gone from the server is an unknown thread, and is made anew under its name', async () => {
    const { routes, threads } = keeping();
    const answers: Answer[] = [DONE, text('Thread not found', 404), DONE];
    routes[STREAM] = (...args) => (answers.shift() as Answer)(...args);
    const { upstream } = await connect(routes);
    await call(upstream, { threadId: 'main' }, CI);
    threads.clear();
    expect((await failure(call(upstream, { threadId: 'main' }, CI))).message).toContain("has no thread 'main'");
    await call(upstream, { threadId: 'main' }, CI);
    expect(threads.size).toBe(1);
  });

  it('cannot be another than that of the path', async () => {
    const { upstream, seen } = await connect(keeping().routes);
    for (const options of [
      { config: { configurable: { thread_id: ID } } },
      { context: { thread_id: ID } },
      { checkpoint: { thread_id: ID, checkpoint_id: 'c' } },
    ]) {
      const refused = await failure(call(upstream, { options }, CI));
      expect(refused).toMatchObject({ code: 'SWB_INVALID_PARAMS', message: expect.stringContaining('another thread') });
    }
    expect(seen).not.toContain(STREAM);
  });

  it('is not checked for the local user, whose uuids are used unchanged', async () => {
    const { upstream, seen, bodies } = await connect(keeping().routes);
    await call(upstream, { threadId: ID });
    expect(seen).toContain(STREAM);
    for (const key of [GET, MAKE]) expect(seen).not.toContain(key);
    expect(bodies[0]).toMatchObject({ if_not_exists: 'create' });
  });

  it('fails as the server fails', async () => {
    const { upstream } = await connect({ [MAKE]: text('down', 503) });
    expect((await failure(call(upstream, {}, CI))).code).toBe('SWB_UPSTREAM_HTTP');
  });
});
