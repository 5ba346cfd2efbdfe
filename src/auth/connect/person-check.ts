/**
 * Who is at a browser, found out by a login at the issuer that the identities of callers come from: the page of a call that needs a
 * login to a server compares it with who made the call.
 * Source: MCP 2026-07-28 client/elicitation, "Phishing": the page verifies that who opens it is who was asked.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Identity } from '../../core/identity.ts';

export interface PersonCheck {
  /** The host where people log in. */
  readonly at: string;
  /** Whether this identity is of a person who logs in there under the same name. */
  knows(identity: Identity): boolean;
  /** Where the browser goes. The person comes back as a {@link CheckedPerson} with this page, in this browser alone. */
  begin(page: string, browser: string): Promise<URL>;
}

/** A person who is back from a check, in the browser it began in. */
export interface CheckedPerson {
  readonly page: string;
  /** Who it is; undefined where no person has logged in. */
  readonly principal: string | undefined;
  /** For the person, where none has logged in. */
  readonly refusal?: string;
}

/** Serves the request with which a person is back. */
export type CheckedHandler = (req: IncomingMessage, res: ServerResponse, person: CheckedPerson) => void;
