/**
 * Finds out the era of a stdio server on one child. Modern first; a server that answers with any other error, or not in
 * time, is opened the legacy way on the same child (2026-07-28 transports/stdio, "Backward Compatibility").
 * @module
 */
import { within } from '../../../src/core/deadline.ts';
import { SwitchboardError, UpstreamError } from '../../../src/core/errors.ts';
import { discover, type HandshakeOptions, initialize, type ServerHandshake } from '../session/handshake.ts';

/**
 * What an attempt found: a server that is open, or how to open it on a new child, because the probe ended this one or
 * left it in the wrong era; `afresh`: with nothing known.
 */
export type Verdict = ServerHandshake | 'afresh' | 'afresh-legacy' | 'afresh-modern';

/** Asks for the era, and after `patienceMs` without an answer opens the legacy way as well. */
export async function probe(handshake: HandshakeOptions, patienceMs: number): Promise<Verdict> {
  const discovery = settled(discover(handshake));
  const answer = await within(discovery.promise, patienceMs, (): 'silent' => 'silent');
  if (answer === 'silent') return initializeBesides(handshake, discovery);
  if ('error' in answer) {
    if (wasEnded(answer.error)) return 'afresh-legacy';
    throw answer.error;
  }
  return answer.value === 'legacy' ? initialize(handshake) : answer.value;
}

/** A server that was legacy the last time, until its answers show otherwise. */
export async function openLegacy(handshake: HandshakeOptions): Promise<Verdict> {
  try {
    return await initialize(handshake);
  } catch (error) {
    if (wasEnded(error)) return 'afresh';
    if (!(error instanceof UpstreamError)) throw error;
    const found = await discover(handshake);
    if (found === 'legacy') throw error;
    return found;
  }
}

/** A server that has shown itself to be modern. */
export async function openModern(handshake: HandshakeOptions): Promise<Verdict> {
  const found = await discover(handshake);
  return found === 'legacy' ? 'afresh-legacy' : found;
}

/**
 * The probe is unanswered: either the server does not answer what it does not know, or it is still starting and reads
 * both messages later.
 */
async function initializeBesides(
  handshake: HandshakeOptions,
  discovery: Settled<ServerHandshake | 'legacy'>,
): Promise<Verdict> {
  const opening = await settled(initialize(handshake)).promise;
  const known = discovery.outcome;
  const modern = known && 'value' in known && known.value !== 'legacy' ? known.value : undefined;
  if ('value' in opening) {
    // It serves both eras, and `initialize` may have bound this process to the older one.
    return modern ? 'afresh-modern' : opening.value;
  }
  if (modern) return modern;
  if (opening.error instanceof UpstreamError) {
    // It refuses `initialize`. If it is modern, its answer to the probe is on its way.
    const late = await discovery.promise;
    if ('value' in late && late.value !== 'legacy') return late.value;
  }
  throw opening.error;
}

/** The child ended while it was being probed, as opposed to never having started. */
const wasEnded = (error: unknown): boolean =>
  error instanceof SwitchboardError &&
  error.code === 'SWB_UPSTREAM_UNAVAILABLE' &&
  ('exitCode' in error.data || 'signal' in error.data);

type Outcome<T> = { value: T } | { error: unknown };

interface Settled<T> {
  /** Never rejects. */
  promise: Promise<Outcome<T>>;
  outcome: Outcome<T> | undefined;
}

function settled<T>(promise: Promise<T>): Settled<T> {
  const result: Settled<T> = {
    outcome: undefined,
    promise: promise
      .then(
        (value): Outcome<T> => ({ value }),
        (error: unknown): Outcome<T> => ({ error }),
      )
      .then((outcome) => {
        result.outcome = outcome;
        return outcome;
      }),
  };
  return result;
}
