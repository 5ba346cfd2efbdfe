/**
 * Finds out what kind of server a URL leads to, by asking every adapter at once.
 *
 * When several say yes, the more particular protocol wins: mastra, then langgraph, then mcp. Mastra and LangGraph
 * servers can offer MCP beside their own API, and taken as plain MCP servers they would lose their agents; a plain MCP
 * server answers neither API.
 * @module
 */
import type { Adapter, DetectContext } from '../../core/adapter.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { connectionProblem } from './reachable.ts';

export type Kind = Adapter['kind'];

/** Most particular first. */
const PRECEDENCE: readonly Kind[] = ['mastra', 'langgraph', 'mcp'];

/** How long adapters may take altogether; silence is a no. */
export const DETECT_TIMEOUT_MS = 10_000;

/** How long a more particular kind may still claim the server after another has: a live server answers both at once. */
const GRACE_MS = 2_000;

export interface DetectOptions {
  timeoutMs?: number;
  graceMs?: number;
  /** Why nothing answers at a URL, as a clause; undefined when something does. */
  problemAt?: typeof connectionProblem;
}

/**
 * The kind of server at `url`. Rejects with `SWB_CONNECT_FAILED` when nothing answers there or no adapter knows what
 * does, with `SWB_URL_REFUSED` when the guard refuses the URL, and with the signal's reason when that aborts. Probes
 * still running then are aborted.
 */
export async function detectKind(
  url: URL,
  adapters: readonly Adapter[],
  context: DetectContext,
  options: DetectOptions = {},
): Promise<Kind> {
  await context.guard?.check(url);
  context.signal.throwIfAborted();
  const kind = await firstByPrecedence(url, adapters, context, options);
  context.signal.throwIfAborted();
  if (kind) return kind;
  const problem = await (options.problemAt ?? connectionProblem)(url, context);
  context.signal.throwIfAborted();
  if (problem !== undefined) {
    throw new SwitchboardError('SWB_CONNECT_FAILED', `Nothing answers at this URL: ${problem}.`);
  }
  throw new SwitchboardError(
    'SWB_CONNECT_FAILED',
    'No MCP, Mastra or LangGraph server answers at this URL. For an MCP server the URL includes the path (often /mcp); for Mastra and LangGraph it is the base URL. Naming the kind skips this detection.',
  );
}

function firstByPrecedence(
  url: URL,
  adapters: readonly Adapter[],
  context: DetectContext,
  { timeoutMs = DETECT_TIMEOUT_MS, graceMs = GRACE_MS }: DetectOptions,
): Promise<Kind | undefined> {
  const { promise, resolve } = Promise.withResolvers<Kind | undefined>();
  const probes = new AbortController();
  const ranked = [...adapters].sort((a, b) => PRECEDENCE.indexOf(a.kind) - PRECEDENCE.indexOf(b.kind));
  const verdicts: (boolean | undefined)[] = ranked.map(() => undefined);
  let grace: NodeJS.Timeout | undefined;

  const finish = (): void => {
    clearTimeout(deadline);
    clearTimeout(grace);
    context.signal.removeEventListener('abort', finish);
    probes.abort(new Error('The kind of server is settled.'));
    resolve(ranked[verdicts.indexOf(true)]?.kind);
  };
  const deadline = setTimeout(finish, timeoutMs);
  context.signal.addEventListener('abort', finish, { once: true });

  const heard = (rank: number, verdict: boolean): void => {
    verdicts[rank] = verdict;
    const open = verdicts.indexOf(undefined);
    const yes = verdicts.indexOf(true);
    if (open === -1 || (yes !== -1 && yes < open)) finish();
    else if (yes !== -1) grace ??= setTimeout(finish, graceMs);
  };
  if (ranked.length === 0) finish();
  for (const [rank, adapter] of ranked.entries()) {
    adapter.detect(url, { ...context, signal: probes.signal }).then(
      (verdict) => heard(rank, verdict),
      () => heard(rank, false),
    );
  }
  return promise;
}
