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
  TaskNotFoundError: typeof import('@a2a-js/sdk/errors')['TaskNotFoundError'];
  UnsupportedOperationError: typeof import('@a2a-js/sdk/errors')['UnsupportedOperationError'];
  /** Tasks as JSON. */
  Task: typeof import('@a2a-js/sdk')['Task'];
}

let loading: Promise<Sdk> | undefined;

export function loadSdk(): Promise<Sdk> {
  loading ??= Promise.all([
    import('@a2a-js/sdk/server'),
    import('@a2a-js/sdk/compat/v0_3/server'),
    import('@a2a-js/sdk'),
    import('@a2a-js/sdk/errors'),
  ]).then(([server, legacy, types, errors]) => ({
    AgentEvent: server.AgentEvent,
    DefaultRequestHandler: server.DefaultRequestHandler,
    JsonRpcTransportHandler: server.JsonRpcTransportHandler,
    LegacyJsonRpcTransportHandler: legacy.LegacyJsonRpcTransportHandler,
    ServerCallContext: server.ServerCallContext,
    TaskNotFoundError: errors.TaskNotFoundError,
    UnsupportedOperationError: errors.UnsupportedOperationError,
    Task: types.Task,
  }));
  return loading;
}
