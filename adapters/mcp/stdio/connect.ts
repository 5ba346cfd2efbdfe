/**
 * Connecting over stdio: starts the child, finds out its era on that same child, and starts it again only where the
 * probe was too much for it or has left it in the wrong era.
 * @module
 */

import type { ConnectContext, Target } from '../../../src/core/adapter.ts';
import type { Caller } from '../../../src/core/caller.ts';
import { type Connected, restarting } from '../connection.ts';
import type { UpstreamHost } from '../host.ts';
import { type HandshakeOptions, initialize, type ServerHandshake } from '../session/handshake.ts';
import { callerEnvelope } from '../session/params.ts';
import { UpstreamSession } from '../session/session.ts';
import { type StdioContext, StdioLink } from './link.ts';
import { openLegacy, openModern, probe, type Verdict } from './probe.ts';

/**
 * How long a server may take over `server/discover` before it is opened the legacy way as well: some legacy servers
 * never answer what they do not know. One that was modern before is given longer before that is doubted.
 */
const PROBE_MS = 1_500;
const KNOWN_PROBE_MS = 10_000;

/** Each attempt is decided by what the one before has found; more than these means that it contradicts itself. */
const MAX_ATTEMPTS = 3;

const REOPENING = {
  afresh: (handshake: HandshakeOptions) => probe(handshake, PROBE_MS),
  'afresh-legacy': initialize,
  'afresh-modern': openModern,
};

type StdioTarget = Target & { transport: 'stdio' };

export async function connectStdio(
  context: ConnectContext,
  target: StdioTarget,
  host: UpstreamHost,
): Promise<Connected> {
  const { name, maxReplyBytes, log, known, isolation, signal } = context;
  const start = (owner: string | undefined, first?: Pick<StdioContext, 'onStderr' | 'sending'>): UpstreamSession =>
    new UpstreamSession(new StdioLink({ name, target, maxReplyBytes, log, ...first }), host, owner);

  const onStderr = (): void => context.onStarting?.();
  const { sending } = context;
  const gatewaySession = await openBoot(() => start(undefined, { onStderr, sending }), known, host, signal);
  const { handshake } = gatewaySession;
  return {
    gatewaySession,
    connection: {
      transport: 'stdio',
      perCaller: isolation === 'caller',
      renewable: false,
      startSlot: context.startSlot,
      open: (caller, deadline) => openFor(caller, start(caller?.key), handshake, host, deadline),
      listens: () => true,
      close: async () => {},
    },
  };
}

async function openBoot(
  start: () => UpstreamSession,
  known: ConnectContext['known'],
  host: UpstreamHost,
  signal: AbortSignal,
): Promise<UpstreamSession> {
  let open: (handshake: HandshakeOptions) => Promise<Verdict> =
    known?.era === 'legacy' ? openLegacy : (handshake) => probe(handshake, known ? KNOWN_PROBE_MS : PROBE_MS);
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    const session = start();
    try {
      const verdict = await open(handshakeOptions(session, host, signal));
      if (typeof verdict !== 'string') {
        session.handshake = verdict;
        return session;
      }
      if (attempt === MAX_ATTEMPTS) throw restarting(host.name);
      open = REOPENING[verdict];
      await session.close(restarting(host.name));
    } catch (error) {
      await session.close(error as Error);
      throw error;
    }
  }
}

/** A child for one caller, opened with that caller's own capabilities. It is ended again when that fails. */
async function openFor(
  caller: Caller | undefined,
  session: UpstreamSession,
  handshake: ServerHandshake,
  host: UpstreamHost,
  signal: AbortSignal,
): Promise<UpstreamSession> {
  if (handshake.era === 'modern') {
    session.handshake = handshake;
    return session;
  }
  try {
    const options = handshakeOptions(session, host, signal);
    if (caller) options.envelope = callerEnvelope(caller, handshake.protocolVersion, host.envelope);
    session.handshake = await initialize(options, handshake.protocolVersion);
    return session;
  } catch (error) {
    await session.close(error as Error);
    throw error;
  }
}

const handshakeOptions = ({ link }: UpstreamSession, host: UpstreamHost, signal: AbortSignal): HandshakeOptions => ({
  link,
  name: host.name,
  envelope: host.envelope,
  nextId: () => host.nextId(),
  signal,
  habits: host.habits,
});
