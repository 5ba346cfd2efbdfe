/**
 * Waits for a server that is being connected: such as after a person has logged in to it, or a caller has come with a token.
 * @module
 */
import type { Federation, Member } from '../types.ts';

type Server = Pick<Member, 'name' | 'config'>;

/** Resolves when the server is connected, is not there, or has had its time to connect. Never rejects. */
export function whenConnected(federation: Pick<Federation, 'member' | 'onStateChange'>, server: string): Promise<void> {
  const member = federation.member(server);
  if (!member || member.upstream) return Promise.resolve();
  return whenState(
    member,
    (listener) => federation.onStateChange(listener),
    (state) => state === 'ready',
  );
}

/** Resolves when the state of the server is one that is waited for, it is stopped, or has had its time to connect. */
export function whenState(
  { name, config }: Server,
  onStateChange: Federation['onStateChange'],
  isAwaited: (state: Member['state']) => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(end, config.connectTimeoutMs);
    const stop = onStateChange((now) => {
      if (now.name === name && (now.state === 'stopped' || isAwaited(now.state))) end();
    });
  });
}
