/**
 * Why a server is away, in words that clients may see: no address, path, stack or credential.
 * @module
 */
import type { Target } from '../../core/adapter.ts';
import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { maskedError } from '../../core/mask.ts';
import { networkReason } from '../../core/network-errors.ts';
import { head } from '../../core/text.ts';

/** Characters of an upstream's own error that are repeated. */
const MAX_QUOTE = 200;

/** A clause without a final stop, to follow "because" or a colon. Values that `target` is configured with are masked. */
export function reasonOf(error: unknown, target?: Target): string {
  return reasonIn(target ? maskedError(error, target) : error);
}

function reasonIn(error: unknown): string {
  if (error instanceof SwitchboardError) return withoutStop(error.message);
  if (error instanceof UpstreamError) {
    const line = error.message.split('\n', 1)[0] ?? '';
    return withoutStop(`it answered with an error: ${head(line, MAX_QUOTE)}`);
  }
  return networkReason(error) ?? 'it failed in a way that only the log describes';
}

const withoutStop = (text: string): string => text.trim().replace(/\.$/, '');
