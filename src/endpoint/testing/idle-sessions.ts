/**
 * Opens 1,000 sessions and prints what they cost, as JSON: the growth of the heap after garbage collection. Run with
 * `--expose-gc`. All sessions have had a call, some a stream.
 * @module
 */
import { call, listenOn, openSession, post, startEndpoint, until } from './http.ts';

const SESSIONS = 1_000;

const { gc } = globalThis as { gc?: () => void };
if (!gc) throw new Error('run with --expose-gc');

const GRACE_MS = 50;

// A slow machine takes over a minute for all of them, and those of the first second are to be there still.
const limits = { sessionIdleMs: 1_800_000 };
const endpoint = await startEndpoint({ timing: { resumeGraceMs: GRACE_MS }, limits });

async function open(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const session = await openSession(endpoint.url());
    await (await post(endpoint.url(), call(1, 'echo'), session)).text;
    if (i % 10 > 0) continue;
    const stream = await listenOn(endpoint.url(), session);
    await until(() => stream.events.length > 0, 'the stream is open');
    stream.abort();
  }
  endpoint.relay.requests.length = 0;
}

async function heapBytes(): Promise<number> {
  // Until sockets are closed and streams without a client are forgotten.
  await new Promise((resolve) => setTimeout(resolve, 10 * GRACE_MS));
  for (let i = 0; i < 5; i++) gc?.();
  return process.memoryUsage().heapUsed;
}

await open(200);
const before = await heapBytes();
await open(SESSIONS);
const after = await heapBytes();
console.log(JSON.stringify({ sessions: endpoint.relay.sessions.size - 200, heapBytes: after - before }));
await endpoint.close();
