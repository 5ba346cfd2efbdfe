/**
 * The gateway as the command line and tests see it. Apart from the types of programs that embed it, which need no package that
 * only the parts inside use: those types are compiled where only the package itself is installed.
 * @module
 */
import type { Logins } from './auth/upstream/types.ts';
import type { BrowserSessions } from './endpoint/admin/browser-sessions.ts';
import type { Federation } from './federation/types.ts';
import type { GatewayConnect } from './gateway-connect.ts';
import type { Gateway, GatewayParts } from './gateway-types.ts';
import type { Config } from './load-config.ts';
import type { Relay } from './relay/relay.ts';

export interface InternalGateway extends Gateway {
  readonly federation: Federation;
  readonly relay: Relay;
  /** Logging in to servers; undefined where no provider of credentials has it ({@link GatewayParts.credentials}). */
  readonly logins: Logins | undefined;
  /** The pages on which people do; undefined without {@link logins}. */
  readonly connecting: GatewayConnect | undefined;
  /** Sessions of operators' browsers; undefined without an administration. */
  readonly operators: BrowserSessions | undefined;
}

export interface InternalParts extends GatewayParts {
  /** Lists are complete before they are shown, also where no lock file is compared: for the command that writes one. */
  wholeDefinitions?: boolean;
  /** Servers are connected from then on, so that fifty of them do not hold up the endpoint. Default: at once. */
  startAfter?: Promise<void>;
}

/** Starts connecting to every configured server, at once or after `startAfter`, and resolves without waiting for any. */
export type OpenGateway = (config: Config, parts: InternalParts) => Promise<InternalGateway>;
