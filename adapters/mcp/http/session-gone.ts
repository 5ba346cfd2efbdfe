/**
 * How servers say over HTTP that they do not know a session any more. All of these come before anything runs, so that the
 * request may be sent once more in a new session:
 *
 * - 404 or 410 with anything but the server's own answer to the request (2025-11-25 transports, "Session Management");
 * - 400 and JSON-RPC -32000 or -32600 (TypeScript SDK and its examples, Kotlin SDK);
 * - 400 and a line of text (Python SDK 1.8 to 1.25: "No valid session ID provided"; mcp-go: "Invalid session ID");
 * - 400 and plain JSON (Ruby SDK 0.2 to 0.8: `{"error": "Invalid session ID"}`; Java SDK: `jsonRpcError`);
 * - 401 and a line of text (rmcp up to 0.16: "Unauthorized: Session not found"), which is no question of credentials.
 * @module
 */
import { RPC, type UpstreamError } from '../../../src/core/errors.ts';
import { sentenceIn } from '../../../src/core/evidence.ts';
import type { HttpHead } from '../../shared/origin.ts';

const MAX_TEXT = 1_000;

const LOST =
  /\bsession(?:[ _-]?ids?)?\b.{0,80}\b(?:not found|unknown|invalid|expired|terminated|closed|missing|required|does not exist|doesn't exist|no longer|not valid|not provided)\b|\b(?:no valid|invalid|unknown|unrecognized|expired|missing|no such|no)\b[\w ,-]{0,40}\bsession\b|\bnot (?:been )?initialized\b/is;

/** `Unauthorized: Session not found`, and nothing of tokens or signing in. */
const LOST_401 =
  /^\W*(?:unauthorized\W+)?session(?: id)? (?:was )?(?:not found|unknown|invalid|expired|terminated)\W*$/i;

/** Whether this failure of a request in a session means that the server does not know the session. */
export function isSessionGone(head: HttpHead, body: Buffer, said: UpstreamError | undefined, own: boolean): boolean {
  const { status, headers } = head;
  if (status === 404 || status === 410) return !own || said?.rpcCode === RPC.sessionNotFound;
  if (status === 401) {
    return headers['www-authenticate'] === undefined && LOST_401.test(said?.message ?? plainText(body));
  }
  if (status !== 400) return false;
  if (!said) return LOST.test(plainText(body));
  const { rpcCode, message } = said;
  const refusesRequest =
    rpcCode === RPC.badSession || rpcCode === RPC.sessionNotFound || rpcCode === RPC.invalidRequest;
  return refusesRequest && LOST.test(message.slice(0, MAX_TEXT));
}

/** An explanation is short: what is longer is a page, or about something else. */
const plainText = (body: Buffer): string => (body.length > MAX_TEXT ? '' : sentenceIn(body.toString('utf8')));
