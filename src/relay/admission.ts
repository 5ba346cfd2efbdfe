/**
 * The way of a request to its method: the view its caller has, and what there is to wait for before (servers that connect, a server
 * that the caller's token connects, lists for the caller's capabilities, a login).
 * @module
 */
import { SwitchboardError } from '../core/errors.ts';
import type { Federation, View } from '../federation/types.ts';
import { isLoginState, type LoginAsks } from './asks/login-asks.ts';
import type { Gate } from './gate/gate.ts';
import { isOpenToLent, viewFor } from './gate/lent-filter.ts';
import { awaitOffers, awaitServers, introduceCaller } from './methods/await-servers.ts';
import type { MethodTable } from './methods/index.ts';
import { prepareNames } from './methods/prepare-names.ts';
import { type Method, methodNotFound, type RequestContext } from './request-context.ts';
import type { RunningContext } from './running-request.ts';
import type { CallResult } from './types.ts';

export interface AdmissionOptions {
  federation: Federation;
  gate: Gate | undefined;
  logins: LoginAsks | undefined;
  methodOf: MethodTable;
  isClosed(): boolean;
  /** `listener` is called when the gateway begins to close. Returns what takes it back. */
  onClosing(listener: () => void): () => void;
}

export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** The endpoint's view as servers show it to clients with the caller's capabilities. */
  offered({ caller, request }: Pick<RequestContext, 'caller' | 'request'>, view: View): View {
    const { offers } = this.#options.federation;
    if (!offers) return view;
    const lasts = request.method === 'subscriptions/listen';
    return lasts ? offers.lastingViewFor(caller.capabilities, view) : offers.viewFor(caller.capabilities, view);
  }

  /** What was waited for may show the caller another view. */
  #lookAgain(context: RunningContext): void {
    context.fullView = this.offered(context, context.endpointView);
    context.view = viewFor(this.#options.gate, context.caller.identity, context.fullView);
  }

  /** The result, or its promise; throws where the request is refused. `own`: in place of the method that the request names. */
  answer(context: RunningContext, own: Method | undefined): CallResult | Promise<CallResult> {
    const { caller, view, request } = context;
    // A lent key has the tools it was lent, and neither agents by other protocols nor tasks nor methods of extensions.
    const isOpen = !caller.identity.lent || (!own && isOpenToLent(request.method));
    const method = isOpen ? (own ?? this.#options.methodOf(request.method, caller.era)) : undefined;
    this.#requireReached(view);
    const { requestState } = context.params;
    const { logins } = this.#options;
    if (logins && caller.era === 'modern' && isLoginState(requestState)) {
      return this.#afterLogin(logins, context, method, requestState);
    }
    if (!this.#options.isClosed() && method) {
      const servers = awaitServers(this.#options.federation, context);
      const waiting = servers ? servers.then(() => this.#prepared(context)) : this.#prepared(context);
      if (waiting) return this.#afterwards(waiting, context, method);
    }
    return this.#proceed(context, method);
  }

  /** What else there is to wait for; undefined for all requests but the first of a caller. */
  #prepared(context: RunningContext): Promise<void> | undefined {
    const introduced = introduceCaller(this.#options.federation, context);
    return introduced
      ? introduced.then(() => awaitOffers(this.#options.federation, context))
      : awaitOffers(this.#options.federation, context);
  }

  /** The retry of a request that needed a login, once the person has logged in. It never ran, so everything begins anew. */
  async #afterLogin(
    logins: LoginAsks,
    context: RunningContext,
    method: Method | undefined,
    state: string,
  ): Promise<CallResult> {
    context.params = await logins.admit(context, state);
    if (context.call.reason) throw context.call.reason;
    this.#lookAgain(context);
    this.#requireReached(context.view);
    return this.#proceed(context, method);
  }

  #proceed(context: RequestContext, method: Method | undefined): CallResult | Promise<CallResult> {
    const preparing = prepareNames(context);
    if (this.#options.isClosed()) throw shuttingDown();
    if (!method) throw methodNotFound(context.request.method);
    return preparing ? preparing.then(() => method(context)) : method(context);
  }

  /** A request that waits for servers ends with its client and with the gateway. */
  async #afterwards(waiting: Promise<void>, context: RunningContext, method: Method): Promise<CallResult> {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const stop = this.#options.onClosing(end);
    context.call.onAbort(() => end());
    await Promise.race([waiting, ended]);
    stop();
    if (context.call.reason) throw context.call.reason;
    this.#lookAgain(context);
    this.#requireReached(context.view);
    return this.#proceed(context, method);
  }

  /** A server may have been taken away from a principal while its session at the server's own endpoint goes on. */
  #requireReached(view: View): void {
    const member = view.server === undefined ? undefined : this.#options.federation.member(view.server);
    if (!member || view.reaches(member)) return;
    throw new SwitchboardError('SWB_UNKNOWN_SERVER', 'There is no server of that name. The merged endpoint is /mcp.');
  }
}

export const shuttingDown = (): SwitchboardError =>
  new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');
