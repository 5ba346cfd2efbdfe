/**
 * What programs that embed the gateway use. Everything else is inside and may change. What adapters for other kinds of
 * servers are written against is `agent-switchboard/adapter`.
 * @module
 */
export type { Overrides } from './config/gateway-section.ts';
export type { ServerEntryInput } from './config/schema/server-entry.ts';
export type { StateTarget } from './config/schema/state.ts';
export type {
  AdminConfig,
  AdminLoginConfig,
  AuthConfig,
  BridgeConfig,
  ClaimRule,
  GatewayConfig,
  MqttConfig,
  ServerConfig,
  TelemetryConfig,
} from './config/types.ts';
export type * from './core/adapter.ts';
export type { AgentRunRef } from './core/agent-call.ts';
export type { BrokerLogin, BrokerSettings, CallerLogins, MqttVersion } from './core/broker.ts';
export type * from './core/call.ts';
export type { Caller } from './core/caller.ts';
export type * from './core/credentials.ts';
export { type ErrorCode, type ErrorDetails, SwitchboardError, UpstreamError } from './core/errors.ts';
export {
  type Authenticator,
  type AuthRequest,
  type Identity,
  type Lent,
  LOCAL_IDENTITY,
  type ScopedEntry,
  type TokenScopes,
} from './core/identity.ts';
export type { Log } from './core/log.ts';
export type * from './core/server-auth.ts';
export type { MemoryValue, ServerMemory } from './core/server-memory.ts';
export type * from './core/token-issuer.ts';
export type * from './core/upstream.ts';
export { createGateway } from './create-gateway.ts';
export type { ConfigurationChange, ConfigurationFile } from './endpoint/admin/sources.ts';
export type { ServerState, ServerStatus, SkippedEntry } from './federation/types.ts';
export { defineConfig } from './gateway-options.ts';
export type {
  CallOptions,
  Gateway,
  GatewayOptions,
  GatewayParts,
  GatewaySection,
  HookOption,
  ServerOptions,
  StdioConnection,
} from './gateway-types.ts';
export { type Config, type LoadedConfig, type LoadOptions, loadConfig, readConfig } from './load-config.ts';
export type { AuditConfig } from './observe/audit/file-log.ts';
export type { AuditOutcome, AuditVerdict } from './observe/audit/record.ts';
export type * from './observe/events.ts';
export { subscribe } from './observe/events.ts';
export { createLog, type LogDestination, type LogOptions } from './observe/log.ts';
export type * from './policy/explain/explanation.ts';
export type { TraceStep } from './policy/explain/trace.ts';
export * from './policy/hooks/contract.ts';
export type { HookAnswered } from './policy/hooks/outcome.ts';
export type { ConditionOperator } from './policy/language/operators.ts';
export type { HookEntry } from './policy/language/schema/keys.ts';
export type * from './policy/language/types.ts';
export type { ApprovalNeed, ArgumentCheck, Denial, LimitUse, Subject, Verdict } from './policy/types.ts';
export type { ReplicaId } from './state/replica.ts';
export type * from './state/state.ts';
export type { Envelope, Implementation } from './wire/envelope.ts';
export type { Era } from './wire/eras.ts';
export type { ResultOutline } from './wire/json/outline.ts';
export type { PathEdit } from './wire/json/splice.ts';
export type { JsonObject, Notification, RequestId, RpcError } from './wire/jsonrpc.ts';
export type { Pieces } from './wire/pieces.ts';
