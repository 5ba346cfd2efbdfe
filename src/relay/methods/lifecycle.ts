/**
 * Opening and identity: `initialize` (legacy), `server/discover` (modern), `ping`, `logging/setLevel`.
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import { isLogLevel, LOG_LEVELS } from '../../core/log-level.ts';
import { META } from '../../wire/envelope.ts';
import { SUPPORTED_REVISIONS } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { Method, RequestContext } from '../request-context.ts';

/**
 * A gateway that federates itself has its own tools again under a longer name, those again under one still longer, and so
 * on without end.
 */
function refuseItself({ inbound: { caller }, services }: RequestContext): void {
  if (services.instance === undefined || caller.clientInfo?.instance !== services.instance) return;
  throw new SwitchboardError('SWB_CONNECT_FAILED', 'This address leads back to the gateway itself.');
}

/** The endpoint has negotiated: the version to answer with is the caller's. */
export const initialize: Method = (turn) => {
  refuseItself(turn);
  const { view, caller } = turn.inbound;
  const value: JsonObject = {
    protocolVersion: caller.protocolVersion,
    capabilities: view.capabilities('legacy'),
    serverInfo: view.serverInfo(),
  };
  const instructions = view.instructions();
  if (instructions !== undefined) value.instructions = instructions;
  return { value };
};

/**
 * Not cached long: what is federated changes at run time, and nothing tells a client of a new capability but asking
 * again.
 */
const DISCOVER_TTL_MS = 10_000;

export const discover: Method = (turn) => {
  refuseItself(turn);
  const { view } = turn.inbound;
  const value: JsonObject = {
    resultType: 'complete',
    supportedVersions: [...SUPPORTED_REVISIONS],
    capabilities: view.capabilities('modern'),
    ttlMs: DISCOVER_TTL_MS,
    cacheScope: 'private',
    _meta: { [META.serverInfo]: view.serverInfo() },
  };
  const instructions = view.instructions();
  if (instructions !== undefined) value.instructions = instructions;
  return { value };
};

export const ping: Method = () => ({ value: {} });

/** The level travels with the session's caller; adapters pass it on with the session's next call. */
export const setLevel: Method = ({ inbound: { session }, params }) => {
  if (!isLogLevel(params.level)) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', `params.level must be one of ${LOG_LEVELS.join(', ')}.`);
  }
  if (session) session.caller = { ...session.caller, logLevel: params.level };
  return { value: {} };
};
