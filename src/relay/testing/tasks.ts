/**
 * Fake servers with tasks of either form, and a relay in front of them: every tool of theirs must be a task.
 * @module
 */

import type { ServerConfig } from '../../config/types.ts';
import type { Caller } from '../../core/caller.ts';
import { UpstreamError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import type { View } from '../../federation/types.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { TASKS_EXTENSION } from '../../wire/tasks.ts';
import { Relay } from '../relay.ts';
import type { AwaitLimits } from '../tasks/awaited-tasks.ts';
import {
  type FakeServer,
  fakeCaller,
  fakeChannel,
  fakeFederation,
  fakeServer,
  inbound,
  json,
  type RequestHandler,
  silent,
} from './fakes.ts';

export const EXTENSION = { extensions: { [TASKS_EXTENSION]: {} } };
const CAPABILITIES: Record<Era, JsonObject> = {
  legacy: { tools: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
  modern: { tools: {}, ...EXTENSION },
};

export const raw = (value: unknown): Reply => ({ raw: Buffer.from(JSON.stringify(value)) });
export const rpc = (code: number, message: string, data?: unknown) => new UpstreamError({ code, message, data });
export const reply = (replies: Record<string, unknown>): RequestHandler => {
  return async (method) => {
    if (!(method in replies)) throw rpc(-32601, 'Method not found');
    return raw(replies[method]);
  };
};

export function server(
  name: string,
  era: Era,
  handler: RequestHandler,
  config: Partial<ServerConfig> = {},
): FakeServer {
  const fake = fakeServer(name, era, handler, config);
  Object.assign(fake.upstream, { capabilities: CAPABILITIES[era] });
  return fake;
}

/** The fakes list nothing: every tool of these servers must be a task, and views offer tasks. */
function offering(view: View): View {
  return {
    ...view,
    capabilities: (era) => CAPABILITIES[era],
    resolve: (kind, name) => {
      const route = view.resolve(kind, name);
      return route && { ...route, entry: { key: 'x', value: { execution: { taskSupport: 'required' } } } };
    },
  };
}

export function setup(servers: readonly FakeServer[], awaitLimits?: AwaitLimits) {
  const federation = fakeFederation(servers);
  const options = { federation, log: silent, drainMs: 200 };
  const relay = new Relay(awaitLimits ? { ...options, awaitLimits } : options);
  const view = offering(federation.all);
  const own = (name: string): View => offering(federation.view(name) as View);
  const ask = async (
    caller: Caller,
    method: string,
    params: JsonObject = {},
    channel = fakeChannel(),
    where = view,
  ): Promise<JsonObject> => json(await relay.handle(inbound(where, caller, method, params, channel)).result);
  return { relay, federation, view, own, ask };
}

export const legacy = (key: string, principal = 'ada', capabilities: JsonObject = {}): Caller =>
  fakeCaller('legacy', { key, principal, sessionId: key, capabilities });
export const modern = (principal = 'ada', capabilities: JsonObject = EXTENSION): Caller =>
  fakeCaller('modern', { key: principal, principal, capabilities });

/** The replies of a legacy server to a call that becomes a task. */
export const CREATE = { 'tools/call': { task: { taskId: 't', status: 'working', ttl: null } } };
export const call = { name: 'one__job', task: {} };
