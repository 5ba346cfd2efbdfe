/**
 * A {@link Call} for tests: what the relay would hand to an adapter, with everything the adapter does to it recorded.
 * @module
 */

import type { Ask, AskMethod, Call, LentAccess } from '../../src/core/call.ts';
import type { Caller } from '../../src/core/caller.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { identityOf } from '../../src/core/identity.ts';
import type { JsonObject, Notification } from '../../src/wire/jsonrpc.ts';

export interface FakeCall extends Call {
  /** What the adapter sent to the client, in order. */
  readonly notifications: Notification[];
  /** Input requests the client received, in order; refused ones are not among them. */
  readonly asks: Ask[];
  /** Arguments of `pause`, in order. */
  readonly pauses: number[];
  /** Signs of life that were nothing to tell. */
  readonly alives: number;
  /** The client cancels, or time runs out. */
  abort(reason?: Error): void;
}

export interface FakeCallOptions {
  caller?: Partial<Caller>;
  wantsProgress?: boolean;
  paramHeaders?: Readonly<Record<string, string>>;
  /** Milliseconds the server may be silent. */
  silenceMs?: number;
  /** A key for the agent. */
  lent?: LentAccess;
  /** Answers asks. Without it every ask is refused, as for a client that declared nothing. */
  answer?: (ask: Ask) => JsonObject | Promise<JsonObject>;
  /** Which asks the client declared; all of them when there is an `answer`, none otherwise. */
  canAsk?: (method: AskMethod) => boolean;
}

/** A legacy client; by default without capabilities. */
export function fakeCaller(overrides: Partial<Caller> = {}): Caller {
  return {
    key: 'caller-1',
    principal: 'local',
    identity: identityOf(overrides.principal ?? 'local'),
    era: 'legacy',
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test-client', version: '1.0.0' },
    logLevel: undefined,
    sessionId: undefined,
    ...overrides,
  };
}

/** A modern client; by default without capabilities. */
export function modernCaller(overrides: Partial<Caller> = {}): Caller {
  return fakeCaller({ era: 'modern', protocolVersion: '2026-07-28', ...overrides });
}

export function fakeCall(options: FakeCallOptions = {}): FakeCall {
  const controller = new AbortController();
  const notifications: Notification[] = [];
  const asks: Ask[] = [];
  const pauses: number[] = [];
  const { answer, wantsProgress = false, paramHeaders, silenceMs } = options;
  let alives = 0;
  const canAsk = options.canAsk ?? ((): boolean => answer !== undefined);
  return {
    caller: fakeCaller(options.caller),
    lent: options.lent,
    signal: controller.signal,
    get aborted() {
      return controller.signal.aborted;
    },
    onAbort(listener) {
      if (controller.signal.aborted) {
        listener(controller.signal.reason as Error);
        return () => {};
      }
      const aborted = (): void => listener(controller.signal.reason as Error);
      controller.signal.addEventListener('abort', aborted, { once: true });
      return () => controller.signal.removeEventListener('abort', aborted);
    },
    wantsProgress,
    paramHeaders,
    notify(notification) {
      notifications.push(notification);
    },
    async ask(ask) {
      if (!answer || !canAsk(ask.method)) {
        const why = ask.method.startsWith('tasks/') ? 'Tasks not supported' : `Client does not support ${ask.method}.`;
        throw new SwitchboardError('SWB_ASK_REFUSED', why, { data: { unsupported: true } });
      }
      asks.push(ask);
      return answer(ask);
    },
    silenceMs,
    alive() {
      alives++;
    },
    get alives() {
      return alives;
    },
    pause: (retryMs) => void pauses.push(retryMs),
    canAsk,
    notifications,
    asks,
    pauses,
    abort(reason = new SwitchboardError('SWB_CANCELLED', 'The client cancelled the request.')) {
      controller.abort(reason);
    },
  };
}
