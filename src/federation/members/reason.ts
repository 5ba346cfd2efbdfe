/**
 * Why a server is away, in words that clients may see: no address, path, stack or credential.
 * @module
 */
import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { type Mask, maskedError } from '../../core/mask.ts';
import { networkReason } from '../../core/network-errors.ts';
import { head } from '../../core/text.ts';

/** Characters of an upstream's own error that are repeated. */
const MAX_QUOTE = 200;

/** A clause without a final stop, to follow "because" or a colon. `mask` takes out the credentials of the server. */
export function reasonOf(error: unknown, mask?: Mask): string {
  return reasonIn(mask ? maskedError(error, mask) : error);
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
