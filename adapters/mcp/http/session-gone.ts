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
import type { HttpHead } from '../../shared/origin.ts';

/** An explanation of this length is one; what is longer is a page, or about something else. */
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

/** The sentence of a body that is a line of text or JSON with one; empty for anything else. */
function plainText(body: Buffer): string {
  const text = body.length > MAX_TEXT ? '' : body.toString('utf8').trim();
  if (text.startsWith('<')) return '';
  if (!/^["{]/.test(text)) return text;
  try {
    return sentenceOf(JSON.parse(text));
  } catch {
    return '';
  }
}

/** The message of a JSON body, under the names that frameworks give it. */
export function sentenceOf(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null || depth === 3) return '';
  const members = value as Record<string, unknown>;
  for (const name of ['message', 'error_description', 'detail', 'error', 'jsonRpcError', 'title', 'reason']) {
    const sentence = sentenceOf(members[name], depth + 1);
    if (sentence !== '') return sentence;
  }
  return '';
}
