/**
 * `/admin/api/servers`: the servers behind the gateway, the state each is in, how its queue is used, and what to try where one cannot
 * be used. Servers are started again, connected and disconnected here.
 * @module
 */
import { loginNeededOf } from '../../auth/upstream/types.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { LOCAL_IDENTITY } from '../../core/identity.ts';
import { type Failure, failureOf } from '../../federation/failure.ts';
import { serverJson } from '../../federation/server-json.ts';
import type { Member, ServerStatus } from '../../federation/types.ts';
import type { QueueLoad } from '../../relay/queue/upstream-queue.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { parseJson } from '../messages.ts';
import type { Elsewhere } from './replica-actions.ts';
import type { AdminRoute, AdminSources } from './route.ts';
import type { PageSources } from './sources.ts';

export const serverRoutes = (servers: AdminSources['servers'], pages?: PageSources): AdminRoute[] => [
  {
    method: 'GET',
    path: '/admin/api/servers',
    handle: () => ({
      json: { servers: servers().map((status) => (pages ? serverInFull(status, pages) : serverJson(status))) },
    }),
  },
  ...(pages ? actions(pages) : []),
];

export interface ServerInFull extends ReturnType<typeof serverJson> {
  disabled: boolean;
  title?: string | undefined;
  queue: QueueLoad;
  failure: Failure | undefined;
  /** It waits for a login that would connect it. */
  needsLogin: boolean;
}

/** A server with its queue and its failure. */
export function serverInFull(status: ServerStatus, { federation, relay }: PageSources): ServerInFull {
  const member = federation.member(status.name);
  return {
    ...serverJson(status),
    disabled: member?.config.disabled === true,
    queue: (member && relay.load(member)) ?? idleQueue(member),
    failure: member && failureOf(member),
    needsLogin: loginNeededOf(member?.failure) !== undefined,
  };
}

const idleQueue = (member: Member | undefined): QueueLoad => ({
  running: 0,
  waiting: 0,
  concurrency: member?.config.concurrency ?? 0,
  maxQueue: member?.config.maxQueue ?? 0,
  byPrincipal: [],
});

/** How a server is after it was started again: here, and in the other replicas. */
export interface Restarted {
  server: ServerInFull;
  elsewhere: Elsewhere;
  /** It did not start here, so that this many other replicas were left as they are: one that serves it there goes on. */
  left?: number;
}

function actions(pages: PageSources): AdminRoute[] {
  const { federation, call } = pages;

  async function restart(name: string): Promise<ServerStatus> {
    const isThere = await federation.restart(name);
    const status = isThere ? federation.member(name)?.status() : undefined;
    if (!status) throw unknownServer();
    return status;
  }

  pages.actions.on('restart', async ({ name }) => {
    const { state, error } = await restart(String(name));
    return { state, ...(error === undefined ? {} : { error }) };
  });

  /** Builtin tools do it as for any client: policy and the network guard decide. */
  async function tool(name: string, args: JsonObject): Promise<JsonObject> {
    const result = await call('tools/call', { name, arguments: args }, { as: LOCAL_IDENTITY });
    if (result.isError !== true) return isObject(result.structuredContent) ? result.structuredContent : {};
    const [first] = Array.isArray(result.content) ? result.content : [];
    const why = isObject(first) && typeof first.text === 'string' ? first.text : `${name} has failed.`;
    throw new SwitchboardError('SWB_INVALID_REQUEST', why);
  }

  return [
    {
      method: 'POST',
      path: '/admin/api/servers/:name/restart',
      async handle({ params }) {
        const name = decodeURIComponent(params.name as string);
        const status = await restart(name);
        if (status.state !== 'ready') {
          const elsewhere: Elsewhere = { replies: [], silent: 0 };
          const left = pages.replicas() - 1;
          return { json: { server: serverInFull(status, pages), elsewhere, left } satisfies Restarted };
        }
        // The others follow when it has started here, so that one of them always serves it.
        const elsewhere = await pages.actions.elsewhere('restart', { name });
        return { json: { server: serverInFull(status, pages), elsewhere } satisfies Restarted };
      },
    },
    {
      method: 'POST',
      path: '/admin/api/servers/:name/disconnect',
      handle: async ({ params }) => ({
        json: await tool('disconnectServer', { name: decodeURIComponent(params.name as string) }),
      }),
    },
    {
      method: 'POST',
      path: '/admin/api/connect',
      async handle({ body }) {
        const given: unknown = parseJson(body);
        if (!isObject(given)) throw new SwitchboardError('SWB_INVALID_REQUEST', 'The body must be a JSON object.');
        return { json: await tool('connectServer', given) };
      },
    },
  ];
}

export const unknownServer = (): SwitchboardError =>
  new SwitchboardError('SWB_UNKNOWN_SERVER', 'There is no server of that name.');
