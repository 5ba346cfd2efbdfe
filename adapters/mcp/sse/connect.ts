/**
 * Connecting over the old HTTP+SSE transport, which is legacy by definition.
 * @module
 */

import type { ConnectContext } from '../../../src/core/adapter.ts';
import type { Caller } from '../../../src/core/caller.ts';
import type { Connected } from '../connection.ts';
import type { UpstreamHost } from '../host.ts';
import type { HttpTarget } from '../http/http-target.ts';
import { type HandshakeOptions, initialize } from '../session/handshake.ts';
import { callerEnvelope } from '../session/params.ts';
import { UpstreamSession } from '../session/session.ts';
import { NoStream, SseLink } from './link.ts';

/** Rejects with {@link NoStream} when the target does not open a stream. The caller of this function closes the target. */
export async function connectSse(context: ConnectContext, start: HttpTarget, host: UpstreamHost): Promise<Connected> {
  const { log, isolation, signal } = context;
  let target = start;

  const open = async (
    caller: Caller | undefined,
    deadline: AbortSignal,
    version?: string,
  ): Promise<UpstreamSession> => {
    const link = await SseLink.open(target, log, deadline, caller?.identity);
    const session = new UpstreamSession(link, host, caller?.key);
    const { name, envelope, habits } = host;
    const handshake: HandshakeOptions = { link, name, envelope, nextId: () => host.nextId(), signal: deadline, habits };
    if (caller && version !== undefined) handshake.envelope = callerEnvelope(caller, version, envelope);
    try {
      session.handshake = await initialize(handshake, version);
      return session;
    } catch (error) {
      await session.close(error as Error);
      throw error;
    }
  };

  const gatewaySession = await openBoot();
  return {
    gatewaySession,
    connection: {
      transport: 'sse',
      perCaller: isolation === 'caller',
      renewable: false,
      open: (caller, deadline) => open(caller, deadline, gatewaySession.handshake.protocolVersion),
      listens: () => true,
      close: () => target.close(),
    },
  };

  async function openBoot(): Promise<UpstreamSession> {
    for (;;) {
      try {
        return await open(undefined, signal);
      } catch (error) {
        const elsewhere = error instanceof NoStream ? await target.redirected(error.head, 'GET') : undefined;
        if (!elsewhere) throw error;
        if (target !== start) await target.close();
        target = elsewhere;
      }
    }
  }
}
