/**
 * Who sends a request, as every layer behind the endpoints sees it.
 * @module
 */
import type { Implementation } from '../wire/envelope.ts';
import type { Era } from '../wire/eras.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import type { Identity } from './identity.ts';

/** The sender of requests. Made once per request (modern) or per session (legacy) at the edge and passed inwards. */
export interface Caller {
  /** The key of upstream isolation and of turns within a principal: the session (legacy), the principal or a session it names (modern). */
  readonly key: string;
  /** `identity.principal`: whose the session, its tasks, suspended calls and approvals are. */
  readonly principal: string;
  /** The identity of the request; of a session's calls, that of the request which brought them. */
  readonly identity: Identity;
  /** The embedding program calls on behalf of the identity: no credential was shown, so none can lose its validity. */
  readonly inProcess?: boolean;
  readonly era: Era;
  readonly protocolVersion: string;
  readonly capabilities: JsonObject;
  readonly clientInfo: Implementation | undefined;
  /** Modern: the level of this request. Legacy: the session's, once set. Undefined: send no log messages. */
  readonly logLevel: string | undefined;
  /** Legacy session id; undefined for modern callers. */
  readonly sessionId: string | undefined;
}
