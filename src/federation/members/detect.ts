/**
 * Finds the adapter for a URL by asking every adapter at once.
 *
 * When several say yes, the highest `detectRank` wins: Mastra and LangGraph servers can offer MCP beside their own API,
 * and taken as plain MCP servers they would lose their agents; a plain MCP server answers neither API.
 * @module
 */
import { connect } from 'node:net';
import type { Adapter, DetectContext } from '../../core/adapter.ts';
import { portOf } from '../../core/broker.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { anyKind, urlHints } from '../../core/kinds.ts';
import { reasonOf } from './reason.ts';

/** How long a connection may take when only that is tried. */
const CONNECT_TIMEOUT_MS = 3_000;

/** How long adapters may take altogether; no result by then is a no. */
const DETECT_TIMEOUT_MS = 10_000;

/** How long a kind of a higher rank may still claim the server after another has: a live server answers both at once. */
const GRACE_MS = 2_000;

export interface DetectOptions {
  timeoutMs?: number;
  graceMs?: number;
  /** Why nothing answers at a URL, as a clause; undefined when something does. */
  problemAt?: typeof connectionProblem;
}

/**
 * The adapter of the server at `url`. Rejects with `SWB_CONNECT_FAILED` when nothing answers there or no adapter knows what
 * does, with `SWB_URL_REFUSED` when the guard refuses the URL, and with the signal's reason when that aborts. Probes
 * still running then are aborted.
 */
export async function detectAdapter(
  url: URL,
  adapters: readonly Adapter[],
  context: DetectContext,
  options: DetectOptions = {},
): Promise<Adapter> {
  await context.guard?.check(url);
  context.signal.throwIfAborted();
  let refusal: SwitchboardError | undefined;
  const refused = (reason: SwitchboardError): void => {
    refusal ??= reason;
  };
  const noted = { ...context, refused };
  const adapter = await firstByRank(url, adapters, noted, options);
  context.signal.throwIfAborted();
  if (adapter) return adapter;
  const problem = await (options.problemAt ?? connectionProblem)(url, context);
  context.signal.throwIfAborted();
  if (problem !== undefined) {
    throw new SwitchboardError('SWB_CONNECT_FAILED', `Nothing answers at this URL: ${problem}.`);
  }
  // 401 and 403 are of no kind: whatever is there refuses to be asked.
  if (refusal?.code === 'SWB_UPSTREAM_AUTH') {
    throw new SwitchboardError('SWB_CONNECT_FAILED', refusal.message, { cause: refusal });
  }
  throw new SwitchboardError(
    'SWB_CONNECT_FAILED',
    `No ${anyKind(adapters)} server answers at this URL. ${urlHints(adapters)}. Naming the kind skips this detection.`,
    { cause: refusal },
  );
}

function firstByRank(
  url: URL,
  adapters: readonly Adapter[],
  context: DetectContext,
  { timeoutMs = DETECT_TIMEOUT_MS, graceMs = GRACE_MS }: DetectOptions,
): Promise<Adapter | undefined> {
  const { promise, resolve } = Promise.withResolvers<Adapter | undefined>();
  const probes = new AbortController();
  const ranked = adapters.toSorted((a, b) => b.detectRank - a.detectRank);
  const verdicts: (boolean | undefined)[] = ranked.map(() => undefined);
  let grace: NodeJS.Timeout | undefined;

  const finish = (): void => {
    clearTimeout(deadline);
    clearTimeout(grace);
    context.signal.removeEventListener('abort', finish);
    probes.abort(new Error('The kind of server is settled.'));
    resolve(ranked[verdicts.indexOf(true)]);
  };
  const deadline = setTimeout(finish, timeoutMs);
  context.signal.addEventListener('abort', finish, { once: true });

  const settle = (rank: number, verdict: boolean): void => {
    verdicts[rank] = verdict;
    const open = verdicts.indexOf(undefined);
    const yes = verdicts.indexOf(true);
    if (open === -1 || (yes !== -1 && yes < open)) finish();
    else if (yes !== -1) grace ??= setTimeout(finish, graceMs);
  };
  if (ranked.length === 0) finish();
  for (const [rank, adapter] of ranked.entries()) {
    adapter.detect(url, { ...context, signal: probes.signal }).then(
      (verdict) => settle(rank, verdict),
      () => settle(rank, false),
    );
  }
  return promise;
}

/** Why no connection can be made, as a clause; undefined when one can. Sends nothing. */
function connectionProblem(
  url: URL,
  { guard, signal }: Pick<DetectContext, 'guard' | 'signal'>,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: portOf(url),
      signal,
      ...(guard ? { lookup: guard.lookup } : {}),
    });
    const done = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => done('it did not answer in time'));
    socket.once('connect', () => done(undefined));
    socket.on('error', (error) => done(reasonOf(error)));
  });
}
