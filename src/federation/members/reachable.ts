/**
 * Whether anything listens where a URL leads: tells a server that is off from one that speaks something else.
 * @module
 */
import { connect } from 'node:net';
import type { DetectContext } from '../../core/adapter.ts';
import { reasonOf } from './reason.ts';

const CONNECT_TIMEOUT_MS = 3_000;

/** Why no connection can be made, as a clause; undefined when one can. Sends nothing. */
export function connectionProblem(
  url: URL,
  { guard, signal }: Pick<DetectContext, 'guard' | 'signal'>,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
      signal,
      ...(guard ? { lookup: guard.lookup } : {}),
    });
    const done = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => done('it did not answer in time'));
    socket.once('connect', () => done(undefined));
    socket.on('error', (error) => done(reasonOf(error)));
  });
}
