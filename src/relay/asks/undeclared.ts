/**
 * Calls that failed because their client could not be asked for input. A modern client receives an error that names the
 * missing capability (2026-07-28 basic/index, -32021), as from a modern server. The result of a server that managed
 * without the input stands, and so does an error about something else: servers ask for roots whenever a client declares that
 * there may be some, and a call during which that happens fails for reasons of its own.
 * @module
 */

import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import { isToolError } from '../../policy/decision/conclusion.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';

interface Asking {
  /** The capabilities that an ask of the call needed and the client did not declare. */
  readonly undeclared: JsonObject | undefined;
}

/** The reply. Throws when it is a tool's error that follows from an ask for which the client declared no capability. */
export function requireDeclared(call: Asking, reply: Reply): Reply {
  if (call.undeclared && isToolError(reply)) {
    const needed = neededFor(call.undeclared, () => textOf(reply));
    if (needed) throw missing(needed);
  }
  return reply;
}

/** The error, or the one about the capability where the server's error follows from such an ask. */
export function undeclaredError(call: Asking, error: unknown): unknown {
  if (!call.undeclared || !(error instanceof UpstreamError)) return error;
  const needed = neededFor(call.undeclared, () => error.message);
  return needed ? missing(needed, error) : error;
}

/** The capabilities the failure is about: roots only where the server's words are about them. */
function neededFor({ roots, ...others }: JsonObject, words: () => string): JsonObject | undefined {
  if (roots !== undefined && /\broots?\b/i.test(words())) return { ...others, roots };
  return Object.keys(others).length > 0 ? others : undefined;
}

const textOf = (reply: Reply): string =>
  'raw' in reply && reply.raw ? reply.raw.toString('utf8') : JSON.stringify(reply);

/** `undeclared`: the capabilities, as `data.requiredCapabilities`. */
export function missing(undeclared: JsonObject, cause?: unknown): Error {
  const names = Object.keys(undeclared);
  return new SwitchboardError(
    'SWB_MISSING_CLIENT_CAPABILITY',
    `This needs a client that declares ${names.map((name) => `'${name}'`).join(' and ')}.`,
    { data: { requiredCapabilities: undeclared }, cause },
  );
}
