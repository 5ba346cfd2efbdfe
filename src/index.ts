/**
 * What programs that embed the gateway use. Everything else is inside and may change.
 * @module
 */

export type { GatewayConfig, ServerConfig } from './config/types.ts';
export { type ErrorCode, SwitchboardError, UpstreamError } from './core/errors.ts';
export type { Federation, Member, ServerStatus, View } from './federation/types.ts';
export { createGateway } from './gateway.ts';
export type { Gateway, GatewayOptions } from './gateway-types.ts';
export type { Config } from './load-config.ts';
export { type LoadOptions, loadConfig } from './load-config.ts';
export { createLog } from './observe/log.ts';
export {
  anyGlob,
  type Hook,
  type HookContext,
  type HookDecision,
  type HookFactory,
  type HookInput,
  hookOptionError,
  PINNED_IN_PARAMS,
  PINNED_IN_RESULTS,
  readHookOptions,
} from './policy/hooks/contract.ts';
export type { HookPhase, PolicyConfig, PolicyDocument } from './policy/language/types.ts';
