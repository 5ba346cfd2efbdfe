/**
 * The server of a run that is taken over. One that is away when its run is looked for has a while to come back: the run goes on there.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { LOCAL_IDENTITY } from '../../core/identity.ts';
import type { Federation, Member } from '../../federation/types.ts';

const PATIENCE_MS = 60_000;

/** Resolves once the server has been tried, and is there or has had its time to return. Rejects where there is none of that name. */
export async function serverOf(federation: Federation, name: string, ended: AbortSignal): Promise<Member> {
  const waiter = { identity: LOCAL_IDENTITY, inProcess: true };
  await federation.whenSettled((member) => member.name === name, 'named', waiter);
  if (federation.member(name) && !federation.member(name)?.upstream) await returned(federation, name, ended);
  const member = federation.member(name);
  if (member) return member;
  throw new SwitchboardError('SWB_UNKNOWN_SERVER', `The server '${name}' of this run is gone.`);
}

async function returned(federation: Federation, name: string, ended: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, PATIENCE_MS).unref();
  const done = (): void => resolve();
  const stop = federation.onStateChange((changed) => {
    if (changed.name === name && federation.member(name)?.upstream) done();
  });
  ended.addEventListener('abort', done);
  if (ended.aborted) done();
  await promise;
  clearTimeout(timer);
  stop();
  ended.removeEventListener('abort', done);
}
