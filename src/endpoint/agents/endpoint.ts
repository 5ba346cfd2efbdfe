/**
 * What an endpoint is that offers agents by another protocol than MCP.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Identity } from '../../core/identity.ts';
import type { View } from '../../federation/types.ts';

/** A request, once it is authenticated. */
export interface AgentHttp {
  req: IncomingMessage;
  res: ServerResponse;
  identity: Identity;
  /** Of the agent's server where the address names one, else the merged one. */
  view: View;
  /** Where clients reach the gateway: scheme, host and base path. */
  base: string;
}

export interface AgentAddress {
  server: string | undefined;
  agent: string | undefined;
  path: string;
}

export interface AgentEndpoint {
  /**
   * Answers the request. `body` is its parsed body, `{}` where it has none. Throws, or rejects with, a `SwitchboardError`,
   * for {@link refuse}.
   */
  take(http: AgentHttp, address: AgentAddress, body: unknown): void | Promise<void>;
  /** Sends an error in the protocol's form. */
  refuse(res: ServerResponse, error: unknown): void;
  /** Ends what it does by itself. Never rejects. */
  close?(): Promise<void>;
}
