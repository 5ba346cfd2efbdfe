/**
 * `/admin/api/calls`: the last calls, one of them with its timeline, recording of values, policy's explanation of a call, the same
 * call again, and what another policy would have decided about all of them.
 * @module
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseJsonc } from '../../config/jsonc.ts';
import { grantsIn } from '../../config/written-grants.ts';
import { SwitchboardError, toRpcError } from '../../core/errors.ts';
import { grantIdentity, type Identity, LOCAL_IDENTITY } from '../../core/identity.ts';
import type { RecordedCall } from '../../observe/recorder.ts';
import { shownJson } from '../../policy/approvals/shown.ts';
import type { ExplainedKind, ExplainRequest, Explanation } from '../../policy/explain/explanation.ts';
import { routeOf } from '../../state/replica.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { parseJson } from '../messages.ts';
import type { AdminRequest, AdminRoute } from './route.ts';
import { unknownServer } from './servers.ts';
import type { PageSources } from './sources.ts';

const MAX_RECORDING_MINUTES = 60;
const MAX_POLICY_BYTES = 256 * 1024;
/** Of the arguments of one call. */
export const MAX_SHOWN_BYTES = 4 * 1024;
/** Calls that another policy is tried on. */
const MAX_TRIED = 200;

export function callRoutes(pages: PageSources): AdminRoute[] {
  const { calls, shared, explain, call: send } = pages;

  const required = ({ params }: AdminRequest): RecordedCall => {
    const found = shared.get(params.call as string);
    if (!found) throw new SwitchboardError('SWB_INVALID_REQUEST', 'This call is not recorded any more.');
    return found;
  };

  /** Its timeline and its arguments are kept where it was made. */
  const placedAt: AdminRoute['placedAt'] = ({ params }) => routeOf(params.call as string);

  return [
    {
      method: 'GET',
      path: '/admin/api/calls',
      handle: () => ({ json: { calls: shared.list(), valuesUntil: calls.valuesUntil } }),
    },
    {
      method: 'GET',
      path: '/admin/api/calls/:call',
      placedAt,
      handle(request) {
        const found = required(request);
        const canRepeat = isRepeatable(found) && calls.argumentsOf(found) !== undefined;
        return { json: { call: { ...shared.json(found), steps: found.steps }, canRepeat } };
      },
    },
    {
      method: 'POST',
      path: '/admin/api/recording',
      handle({ body }) {
        const given: unknown = parseJson(body);
        const minutes = isObject(given) ? given.minutes : undefined;
        if (typeof minutes !== 'number' || !(minutes >= 0 && minutes <= MAX_RECORDING_MINUTES)) {
          throw new SwitchboardError(
            'SWB_INVALID_REQUEST',
            `"minutes" is a number from 0 to ${MAX_RECORDING_MINUTES}.`,
          );
        }
        shared.recordValues(minutes * 60_000);
        return { json: { valuesUntil: calls.valuesUntil } };
      },
    },
    {
      method: 'POST',
      path: '/admin/api/calls/:call/explain',
      viewers: true,
      reads: () => true,
      placedAt,
      async handle(request) {
        const found = required(request);
        const asked = requestOf(found, calls.argumentsOf(found));
        if (!asked)
          throw new SwitchboardError('SWB_INVALID_REQUEST', 'This request is about nothing that policy decides about.');
        const isWhole =
          asked.args !== undefined && shownJson(asked.args, MAX_SHOWN_BYTES).text === found.shownArguments;
        return { json: { explanation: shown(await explain(asked), isWhole), withArguments: asked.args !== undefined } };
      },
    },
    {
      method: 'POST',
      path: '/admin/api/calls/:call/repeat',
      placedAt,
      async handle(request) {
        const found = required(request);
        const args = calls.argumentsOf(found);
        if (!isRepeatable(found) || found.namespaced === undefined || args === undefined) {
          throw new SwitchboardError(
            'SWB_INVALID_REQUEST',
            'Only calls of tools whose arguments were recorded can be made again.',
          );
        }
        const tool = nameInView(pages, found);
        try {
          return {
            json: {
              result: await send('tools/call', { name: tool, arguments: args }, { as: identityOf(found.grant) }),
            },
          };
        } catch (error) {
          return { json: { error: toRpcError(error) } };
        }
      },
    },
    {
      method: 'POST',
      path: '/admin/api/policy/try',
      reads: () => true,
      maxBytes: MAX_POLICY_BYTES,
      handle: async ({ body }) => ({ json: await tryDocument(pages, parseJson(body)) }),
    },
    {
      method: 'GET',
      path: '/admin/api/policy/document',
      handle: async (request) => ({ json: await documentAt(pages, request) }),
    },
  ];
}

export const identityOf = (grant: string | undefined): Identity =>
  grant === undefined ? LOCAL_IDENTITY : grantIdentity(grant);

/** What is recorded of an agent that was called through its tool are the arguments of the agent. */
const isRepeatable = ({ method, section }: RecordedCall): boolean => method === 'tools/call' && section === 'tools';

/** As clients of the merged endpoint call it. */
function nameInView({ federation }: PageSources, { server, name, namespaced }: RecordedCall): string {
  const route = federation.all.routes('tools').find((each) => each.member.name === server && each.original === name);
  return route?.exposed ?? namespaced ?? '';
}

const KINDS: Readonly<Record<string, ExplainedKind>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  agents: 'agent',
  methods: 'method',
};

function requestOf(call: RecordedCall, args: JsonObject | undefined): ExplainRequest | undefined {
  const { section, name, server, grant } = call;
  const kind = section === undefined ? undefined : KINDS[section];
  if (kind === undefined || name === undefined) return undefined;
  return { kind, name, server, grant, ...(args ? { args } : {}) };
}

/** The steps say what they read of arguments: only where all of these may be seen. */
function shown({ verdict, subject, listed, passes, shadow, notes }: Explanation, isWhole: boolean) {
  const rules = passes.flatMap((pass) => pass.rules);
  return {
    verdict,
    subject,
    listed,
    rules: isWhole ? rules : rules.map(({ detail: _, ...rule }) => ({ ...rule, detail: '' })),
    shadow,
    notes,
  };
}

/** What the page shows of an explanation. */
export type ExplanationJson = ReturnType<typeof shown>;

interface Tried {
  call: number;
  server: string | undefined;
  name: string | undefined;
  principal: string;
  before: string;
  after: string;
  reason: string;
}

/** `{ "place": "gateway", "document": {…} }`. Hooks are left out on both sides: they may do more than judge. */
async function tryDocument({ calls, configuration, explainUnder }: PageSources, given: unknown) {
  if (configuration === undefined) throw noFile();
  const { place, document } = isObject(given) ? given : {};
  if (typeof place !== 'string' || !isObject(document)) {
    throw new SwitchboardError('SWB_INVALID_REQUEST', 'The body must be {"place": "gateway", "document": {…}}.');
  }
  const text = await configuration.read();
  const path = pathOf(place, text);
  const next = await configuration.check(configuration.edited(text, [{ path, value: document }]));
  const now = await configuration.check(text);
  const [after, before] = await Promise.all([explainUnder(next), explainUnder(now)]);
  try {
    const changed: Tried[] = [];
    let judged = 0;
    for (const call of calls.list().slice(-MAX_TRIED)) {
      const request = requestOf(call, calls.argumentsOf(call));
      if (!request) continue;
      const [was, is] = await Promise.all([verdictOf(before.explain, request), verdictOf(after.explain, request)]);
      judged++;
      if (was.effect === is.effect) continue;
      const { call: id, server, name, principal } = call;
      changed.push({ call: id, server, name, principal, before: was.effect, after: is.effect, reason: is.reason });
    }
    return { judged, changed };
  } finally {
    await Promise.all([after.close(), before.close()]);
  }
}

/** Where a document stands: `gateway`, `default`, a server's as `server:<name>`, a grant's as `grant:<name>`. */
function pathOf(place: string, text: string): string[] {
  if (place === 'gateway') return ['gateway', 'policy'];
  if (place === 'default') return ['gateway', 'defaultPolicy'];
  const grant = /^grant:(.+)$/s.exec(place)?.[1];
  if (grant !== undefined) {
    if (Object.hasOwn(grantsIn(text), grant)) return ['gateway', 'grants', grant, 'policy'];
    throw new SwitchboardError('SWB_INVALID_REQUEST', 'The file has no grant of that name.');
  }
  const server = /^server:(.+)$/s.exec(place)?.[1];
  const root = rootOf(text);
  const section = ['mcpServers', 'servers'].find(
    (each) => isObject(root[each]) && Object.hasOwn(root[each], server ?? ''),
  );
  if (server === undefined || section === undefined) throw unknownServer();
  return [section, server, 'policy'];
}

function rootOf(text: string): JsonObject {
  const { value } = parseJsonc(text.replace(/^\ufeff/, ''));
  return isObject(value) ? value : {};
}

/** The document that is in force at a place, and the file it is in where that is one of its own; null: there is none. */
async function documentAt({ configuration }: PageSources, { query }: AdminRequest): Promise<JsonObject> {
  if (configuration === undefined) throw noFile();
  const text = await configuration.read();
  let value: unknown = rootOf(text);
  for (const key of pathOf(query.get('place') ?? '', text)) value = isObject(value) ? value[key] : undefined;
  if (typeof value !== 'string') return { document: isObject(value) ? value : null, file: null };
  const document = await readDocument(resolve(dirname(configuration.file), value));
  return { document, file: value };
}

/** Null where it cannot be read. */
async function readDocument(file: string): Promise<JsonObject | null> {
  const { size } = await stat(file).catch(() => ({ size: Number.POSITIVE_INFINITY }));
  if (size > MAX_POLICY_BYTES) return null;
  return readFile(file, 'utf8').then(rootOf, () => null);
}

const noFile = (): SwitchboardError =>
  new SwitchboardError('SWB_NOT_SUPPORTED', "The gateway's configuration is in no file.");

async function verdictOf(
  explain: (request: ExplainRequest) => Promise<Explanation>,
  request: ExplainRequest,
): Promise<{ effect: string; reason: string }> {
  try {
    const { effect, reason } = (await explain(request)).verdict;
    return { effect, reason };
  } catch (error) {
    return { effect: 'unknown', reason: error instanceof SwitchboardError ? error.message : 'It cannot be said.' };
  }
}
