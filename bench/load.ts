/**
 * The load generator: a child process that runs a closed loop of callers against one port and measures each call from
 * just before it is sent until its checked reply is there.
 * @module
 */
import { Caller } from './caller.ts';
import { serveParent } from './child.ts';
import { IdleSessions } from './idle-sessions.ts';
import type { LoadJob, LoadReply, LoadRequest, Window } from './load-types.ts';
import { percentile } from './statistics.ts';

/** A row is over when this many calls failed: it cannot be quoted any more. */
const MAX_ERRORS = 20;

let callers: Caller[] = [];
let idle: IdleSessions | undefined;

/** Runs callers side by side until `more` says no. Returns the latencies; throws after too many errors. */
async function loop(more: () => boolean): Promise<number[]> {
  const latencies: number[] = [];
  let errors = 0;
  let first = '';
  await Promise.all(
    callers.map(async (caller) => {
      while (more() && errors < MAX_ERRORS) {
        const start = performance.now();
        try {
          await caller.call();
          latencies.push(performance.now() - start);
        } catch (error) {
          errors++;
          first ||= error instanceof Error ? error.message : String(error);
        }
      }
    }),
  );
  if (errors > 0) throw new LoadError(errors, first);
  return latencies;
}

class LoadError extends Error {
  readonly errors: number;

  constructor(errors: number, first: string) {
    super(first);
    this.errors = errors;
  }
}

async function prepare(job: LoadJob): Promise<void> {
  await finish();
  callers = Array.from({ length: job.callers }, () => new Caller(job));
  await Promise.all(callers.map((caller) => caller.open()));
  let left = job.warmupCalls;
  await loop(() => left-- > 0);
}

async function measure(more: (elapsedMs: number) => boolean): Promise<Window> {
  const requestsBefore = requests();
  const start = performance.now();
  const latencies = await loop(() => more(performance.now() - start));
  const seconds = (performance.now() - start) / 1000;
  latencies.sort((a, b) => a - b);
  return {
    calls: latencies.length,
    seconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    requestsPerCall: (requests() - requestsBefore) / latencies.length,
  };
}

const requests = (): number => callers.reduce((sum, caller) => sum + caller.requests, 0);

async function finish(): Promise<void> {
  await Promise.all(callers.map((caller) => caller.close()));
  callers = [];
}

async function handle(request: LoadRequest): Promise<Window | undefined> {
  switch (request.kind) {
    case 'prepare':
      await prepare(request.job);
      return undefined;
    case 'measure':
      return measure((elapsedMs) => elapsedMs < request.durationMs);
    case 'measure-calls': {
      let left = request.calls;
      return measure(() => left-- > 0);
    }
    case 'finish':
      await finish();
      return undefined;
    case 'open-sessions':
      idle = await IdleSessions.open(request.sessions);
      return undefined;
    case 'close-sessions':
      await idle?.close();
      idle = undefined;
      return undefined;
  }
}

serveParent(async (request: LoadRequest): Promise<LoadReply> => {
  try {
    const window = await handle(request);
    return window === undefined ? { ok: true } : { ok: true, window };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, errors: error instanceof LoadError ? error.errors : 1, error: message };
  }
});
