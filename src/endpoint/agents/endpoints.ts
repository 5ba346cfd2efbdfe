/**
 * The endpoints at which agents are offered by other protocols than MCP, behind one interface.
 * @module
 */
import type { GatewayConfig } from '../../config/types.ts';
import type { Log } from '../../core/log.ts';
import type { AgentRelay } from '../../relay/relay.ts';
import type { KeyValue } from '../../state/state.ts';
import { A2aEndpoint } from './a2a/serve.ts';
import type { WebhookParts } from './a2a/webhooks/webhooks.ts';
import type { AgentEndpoint } from './endpoint.ts';
import { ResponsesEndpoint } from './responses/serve.ts';

export interface AgentEndpoints {
  /** Undefined: switched off. */
  readonly a2a: AgentEndpoint | undefined;
  readonly responses: AgentEndpoint | undefined;
}

export interface AgentEndpointOptions {
  relay: AgentRelay;
  /** Where tasks and responses are kept. */
  kv: KeyValue;
  log: Log;
  /** Whether clients need a key. */
  secured: boolean;
  /** Of tasks of A2A clients. Undefined: there are none. */
  webhooks?: WebhookParts | undefined;
}

export function createAgentEndpoints(config: GatewayConfig['agents'], options: AgentEndpointOptions): AgentEndpoints {
  const { a2a = true, responses = true, signedCards = 'verbatim' } = config ?? {};
  return {
    a2a: a2a ? new A2aEndpoint({ ...options, signedCards }) : undefined,
    responses: responses ? new ResponsesEndpoint(options) : undefined,
  };
}
