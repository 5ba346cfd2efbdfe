/**
 * Reads the stream of events that the pages for operators read, for `top` and `logs --follow`.
 * @module
 */
import { EventSource } from 'eventsource';
import { SwitchboardError } from '../core/errors.ts';
import type { LoadedConfig } from '../load-config.ts';
import { adminAccess, errorOf } from './admin-client.ts';

/** An event by its name, with its data as it came. */
export type Listeners = Readonly<Record<string, (data: unknown) => void>>;

/**
 * Calls the listeners until `signal` is aborted, and reads again by itself when the gateway was away. Rejects when the stream cannot be
 * opened the first time, or not by this token.
 */
export async function readAdminEvents(
  config: LoadedConfig,
  url: string | undefined,
  listeners: Listeners,
  signal: AbortSignal,
): Promise<void> {
  const { origin, token } = await adminAccess(config, url);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let wasOpen = false;
  const source = new EventSource(`${origin}/admin/api/events?only=${Object.keys(listeners).join(',')}`, {
    fetch: async (input, init) => {
      const reply = await fetch(input, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
      if (reply.status !== 200) reject(errorOf(reply.status, await objectIn(reply), origin));
      return reply;
    },
  });
  source.onopen = () => {
    wasOpen = true;
  };
  source.onerror = () => {
    if (wasOpen) return;
    reject(
      new SwitchboardError(
        'SWB_CONNECT_FAILED',
        `No gateway answers at ${origin}. Start it with 'switchboard serve', or say where it listens with --url.`,
      ),
    );
  };
  for (const [name, listener] of Object.entries(listeners)) {
    source.addEventListener(name, ({ data }: { data: string }) => listener(JSON.parse(data)));
  }
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    await promise;
  } finally {
    signal.removeEventListener('abort', stop);
    source.close();
  }
}

async function objectIn(reply: Response): Promise<Record<string, unknown> | undefined> {
  const value: unknown = await reply.json().catch(() => undefined);
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}
