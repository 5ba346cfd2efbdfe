/**
 * The reference SDK's server side of A2A, loaded with the first request that needs it.
 * @module
 */
export interface Sdk {
  AgentEvent: typeof import('@a2a-js/sdk/server')['AgentEvent'];
  DefaultRequestHandler: typeof import('@a2a-js/sdk/server')['DefaultRequestHandler'];
  JsonRpcTransportHandler: typeof import('@a2a-js/sdk/server')['JsonRpcTransportHandler'];
  LegacyJsonRpcTransportHandler: typeof import('@a2a-js/sdk/compat/v0_3/server')['LegacyJsonRpcTransportHandler'];
  ServerCallContext: typeof import('@a2a-js/sdk/server')['ServerCallContext'];
}

let loading: Promise<Sdk> | undefined;

export function loadSdk(): Promise<Sdk> {
  loading ??= Promise.all([import('@a2a-js/sdk/server'), import('@a2a-js/sdk/compat/v0_3/server')]).then(
    ([server, legacy]) => ({
      AgentEvent: server.AgentEvent,
      DefaultRequestHandler: server.DefaultRequestHandler,
      JsonRpcTransportHandler: server.JsonRpcTransportHandler,
      LegacyJsonRpcTransportHandler: legacy.LegacyJsonRpcTransportHandler,
      ServerCallContext: server.ServerCallContext,
    }),
  );
  return loading;
}
