/**
 * Requests that name one thing of one server: `tools/call`, `prompts/get`, `resources/read`, `completion/complete`.
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import type { Route, View } from '../../federation/types.ts';
import { Denied } from '../../policy/denied.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { withAskedUri } from '../bridge/not-found.ts';
import { toEra } from '../bridge/results.ts';
import { exposeContents, exposeLinks } from '../bridge/uris.ts';
import type { Dispatch } from '../dispatch.ts';
import { subjectNamed, subjectOf, subjectOfUri } from '../gate/subjects.ts';
import { type Method, type RequestContext, requireString } from '../request-context.ts';
import { withTasks } from '../tasks/tool-calls.ts';
import type { CallResult } from '../types.ts';
import { unknownName } from '../unknown-name.ts';
import { refuseAbsent } from './absent.ts';
import { requireParamHeaders } from './param-headers.ts';
import { requireUri, withoutTelling } from './unknown-uris.ts';

function resolveName({ inbound, whole, services }: RequestContext, kind: 'tools' | 'prompts', name: string): Route {
  const route = inbound.view.resolve(kind, name);
  if (route) return route;
  refuseAbsent(inbound, services, kind, name);
  const kept = services.gate && whole.resolve(kind, name);
  if (kept) services.gate?.keptSecret(inbound, subjectOf(kind, kept));
  throw unknownName(kind, name);
}

/** How URIs in a result are spelled; undefined where names are the upstream's own and every byte stays. */
const linksOf = (view: View, { member }: Pick<Route, 'member'>): ((raw: Buffer) => Buffer) | undefined =>
  view.server === undefined && !member.builtin
    ? (raw) => exposeLinks(raw, (uri) => view.exposeUri(member, uri))
    : undefined;

function requireArguments(params: JsonObject): void {
  if (params.arguments !== undefined && !isObject(params.arguments)) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.arguments must be an object.');
  }
}

export const callTool: Method = (turn) => {
  const { view } = turn.inbound;
  requireArguments(turn.params);
  const route = resolveName(turn, 'tools', requireString(turn.params, 'name'));
  const { paramHeaders } = turn.inbound;
  if (paramHeaders) requireParamHeaders(route.entry, turn.params, paramHeaders);
  const call: Dispatch = {
    member: route.member,
    method: 'tools/call',
    subject: subjectOf('tools', route),
    params: { ...turn.params, name: route.original },
    shape: 'complete',
    rewrite: linksOf(view, route),
  };
  const answer = turn.services.dispatcher.dispatch(turn, withTasks(turn, route, call));
  return turn.services.gate ? answer.catch((error: unknown) => deniedResult(turn, error)) : answer;
};

/** What policy forbids is told where a model can read it. */
function deniedResult({ inbound: { caller } }: RequestContext, error: unknown): CallResult {
  if (!(error instanceof Denied)) throw error;
  return toEra(
    { value: error.toolResult() },
    { from: 'legacy', to: caller.era, shape: 'complete', serverInfo: undefined },
  );
}

export const getPrompt: Method = (turn) => {
  const { view } = turn.inbound;
  requireArguments(turn.params);
  const route = resolveName(turn, 'prompts', requireString(turn.params, 'name'));
  return turn.services.dispatcher.dispatch(turn, {
    member: route.member,
    method: 'prompts/get',
    subject: subjectOf('prompts', route),
    params: { ...turn.params, name: route.original },
    shape: 'complete',
    rewrite: linksOf(view, route),
  });
};

export const readResource: Method = (turn) => {
  const { view } = turn.inbound;
  const uri = requireString(turn.params, 'uri');
  const route = requireUri(turn, uri);
  const { member, original } = route;
  const answer = turn.services.dispatcher.dispatch(turn, {
    member,
    method: 'resources/read',
    subject: subjectOfUri(member, original),
    params: { ...turn.params, uri: route.original },
    shape: 'cacheable',
    // Asked for by its original URI, a resource answers with that one.
    rewrite:
      view.server === undefined && uri !== route.original
        ? (raw) => exposeContents(raw, (own) => (own === original ? uri : view.exposeUri(member, own)))
        : undefined,
  });
  return answer.catch((error: unknown) => {
    const told = withoutTelling(turn, { uri, member, original }, error);
    throw withAskedUri(told, { uri, original, era: turn.inbound.caller.era });
  });
};

export const complete: Method = (turn) => {
  const ref = turn.params.ref;
  if (!isObject(ref)) throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.ref must be an object.');
  const { member, original } = resolveRef(turn, ref);
  const isPrompt = ref.type === 'ref/prompt';
  const answer = turn.services.dispatcher.dispatch(turn, {
    member,
    method: 'completion/complete',
    subject: isPrompt ? subjectNamed('prompts', member, original) : subjectOfUri(member, original),
    params: { ...turn.params, ref: isPrompt ? { ...ref, name: original } : { ...ref, uri: original } },
    shape: 'complete',
  });
  if (isPrompt) return answer;
  return answer.catch((error: unknown) => {
    throw withoutTelling(turn, { uri: requireString(ref, 'uri'), member, original }, error);
  });
};

function resolveRef(turn: RequestContext, ref: JsonObject): Pick<Route, 'member' | 'original'> {
  if (ref.type === 'ref/prompt') return resolveName(turn, 'prompts', requireString(ref, 'name'));
  if (ref.type === 'ref/resource') {
    const { view } = turn.inbound;
    const uri = requireString(ref, 'uri');
    const template = view.routes('templates').find((route) => route.exposed === uri || route.original === uri);
    return template ?? requireUri(turn, uri);
  }
  throw new SwitchboardError('SWB_INVALID_PARAMS', "params.ref.type must be 'ref/prompt' or 'ref/resource'.");
}
