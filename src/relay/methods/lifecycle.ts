/**
 * Handshake and identity: `initialize` (legacy), `server/discover` (modern), `ping`, `logging/setLevel`.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { isLogLevel, LOG_LEVELS } from '../../core/log-level.ts';
import type { View } from '../../federation/types.ts';
import { META } from '../../wire/envelope.ts';
import { SUPPORTED_REVISIONS } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { Method } from '../request-context.ts';

/** `instance`: how the gateway names itself towards servers. The endpoint has negotiated the version. */
export const initialize =
  (instance: string | undefined): Method =>
  ({ view, caller }) => {
    refuseItself(caller, instance);
    return {
      value: withInstructions(view, {
        protocolVersion: caller.protocolVersion,
        capabilities: view.capabilities('legacy'),
        serverInfo: view.serverInfo(),
      }),
    };
  };

/** Short: servers come and go at run time, and a client learns of a new capability only when it asks again. */
const DISCOVER_TTL_MS = 10_000;

export const discover =
  (instance: string | undefined): Method =>
  ({ view, caller }) => {
    refuseItself(caller, instance);
    return {
      value: withInstructions(view, {
        resultType: 'complete',
        supportedVersions: [...SUPPORTED_REVISIONS],
        capabilities: view.capabilities('modern'),
        ttlMs: DISCOVER_TTL_MS,
        cacheScope: 'private',
        _meta: { [META.serverInfo]: view.serverInfo() },
      }),
    };
  };

/** A gateway that federates itself would list its own tools again under a longer name, those again, and so on. */
function refuseItself({ clientInfo }: Caller, instance: string | undefined): void {
  if (instance === undefined || clientInfo?.instance !== instance) return;
  throw new SwitchboardError('SWB_CONNECT_FAILED', 'This address leads back to the gateway itself.');
}

function withInstructions(view: View, value: JsonObject): JsonObject {
  const instructions = view.instructions();
  return instructions === undefined ? value : { ...value, instructions };
}

export const ping: Method = () => ({ value: {} });

/** The level is kept on the session's caller; adapters pass it on with the session's next call. */
export const setLevel: Method = ({ session, params }) => {
  if (!isLogLevel(params.level)) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', `params.level must be one of ${LOG_LEVELS.join(', ')}.`);
  }
  if (session) session.caller = { ...session.caller, logLevel: params.level };
  return { value: {} };
};
