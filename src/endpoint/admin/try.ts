/**
 * `POST /admin/api/try`: one request of an operator, as the local user or as a grant, through policy and queue like any other. Its
 * progress and the server's questions come as server-sent events; questions are answered at `/admin/api/try/:run/answer`.
 * `POST /admin/api/complete`: what a server proposes for an argument.
 * @module
 */
import type { Ask } from '../../core/call.ts';
import { RPC, SwitchboardError, toRpcError } from '../../core/errors.ts';
import { routedId, routeOf } from '../../state/replica.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { parseJson } from '../messages.ts';
import { identityOf } from './calls.ts';
import type { AdminRoute, AdminStream } from './route.ts';
import type { OwnCall, PageSources } from './sources.ts';

const METHODS = new Set(['tools/call', 'prompts/get', 'resources/read']);
const MAX_BYTES = 1024 * 1024;
/** At one time. */
const MAX_RUNS = 32;

interface Run {
  questions: Map<string, PromiseWithResolvers<JsonObject>>;
}

export function tryRoutes(pages: PageSources): AdminRoute[] {
  const runs = new Map<string, Run>();
  return [
    {
      method: 'POST',
      path: '/admin/api/try',
      maxBytes: MAX_BYTES,
      handle({ body }) {
        const request = requestIn(pages, parseJson(body));
        if (runs.size >= MAX_RUNS)
          throw new SwitchboardError('SWB_BUSY', 'Too many requests are being tried. Wait for one to end.');
        return { stream: (stream) => void run(pages, runs, request, stream) };
      },
    },
    {
      method: 'POST',
      path: '/admin/api/try/:run/answer',
      placedAt: ({ params }) => routeOf(params.run as string),
      maxBytes: MAX_BYTES,
      handle({ params, body }) {
        const given: unknown = parseJson(body);
        const { question, answer } = isObject(given) ? given : {};
        const asked = typeof question === 'string' ? runs.get(params.run ?? '')?.questions.get(question) : undefined;
        if (!asked || !isObject(answer))
          throw new SwitchboardError('SWB_INVALID_REQUEST', 'Nothing waits for this answer.');
        asked.resolve(answer);
        return { json: {} };
      },
    },
    {
      method: 'POST',
      path: '/admin/api/complete',
      reads: () => true,
      handle: async ({ body }) => ({ json: await complete(pages, body) }),
    },
  ];
}

interface Request {
  method: string;
  params: JsonObject;
  as: string | undefined;
}

/** `{ "method": "tools/call", "params": {…}, "as": "<grant>" }`. */
function requestIn({ policy }: PageSources, given: unknown): Request {
  const { method, params, as } = isObject(given) ? given : {};
  if (typeof method !== 'string' || !METHODS.has(method) || !isObject(params)) {
    throw new SwitchboardError(
      'SWB_INVALID_REQUEST',
      `"method" is one of: ${[...METHODS].join(', ')}; "params" is an object.`,
    );
  }
  return { method, params, as: grantOf(policy, as) };
}

/** Undefined: the local user. */
function grantOf(policy: PageSources['policy'], as: unknown): string | undefined {
  const grant = typeof as === 'string' && as !== '' ? as : undefined;
  if (grant !== undefined && !policy.grants.some(({ name }) => name === grant)) {
    throw new SwitchboardError('SWB_INVALID_REQUEST', 'There is no grant of that name.');
  }
  return grant;
}

/** Proposals that are shown at once. */
const MAX_PROPOSALS = 100;
const COMPLETE_MS = 5_000;

/**
 * `{ "ref": {…}, "argument": {…}, "context": {…}, "as": "<grant>" }`, as `completion/complete`. Servers that propose nothing are no
 * fault: the reply has no values then.
 */
async function complete({ policy, call }: PageSources, body: Buffer): Promise<{ values: string[] }> {
  const given: unknown = parseJson(body);
  const { ref, argument, context, as } = isObject(given) ? given : {};
  if (!isObject(ref) || !isObject(argument)) {
    throw new SwitchboardError('SWB_INVALID_REQUEST', '"ref" and "argument" are objects.');
  }
  const identity = identityOf(grantOf(policy, as));
  const params = { ref, argument, ...(isObject(context) ? { context } : {}) };
  try {
    const signal = AbortSignal.timeout(COMPLETE_MS);
    const { completion } = await call('completion/complete', params, { as: identity, signal });
    const values = isObject(completion) && Array.isArray(completion.values) ? completion.values : [];
    return { values: values.filter((value) => typeof value === 'string').slice(0, MAX_PROPOSALS) };
  } catch {
    return { values: [] };
  }
}

/** A server that wants pages opened again and again gets no further. */
const MAX_ROUNDS = 4;
const MAX_PAGES = 8;

/** The pages that a person has to open first (2025-11-25 client/elicitation, "URL Elicitation Required Error"). */
function pagesOf(error: unknown): JsonObject[] {
  const { code, data } = toRpcError(error);
  const listed = code === RPC.urlElicitationRequired && isObject(data) ? data.elicitations : undefined;
  if (!Array.isArray(listed) || listed.length > MAX_PAGES) return [];
  return listed.filter((page): page is JsonObject => isObject(page) && typeof page.url === 'string');
}

async function run(
  { call, replica }: PageSources,
  runs: Map<string, Run>,
  { method, params, as }: Request,
  stream: AdminStream,
): Promise<void> {
  const id = routedId(replica);
  const questions: Run['questions'] = new Map();
  runs.set(id, { questions });
  stream.send('begun', { run: id });
  const startedAt = performance.now();
  let lastQuestion = 0;
  const onAsk = async ({ method: asks, params: about }: Pick<Ask, 'method' | 'params'>): Promise<JsonObject> => {
    const question = String(++lastQuestion);
    const answer = Promise.withResolvers<JsonObject>();
    questions.set(question, answer);
    stream.send('question', { question, method: asks, params: about });
    try {
      return await answer.promise;
    } finally {
      questions.delete(question);
    }
  };
  /** Has the person open the pages that a refused request names. False: there are none, or the person did not agree. */
  const opensPages = async (error: unknown): Promise<boolean> => {
    const about = pagesOf(error);
    for (const page of about) {
      const { action } = await onAsk({ method: 'elicitation/create', params: page });
      if (action !== 'accept') return false;
    }
    return about.length > 0;
  };
  const meta = { ...(isObject(params._meta) ? params._meta : {}), progressToken: id };
  try {
    const options: OwnCall = {
      as: identityOf(as),
      signal: stream.signal,
      onNotification: ({ method: sent, params: about }) => stream.send('notification', { method: sent, params: about }),
      onAsk,
      capabilities: { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} },
    };
    for (let round = 1; ; round++) {
      try {
        const result = await call(method, { ...params, _meta: meta }, options);
        stream.send('result', { result, ms: performance.now() - startedAt });
        break;
      } catch (error) {
        // It was refused before it ran, so it is made again when the pages have been opened.
        if (round === MAX_ROUNDS || !(await opensPages(error))) throw error;
      }
    }
  } catch (error) {
    stream.send('failed', { error: toRpcError(error), ms: performance.now() - startedAt });
  } finally {
    runs.delete(id);
    for (const { reject } of questions.values())
      reject(new SwitchboardError('SWB_CANCELLED', 'The request has ended.'));
    stream.end();
  }
}
