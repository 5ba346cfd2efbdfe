/**
 * MQTT reason codes, and failures of a connection to a broker, as errors for clients.
 * @module
 */
import { type ErrorCode, SwitchboardError } from '../../core/errors.ts';
import { networkReason } from '../../core/network-errors.ts';

/** What was refused, as a clause that follows "the broker". */
export type Refused = 'publish' | 'subscribe' | 'connect';

interface Meaning {
  code: ErrorCode;
  /** `data.reason`: a word for scripts. */
  reason: string;
  /** A clause about the broker. */
  words: string;
  retryAfterMs?: number;
}

const UNAUTHORIZED: Omit<Meaning, 'words'> = { code: 'SWB_UPSTREAM_AUTH', reason: 'unauthorized' };
const UNAVAILABLE: Omit<Meaning, 'words'> = { code: 'SWB_UPSTREAM_UNAVAILABLE', reason: 'unavailable' };

/** MQTT 5, 2.4. The codes below 0x80 that stand here are those of an MQTT 3.1.1 CONNACK. */
const MEANINGS: Readonly<Record<number, Meaning>> = {
  1: { code: 'SWB_UPSTREAM_PROTOCOL', reason: 'protocol', words: 'does not know this version of MQTT' },
  2: { code: 'SWB_UPSTREAM_AUTH', reason: 'unauthorized', words: 'does not accept the client id' },
  3: { ...UNAVAILABLE, words: 'is not available' },
  4: { ...UNAUTHORIZED, words: 'does not accept the user name and password' },
  5: { ...UNAUTHORIZED, words: 'does not let this login in' },
  132: { code: 'SWB_UPSTREAM_PROTOCOL', reason: 'protocol', words: 'does not know this version of MQTT' },
  133: { code: 'SWB_UPSTREAM_AUTH', reason: 'unauthorized', words: 'does not accept the client id' },
  134: { ...UNAUTHORIZED, words: 'does not accept the user name and password' },
  135: { ...UNAUTHORIZED, words: 'does not allow it to this login' },
  136: { ...UNAVAILABLE, words: 'is not available' },
  137: { ...UNAVAILABLE, words: 'is busy', retryAfterMs: 1_000 },
  138: { ...UNAUTHORIZED, words: 'has banned this login' },
  139: { ...UNAVAILABLE, words: 'is shutting down' },
  140: { ...UNAUTHORIZED, words: 'does not accept this way to log in' },
  141: { ...UNAVAILABLE, words: 'did not hear from the gateway in time' },
  142: { ...UNAVAILABLE, words: 'gave the session to another connection with the same client id' },
  144: { code: 'SWB_INVALID_PARAMS', reason: 'topic', words: 'does not take this topic' },
  149: { code: 'SWB_INVALID_PARAMS', reason: 'too_large', words: 'does not take a message of this size' },
  150: { ...UNAVAILABLE, reason: 'quota', words: 'is sent messages too fast', retryAfterMs: 1_000 },
  151: { ...UNAVAILABLE, reason: 'quota', words: 'has a quota, and it is used up', retryAfterMs: 1_000 },
  152: { ...UNAVAILABLE, words: 'ended it by an administrator' },
  153: { code: 'SWB_INVALID_PARAMS', reason: 'payload', words: 'does not take this payload' },
  159: { ...UNAVAILABLE, reason: 'quota', words: 'takes no more connections for now', retryAfterMs: 1_000 },
};

/** The error for a reason code of 0x80 and above, or for a refused connection of MQTT 3.1.1. */
export function refusal(name: string, refused: Refused, reasonCode: number): SwitchboardError {
  const { code, reason, words, retryAfterMs } = MEANINGS[reasonCode] ?? { ...UNAVAILABLE, words: 'refused it' };
  const what = refused === 'connect' ? 'refused the connection' : `refused to ${refused}`;
  return new SwitchboardError(code, `${reason}: The broker of server '${name}' ${what}: it ${words}.`, {
    data: { server: name, reason, reasonCode },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** The error of a connection that failed or was lost. */
export function unreachable(name: string, cause: unknown, words?: string): SwitchboardError {
  const why = words ?? networkReason(cause) ?? 'the connection to it was lost';
  return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `The broker of server '${name}' is not available: ${why}.`, {
    data: { server: name, reason: 'unavailable' },
    cause,
  });
}
