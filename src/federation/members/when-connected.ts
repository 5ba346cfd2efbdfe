/**
 * Waits for a server that is being connected, such as after a person has logged in to it.
 * @module
 */
import type { Federation } from '../types.ts';

/** Resolves when the server is connected, is not there, or has had its time to connect. Never rejects. */
export function whenConnected(federation: Pick<Federation, 'member' | 'onStateChange'>, server: string): Promise<void> {
  const member = federation.member(server);
  if (!member || member.upstream) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(end, member.config.connectTimeoutMs);
    const stop = federation.onStateChange(({ name, state }) => {
      if (name === server && (state === 'ready' || state === 'stopped')) end();
    });
  });
}
