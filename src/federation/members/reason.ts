/**
 * Why a server is away, in words that may reach clients: never an address, a path, a stack or a credential.
 * @module
 */
import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { isObject } from '../../wire/jsonrpc.ts';

const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'it refuses connections',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  UND_ERR_SOCKET: 'it closed the connection',
  ENOTFOUND: 'its host name is unknown',
  EAI_AGAIN: 'its host name could not be looked up',
  ETIMEDOUT: 'it did not answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'it did not answer in time',
  EHOSTUNREACH: 'its host is out of reach',
  ENETUNREACH: 'its network is out of reach',
  ENOENT: 'its command was not found',
  EACCES: 'its command may not be run',
};

/** Longest text of an upstream's own error that is repeated. */
const MAX_QUOTE = 200;

/** A clause without a final stop, to follow "because" or a colon. */
export function reasonOf(error: unknown): string {
  if (error instanceof SwitchboardError) return withoutStop(error.message);
  if (error instanceof UpstreamError) {
    const line = error.message.split('\n', 1)[0] ?? '';
    return withoutStop(`it answered with an error: ${line.slice(0, MAX_QUOTE)}`);
  }
  const code = isObject(error) ? error.code : undefined;
  const known = typeof code === 'string' && Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined;
  return known ?? 'it failed in a way that only the log describes';
}

const withoutStop = (text: string): string => text.trim().replace(/\.$/, '');
