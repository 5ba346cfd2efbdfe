/**
 * `GET /admin/api/events`: what happens now, as server-sent events: states of servers, calls, approvals, and how queues are used.
 * It begins with how everything is. While no client reads it, it costs nothing.
 * @module
 */

import { subscribe } from '../../observe/events.ts';
import type { AdminRoute, AdminSources, AdminStream } from './route.ts';
import { serverInFull } from './servers.ts';
import type { CallJson } from './shared-calls.ts';
import type { PageSources } from './sources.ts';

/** Calls that change are sent this often. */
const FLUSH_MS = 150;
const QUEUES_MS = 1_000;
/** Readers at one time, and those of one operator: no other is shut out by them. */
const MAX_READERS = 128;
const MAX_OWN_READERS = 32;
/** Of the calls so far. */
const FIRST_CALLS = 500;

export function liveRoutes({ servers }: AdminSources, pages: PageSources): AdminRoute[] {
  /** How many each operator has. */
  const readers = new Map<string, number>();
  const total = (): number => readers.values().reduce((sum, own) => sum + own, 0);
  return [
    {
      method: 'GET',
      path: '/admin/api/events',
      handle({ query, operator: { principal } }) {
        const own = (): number => readers.get(principal) ?? 0;
        if (own() >= MAX_OWN_READERS || total() >= MAX_READERS) {
          return {
            status: 503,
            json: { error: { code: 'SWB_TOO_MANY_STREAMS', message: 'Too many pages read events. Close some.' } },
          };
        }
        const only = query.get('only')?.split(',');
        return {
          stream(stream) {
            readers.set(principal, own() + 1);
            const stop = feed(stream, servers, pages, (event) => only === undefined || only.includes(event));
            stream.signal.addEventListener(
              'abort',
              () => {
                if (own() > 1) readers.set(principal, own() - 1);
                else readers.delete(principal);
                stop();
              },
              { once: true },
            );
          },
        };
      },
    },
  ];
}

/** Sends what happens until the function it returns is called. */
function feed(
  stream: AdminStream,
  servers: AdminSources['servers'],
  pages: PageSources,
  wants: (event: string) => boolean,
): () => void {
  const { calls, shared, instance } = pages;
  const stops: (() => void)[] = [];
  const every = (ms: number, act: () => void): void => {
    const timer = setInterval(act, ms).unref();
    stops.push(() => clearInterval(timer));
  };
  if (wants('servers')) {
    let last = '';
    const send = (): void => {
      const all = servers().map((status) => serverInFull(status, pages));
      // States, lists and queues have one shape: a page never puts together what belongs to different moments.
      const sent = { servers: all, replica: pages.replica, replicas: pages.replicas() };
      const text = JSON.stringify(sent);
      if (text === last) return;
      last = text;
      stream.send('servers', sent);
    };
    send();
    every(QUEUES_MS, send);
    stops.push(subscribe('upstream', () => queueMicrotask(send), instance));
  }
  if (wants('calls')) {
    const changed = new Map<string, CallJson>();
    stops.push(shared.follow((call) => changed.set(call.id, call)));
    const { valuesUntil } = calls;
    stream.send('calls', { calls: shared.list().slice(-FIRST_CALLS), valuesUntil });
    every(FLUSH_MS, () => {
      if (changed.size === 0) return;
      stream.send('calls', { calls: [...changed.values()], valuesUntil: calls.valuesUntil });
      changed.clear();
    });
  }
  if (wants('approvals')) {
    stream.send('approvals', {});
    stops.push(subscribe('approval', ({ approval, state }) => stream.send('approvals', { approval, state }), instance));
  }
  return () => {
    for (const stop of stops) stop();
  };
}
