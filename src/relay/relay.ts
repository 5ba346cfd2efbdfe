/**
 * The relay: one request in, one answer out, whoever asks and whoever answers.
 * @module
 */
import type { Call } from '../core/call.ts';
import type { Caller } from '../core/caller.ts';
import { SwitchboardError, UpstreamError } from '../core/errors.ts';
import type { Identity } from '../core/identity.ts';
import type { Log } from '../core/log.ts';
import type { CatalogKind } from '../core/upstream.ts';
import type { Federation, Route, View } from '../federation/types.ts';
import type { JsonObject, Notification } from '../wire/jsonrpc.ts';
import { ownSealing, type Sealing } from './asks/request-state.ts';
import { type ParkingLimits, SuspendedCalls } from './asks/suspended-calls.ts';
import { RelayCall } from './call.ts';
import { isExtension, mayGoOn } from './client-notifications.ts';
import { Dispatcher } from './dispatch.ts';
import type { Gate } from './gate/gate.ts';
import { methodFor } from './methods/index.ts';
import { callInside } from './nested.ts';
import { progressTokenOf, type RequestContext, type Services, shorten } from './request-context.ts';
import { ClientSessions } from './sessions.ts';
import type { QuestionLimits } from './tasks/questions.ts';
import { Tasks } from './tasks/tasks.ts';
import type { CallResult, ClientSession, Inbound, InFlight, Relay } from './types.ts';

export interface RelayOptions {
  federation: Federation;
  log: Log;
  /** What the gateway calls itself towards servers, in `clientInfo.instance`. */
  instance?: string;
  /** Policy in front of every request. */
  gate?: Gate;
  /** Seals the states that clients carry. Default: {@link ownSealing}. */
  sealing?: Sealing;
  parking?: ParkingLimits;
  taskQuestions?: QuestionLimits;
  /** How long `close` waits for calls in flight. */
  drainMs?: number;
}

/** What the gateway's own tools need of the relay. */
export type CallRoute = (
  route: Route,
  method: 'agents/call' | 'agents/describe',
  params: JsonObject,
  call: Call,
) => Promise<JsonObject>;

export function createRelay(options: RelayOptions): Relay & { callRoute: CallRoute } {
  const { federation, log, gate } = options;
  const closing = new Set<() => void>();
  let closed = false;
  const sealing = options.sealing ?? ownSealing();
  const parking = new SuspendedCalls(sealing, options.parking);
  const dispatcher = new Dispatcher(parking, sealing);
  const seenBy = (identity: Identity, view: View): View => gate?.viewFor(identity, view) ?? view;
  const tasks = new Tasks(options.taskQuestions);
  const sessions = new ClientSessions(federation, log, tasks.ledger, {
    viewOf: ({ caller, view }) => seenBy(caller.identity, view),
    screen: gate && ((session, member, sent) => gate.screenOutside(session.caller, member, sent)),
    hears: gate && ((session, member, original) => gate.hears(session.caller, member, original)),
  });
  gate?.onChanged(() => sessions.policyChanged());
  const onClosing = (listener: () => void): (() => void) => {
    closing.add(listener);
    return () => closing.delete(listener);
  };
  const services: Services = { federation, dispatcher, sessions, tasks, gate, instance: options.instance, onClosing };
  const running = new Set<RelayCall>();

  function answer(turn: RequestContext): Promise<CallResult> {
    const { call, inbound } = turn;
    return new Promise<CallResult>((resolve, reject) => {
      const settle = (): void => {
        call.settle();
        running.delete(call);
      };
      const fail = (error: unknown): void => {
        settle();
        // The client is told that the log has the details of what nobody foresaw.
        if (!(error instanceof SwitchboardError || error instanceof UpstreamError))
          log.error({ err: error, method: inbound.request.method }, 'A request failed on something unforeseen.');
        reject(error as Error);
      };
      // Whatever an adapter does or fails to do, an aborted call is answered now.
      call.onAbort(fail);
      running.add(call);
      try {
        const method = methodFor(inbound.request.method, inbound.caller.era);
        requireReached(inbound.view, federation);
        const preparing = preparingOf(inbound.view, inbound.request.method);
        if (closed) throw new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');
        if (!method) {
          throw new SwitchboardError('SWB_METHOD_NOT_FOUND', `Method not found: '${shorten(inbound.request.method)}'.`);
        }
        const result = preparing ? preparing.then(() => method(turn)) : method(turn);
        if (result instanceof Promise) {
          result.then((value) => {
            settle();
            resolve(value);
          }, fail);
        } else {
          settle();
          resolve(result);
        }
      } catch (error) {
        fail(error);
      }
    });
  }

  return {
    handle(inbound: Inbound): InFlight {
      const params = inbound.request.params ?? {};
      const call = new RelayCall(inbound.caller, inbound.channel, progressTokenOf(params), inbound.paramHeaders);
      const view = seenBy(inbound.caller.identity, inbound.view);
      const seen = view === inbound.view ? inbound : { ...inbound, view };
      return {
        answer: answer({ inbound: seen, whole: inbound.view, call, services, params }),
        cancel: (reason) => call.abort(cancelled(reason)),
      };
    },

    openSession(session: ClientSession): void {
      sessions.open(session);
    },

    closeSession(session: ClientSession): void {
      if (!sessions.close(session)) return;
      tasks.ofClients.forget(federation.members(), session.caller.key);
      for (const member of federation.members()) member.upstream?.release?.(session.caller.key);
    },

    notified(sent: Notification, caller: Caller, view: View): void {
      if (!mayGoOn(sent)) return;
      const seen = seenBy(caller.identity, view);
      for (const member of federation.members()) {
        if (!seen.reaches(member)) continue;
        const reached =
          view.server === undefined ? tasks.ofClients.concerns(member, caller.key, sent) : view.server === member.name;
        if (!reached) continue;
        const pass = (): void => member.upstream?.notify?.(sent, caller);
        const admitted = !gate || !isExtension(sent) || gate.admitsNotification(caller, member, sent);
        if (admitted instanceof Promise) void admitted.then((may) => may && pass());
        else if (admitted) pass();
      }
    },

    async callRoute(route, method, params, call) {
      const admission = await gate?.judgeNested(call, route, method, params);
      return callInside(call, dispatcher, route.member, method, params, admission);
    },

    expel(isValid): void {
      const gone = new SwitchboardError('SWB_UNAUTHENTICATED', 'The key this call was made with is no longer valid.');
      for (const call of [...running]) if (!isValid(call.caller.identity)) call.abort(gone);
      parking.drop((identity) => !isValid(identity), gone);
    },

    async close(): Promise<void> {
      if (closed) return;
      closed = true;
      for (const end of [...closing]) end();
      parking.close();
      tasks.questions.close();
      const deadline = performance.now() + (options.drainMs ?? 5_000);
      while (running.size > 0 && performance.now() < deadline) await new Promise((next) => setTimeout(next, 20));
      for (const call of [...running])
        call.abort(new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.'));
    },
  };
}

function cancelled(reason: string | undefined): SwitchboardError {
  return new SwitchboardError(
    'SWB_CANCELLED',
    reason ? `Cancelled: ${shorten(reason)}` : 'The client cancelled the call.',
  );
}

/** A server of a view of its own may have been taken away from this principal while its session goes on. */
function requireReached(view: View, federation: Federation): void {
  const member = view.server === undefined ? undefined : federation.member(view.server);
  if (!member || view.reaches(member)) return;
  throw new SwitchboardError('SWB_UNKNOWN_SERVER', 'There is no server of that name. The merged endpoint is /mcp.');
}

/** Lists in which hooks have to look for what a method names. Agents are named in arguments of the gateway's own tools. */
const LOOKED_IN: Readonly<Record<string, readonly CatalogKind[]>> = {
  'tools/list': ['tools'],
  'tools/call': ['tools', 'agents'],
  'prompts/list': ['prompts'],
  'prompts/get': ['prompts'],
  'resources/list': ['resources'],
  'resources/templates/list': ['templates'],
  'resources/read': ['resources', 'templates'],
  'resources/subscribe': ['resources', 'templates'],
  'subscriptions/listen': ['resources', 'templates'],
  'completion/complete': ['prompts', 'resources', 'templates'],
};

/** Mostly undefined: nothing has to be waited for. */
function preparingOf(view: View, method: string): Promise<unknown> | undefined {
  if (!view.prepare) return undefined;
  const waits = LOOKED_IN[method]?.flatMap((kind) => view.prepare?.(kind) ?? []);
  return waits && waits.length > 0 ? Promise.all(waits) : undefined;
}
