/**
 * Who calls by A2A, as the SDK hands it through.
 * @module
 */
import type { Identity } from '../../../core/identity.ts';
import type { Pace } from './pace.ts';

export interface A2aUser {
  readonly isAuthenticated: boolean;
  /** The principal. */
  readonly userName: string;
  readonly identity: Identity;
  /** The agent that is addressed, whose tasks alone there are; undefined: those of every agent. */
  readonly agent?: string | undefined;
  /** Aborted when the connection of the request is gone. */
  readonly left: AbortSignal;
  /** The request sends a message: what the SDK makes of the task stands while it does. */
  readonly sends: boolean;
  /** Of the stream that the request is answered with; undefined where it is answered as a whole. */
  readonly pace: Pace | undefined;
}
