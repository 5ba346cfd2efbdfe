/**
 * What an adapter for another kind of server is written against, published as `agent-switchboard/adapter`: the contract,
 * the errors it throws, the kinds that come with the gateway, and the behaviour suite every adapter passes.
 * @module
 */
export { adapterCases, type TestRunner } from '../adapters/cases.ts';
export { ADAPTERS } from '../adapters/index.ts';
export { type FakeCall, type FakeCallOptions, fakeCall } from '../adapters/testing/call.ts';
export {
  type ContextOverrides,
  type FakeContext,
  fakeContext,
  fakeDetectContext,
  fakeMemory,
  type LogLine,
  type RecordingLog,
} from '../adapters/testing/context.ts';
export type { CaseRequest, CaseSetup, OptionalCases } from '../adapters/testing/setup.ts';
export type { Adapter, ConnectContext, DetectContext, NetworkGuard, ServerHabits, Target } from './core/adapter.ts';
export type {
  AgentAttachParams,
  AgentCallParams,
  AgentCallResult,
  AgentDescription,
  AgentMessage,
  AgentRunRef,
  AgentStep,
  AgentThread,
  ContentPart,
  ListThreadsParams,
  ListThreadsResult,
  ThreadHistory,
  ThreadParams,
  ToolAttachParams,
} from './core/agent-call.ts';
export type { BrokerLogin, BrokerSettings, CallerLogins, MqttVersion } from './core/broker.ts';
export type { Ask, AskMethod, Call, LentAccess } from './core/call.ts';
export type { Caller } from './core/caller.ts';
export type * from './core/credentials.ts';
export { GATEWAY_IDENTITY } from './core/credentials.ts';
export { type ErrorCode, type ErrorDetails, SwitchboardError, UpstreamError } from './core/errors.ts';
export type * from './core/identity.ts';
export type { Log } from './core/log.ts';
export type * from './core/server-auth.ts';
export type { MemoryValue, ServerMemory } from './core/server-memory.ts';
export {
  CATALOG_KINDS,
  type CapabilityLists,
  type Catalog,
  type CatalogKind,
  type Change,
  type Entry,
  type LegacyForm,
  type ListenFilter,
  type Reply,
  type Subscription,
  type Upstream,
} from './core/upstream.ts';
export type { Envelope, Implementation } from './wire/envelope.ts';
export type { Era } from './wire/eras.ts';
export type { ResultOutline } from './wire/json/outline.ts';
export type { PathEdit } from './wire/json/splice.ts';
export type { JsonObject, Notification, RpcError } from './wire/jsonrpc.ts';
export type { Pieces } from './wire/pieces.ts';
