/**
 * Requests that name one thing of one server: `tools/call`, `prompts/get`, `resources/read`, `completion/complete`.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Route, View } from '../../federation/types.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { PathOf } from '../agents/path.ts';
import { agentOf, callAgentTool } from '../agents/tool-call.ts';
import { exposeContents, exposeLinks } from '../bridge/uris.ts';
import type { Dispatcher } from '../dispatch.ts';
import type { Gate } from '../gate/gate.ts';
import { subjectNamed, subjectOf, subjectOfUri } from '../gate/subjects.ts';
import { type Method, type RequestContext, requireString } from '../request-context.ts';
import { LastingCalls, mayLast, wantsTask } from '../runs/lasting-calls.ts';
import type { Runs } from '../runs/runs.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { ToolCallTasks } from '../tasks/tool-calls.ts';
import { type Names, unknownName, withRequestedUri } from '../unknown-names.ts';
import { requireParamHeaders } from './param-headers.ts';

interface Dependencies {
  dispatcher: Dispatcher;
  names: Names;
  tasks: Tasks;
  runs: Runs;
  gate: Gate | undefined;
  pathOf: PathOf;
}

export function callMethods({ dispatcher, names, tasks, runs, gate, pathOf }: Dependencies) {
  const toolTasks = new ToolCallTasks(dispatcher, tasks);
  const lasting = new LastingCalls(dispatcher, runs, gate);

  const callTool: Method = (context) => {
    const { view, params, call } = context;
    requireArguments(params);
    const route = names.require(context, 'tools', requireString(params, 'name'));
    const agent = agentOf(route);
    if (agent) return callAgentTool({ dispatcher, lasting, pathOf }, context, agent);
    if (call.paramHeaders) {
      requireParamHeaders(route.entry, params, call.paramHeaders);
    }
    if (mayLast(route) && wantsTask(context) && params.requestState === undefined) {
      return lasting.call(context, {
        member: route.member,
        method: 'tools/call',
        subject: subjectOf('tools', route),
        params: { name: route.original, arguments: params.arguments },
        added: {},
        result: (answer) => answer,
        prepare: (running) => {
          running.tool = route;
        },
      });
    }
    const dispatch = toolTasks.adapt(context, route, {
      member: route.member,
      method: 'tools/call',
      subject: subjectOf('tools', route),
      params: { ...params, name: route.original },
      shape: 'complete',
      structured: structuredFormOf(route),
      rewrite: linksOf(view, route),
    });
    return dispatcher.dispatch(context, dispatch);
  };

  const getPrompt: Method = (context) => {
    const { view, params } = context;
    requireArguments(params);
    const route = names.require(context, 'prompts', requireString(params, 'name'));
    return dispatcher.dispatch(context, {
      member: route.member,
      method: 'prompts/get',
      subject: subjectOf('prompts', route),
      params: { ...params, name: route.original },
      shape: 'complete',
      rewrite: linksOf(view, route),
    });
  };

  const readResource: Method = async (context) => {
    const { view, params, caller } = context;
    const uri = requireString(params, 'uri');
    const { member, original } = names.requireUri(context, uri);
    if (names.isUnoffered(context, { member, original })) throw unknownName('resources', uri);
    try {
      return await dispatcher.dispatch(context, {
        member,
        method: 'resources/read',
        subject: subjectOfUri(member, original),
        params: { ...params, uri: original },
        shape: 'cacheable',
        // The result names the resource as the request did, even by an original URI.
        rewrite:
          view.server === undefined && uri !== original
            ? (raw) => exposeContents(raw, (own) => (own === original ? uri : view.exposeUri(member, own)))
            : undefined,
      });
    } catch (error) {
      const own = names.uriError(context, { uri, member, original }, error);
      throw withRequestedUri(own, { uri, original, era: caller.era });
    }
  };

  const complete: Method = async (context) => {
    const { params } = context;
    const { ref } = params;
    if (!isObject(ref)) throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.ref must be an object.');
    const { member, original } = resolveRef(context, ref);
    const isPrompt = ref.type === 'ref/prompt';
    // The server's answer for a URI it does not have would tell it from a hidden one.
    if (!isPrompt && names.isUnoffered(context, { member, original })) {
      throw unknownName('resources', requireString(ref, 'uri'));
    }
    try {
      return await dispatcher.dispatch(context, {
        member,
        method: 'completion/complete',
        subject: isPrompt ? subjectNamed('prompts', member, original) : subjectOfUri(member, original),
        params: { ...params, ref: isPrompt ? { ...ref, name: original } : { ...ref, uri: original } },
        shape: 'complete',
      });
    } catch (error) {
      throw isPrompt ? error : names.uriError(context, { uri: requireString(ref, 'uri'), member, original }, error);
    }
  };

  function resolveRef(context: RequestContext, ref: JsonObject): Pick<Route, 'member' | 'original'> {
    if (ref.type === 'ref/prompt') return names.require(context, 'prompts', requireString(ref, 'name'));
    if (ref.type === 'ref/resource') {
      const uri = requireString(ref, 'uri');
      const template = context.view
        .routes('templates')
        .find((route) => route.exposed === uri || route.original === uri);
      return template ?? names.requireUri(context, uri);
    }
    throw new SwitchboardError('SWB_INVALID_PARAMS', "params.ref.type must be 'ref/prompt' or 'ref/resource'.");
  }

  return { callTool, getPrompt, readResource, complete };
}

/** A tool that legacy clients see with a wrapped output schema returns wrapped objects to them too. */
const structuredFormOf = ({ entry: { legacy } }: Route): 'all' | 'values' =>
  typeof legacy === 'object' && legacy.wrapsOutput ? 'all' : 'values';

/** Respells the URIs of a result for the merged view; undefined where they are the server's own and every byte stays. */
const linksOf = (view: View, { member }: Pick<Route, 'member'>): ((raw: Buffer) => Buffer) | undefined =>
  view.server === undefined && !member.builtin
    ? (raw) => exposeLinks(raw, (uri) => view.exposeUri(member, uri))
    : undefined;

function requireArguments(params: JsonObject): void {
  if (params.arguments !== undefined && !isObject(params.arguments)) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.arguments must be an object.');
  }
}
