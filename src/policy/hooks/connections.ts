/**
 * Runs the hooks of `upstream.connect`, for servers of the configuration and for those connected at run time.
 * @module
 */
import type { ServerConfig } from '../../config/types.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { LOCAL_PRINCIPAL } from '../../core/identity.ts';
import type { Hooks } from './hooks.ts';

/** A configured server, or one of which only the URL is known yet. */
export interface Destination {
  name: string;
  target: ServerConfig['target'] | { url: string };
}

/** Undefined when no hook has the phase. Rejects with `SWB_DENIED`. */
export function admitConnection(
  hooks: Hooks,
  { name, target }: Destination,
  signal: AbortSignal,
): Promise<void> | undefined {
  return hooks.has('upstream.connect', name) ? ask(hooks, name, target, signal) : undefined;
}

async function ask(hooks: Hooks, name: string, target: Destination['target'], signal: AbortSignal): Promise<void> {
  const outcome = await hooks.run(
    {
      phase: 'upstream.connect',
      principal: LOCAL_PRINCIPAL,
      grant: undefined,
      session: undefined,
      server: name,
      kind: 'method',
      name: 'connect',
      namespaced: name,
      ...('url' in target ? { url: target.url } : {}),
    },
    { onAbort: (listener) => whenAborted(signal, listener) },
  );
  if (outcome.effect === 'allow') return;
  // No client waits for a connection, so no person can approve it.
  const reason =
    outcome.effect === 'deny' ? outcome.denial.reason : 'It needs an approval, which a connection cannot wait for.';
  throw new SwitchboardError('SWB_DENIED', `Policy does not let the gateway connect to server '${name}': ${reason}`);
}

function whenAborted(signal: AbortSignal, listener: (reason: Error) => void): () => void {
  const onAbort = (): void => listener(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal.addEventListener('abort', onAbort, { once: true });
  return () => signal.removeEventListener('abort', onAbort);
}
