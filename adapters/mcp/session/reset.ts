/**
 * `resetSessionOnFailure`: tools whose failed calls leave a stateful server in a state that no caller wanted. After one the caller's
 * session with the server ends, and its next request has a new one.
 *
 * The MQTTX SSE server is the example: a connection that its `mqttConnect` could not make goes on being tried, and takes
 * the place of the session's next one when it succeeds.
 * @module
 */
import { z } from 'zod';
import { anyGlob } from '../../../src/core/globs.ts';
import type { Reply } from '../../../src/core/upstream.ts';
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';

const NAME = 'resetSessionOnFailure';

export const RESET_OPTION = {
  [NAME]: z.array(z.string().min(1).max(256)).max(1000).optional().meta({
    description:
      'Globs of the server’s own tools: when a call of one fails, times out or is given up, the session of its caller ends.',
  }),
};

/** Whether a failure of this request ends its session; undefined where none does. */
export type ResetRule = ((method: string, params: JsonObject) => boolean) | undefined;

export function resetRule(options: Readonly<Record<string, unknown>>): ResetRule {
  const globs = options[NAME] as readonly string[] | undefined;
  if (!globs?.length) return undefined;
  const concerns = anyGlob(globs);
  return (method, { name }) => method === 'tools/call' && typeof name === 'string' && concerns(name);
}

/** Settles as the reply does; `reset` is called before that when the call failed. */
export async function resetting(reply: Promise<Reply>, reset: () => void): Promise<Reply> {
  try {
    const received = await reply;
    if ('members' in received && received.members?.isError) reset();
    return received;
  } catch (error) {
    reset();
    throw error;
  }
}
