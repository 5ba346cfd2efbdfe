/**
 * The reference SDK's server side of A2A, loaded with the first request that needs it.
 * @module
 */
export interface Sdk {
  AgentEvent: typeof import('@a2a-js/sdk/server')['AgentEvent'];
  DefaultExecutionEventBusManager: typeof import('@a2a-js/sdk/server')['DefaultExecutionEventBusManager'];
  DefaultRequestHandler: typeof import('@a2a-js/sdk/server')['DefaultRequestHandler'];
  JsonRpcTransportHandler: typeof import('@a2a-js/sdk/server')['JsonRpcTransportHandler'];
  LegacyJsonRpcTransportHandler: typeof import('@a2a-js/sdk/compat/v0_3/server')['LegacyJsonRpcTransportHandler'];
  ServerCallContext: typeof import('@a2a-js/sdk/server')['ServerCallContext'];
  RequestMalformedError: typeof import('@a2a-js/sdk/errors')['RequestMalformedError'];
  TaskNotFoundError: typeof import('@a2a-js/sdk/errors')['TaskNotFoundError'];
  UnsupportedOperationError: typeof import('@a2a-js/sdk/errors')['UnsupportedOperationError'];
  V1PushNotificationSerializer: typeof import('@a2a-js/sdk/server')['V1PushNotificationSerializer'];
  V03PushNotificationSerializer: typeof import('@a2a-js/sdk/compat/v0_3/server')['V03PushNotificationSerializer'];
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
    DefaultExecutionEventBusManager: server.DefaultExecutionEventBusManager,
    DefaultRequestHandler: server.DefaultRequestHandler,
    JsonRpcTransportHandler: server.JsonRpcTransportHandler,
    LegacyJsonRpcTransportHandler: legacy.LegacyJsonRpcTransportHandler,
    ServerCallContext: server.ServerCallContext,
    RequestMalformedError: errors.RequestMalformedError,
    TaskNotFoundError: errors.TaskNotFoundError,
    UnsupportedOperationError: errors.UnsupportedOperationError,
    V1PushNotificationSerializer: server.V1PushNotificationSerializer,
    V03PushNotificationSerializer: legacy.V03PushNotificationSerializer,
    Task: types.Task,
  }));
  return loading;
}
