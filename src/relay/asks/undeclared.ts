/**
 * Calls that failed because their client could not be asked. A modern client hears which capability was missing
 * (2026-07-28 basic/index, -32021), as it would from a modern server; a server that managed without the answer has
 * answered, and that stands.
 * @module
 */

import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import { outlineOfResult } from '../../wire/raw-result.ts';
import type { RelayCall } from '../call.ts';

/** The reply, unless it is an error that follows from a question the client did not declare. */
export async function unlessUndeclared(call: RelayCall, sent: Promise<Reply>): Promise<Reply> {
  let reply: Reply;
  try {
    reply = await sent;
  } catch (error) {
    throw call.undeclared && error instanceof UpstreamError ? missing(call, error) : error;
  }
  if (call.undeclared && isFailure(reply)) throw missing(call);
  return reply;
}

function missing({ undeclared }: RelayCall, cause?: unknown): Error {
  const names = Object.keys(undeclared ?? {});
  return new SwitchboardError(
    'SWB_MISSING_CLIENT_CAPABILITY',
    `This needs a client that declares ${names.map((name) => `'${name}'`).join(' and ')}.`,
    { data: { requiredCapabilities: undeclared }, cause },
  );
}

/** Whether a tool says that it failed. */
export function isFailure(reply: Reply): boolean {
  if ('value' in reply) return reply.value.isError === true;
  if ('inputRequired' in reply) return false;
  return (reply.members ?? outlineOfResult(reply.raw)).isError;
}
