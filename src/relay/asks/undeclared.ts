/**
 * Calls that failed because their client could not be asked for input. A modern client receives an error that names the
 * missing capability (2026-07-28 basic/index, -32021), as from a modern server. The result of a server that managed
 * without the input stands.
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
  if (call.undeclared && isToolError(reply)) throw missing(call);
  return reply;
}

/** The error, or the one about the capability where the server's error follows from such an ask. */
export const undeclaredError = (call: Asking, error: unknown): unknown =>
  call.undeclared && error instanceof UpstreamError ? missing(call, error) : error;

function missing({ undeclared }: Asking, cause?: unknown): Error {
  const names = Object.keys(undeclared ?? {});
  return new SwitchboardError(
    'SWB_MISSING_CLIENT_CAPABILITY',
    `This needs a client that declares ${names.map((name) => `'${name}'`).join(' and ')}.`,
    { data: { requiredCapabilities: undeclared }, cause },
  );
}
