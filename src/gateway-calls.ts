/**
 * Requests that the program itself makes, in its own process.
 * @module
 */
import type { Caller } from './core/caller.ts';
import { type Identity, LOCAL_IDENTITY, requirePrincipal } from './core/identity.ts';
import { PRODUCT } from './core/product.ts';
import type { View } from './federation/types.ts';
import type { CallOptions, Gateway } from './gateway-types.ts';
import type { Relay } from './relay/relay.ts';
import { resultObject } from './relay/types.ts';
import { LATEST_LEGACY } from './wire/eras.ts';
import type { JsonObject } from './wire/jsonrpc.ts';

/** `gateway.call` on this relay and view. */
export const localCalls =
  (relay: Relay, view: View): Gateway['call'] =>
  async (
    method,
    params = {},
    { as = LOCAL_IDENTITY, signal, onNotification, onAsk, capabilities }: CallOptions = {},
  ) => {
    const flight = relay.handle({
      caller: callerFor(as, onAsk ? (capabilities ?? FORMS) : {}),
      view,
      request: { jsonrpc: '2.0', id: 1, method, params },
      channel: { notify: (notification) => onNotification?.(notification), ...(onAsk ? { ask: onAsk } : {}) },
    });
    const stop = (): void => flight.cancel();
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return resultObject(await flight.result);
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  };

const FORMS: JsonObject = { elicitation: { form: {} } };

/** Without a session. */
function callerFor(identity: Identity, capabilities: JsonObject): Caller {
  requirePrincipal(identity);
  return {
    key: identity === LOCAL_IDENTITY ? 'local-command' : identity.principal,
    principal: identity.principal,
    identity,
    inProcess: true,
    era: 'legacy',
    protocolVersion: LATEST_LEGACY,
    capabilities,
    clientInfo: PRODUCT,
    logLevel: undefined,
    sessionId: undefined,
  };
}
