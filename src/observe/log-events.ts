/**
 * Events as lines of the log: states of servers, approvals and webhooks that fail at `info` and above; every request with its duration and
 * every session at `debug`. At other levels the log does not subscribe to those, so they cost nothing.
 * @module
 */

import { errorCodeOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import {
  type ApprovalEvent,
  type EventMap,
  type EventName,
  type OperatorEvent,
  subscribe,
  type UpstreamEvent,
  type WebhookEvent,
} from './events.ts';

/** What a line says when a server has not been connected; `serve` leaves it out while it prints the missing servers. */
export const SERVER_NOT_CONNECTED = 'A server could not be connected.';

/** Returns a function that ends it. */
export function logEvents(log: Log, instance: string): () => void {
  const stops: (() => void)[] = [];
  const on = <N extends EventName>(name: N, listener: (event: EventMap[N]) => void): void =>
    void stops.push(subscribe(name, listener, instance));

  on('upstream', serverLines(log));
  on('approval', (event) => approvalLine(log, event));
  on('operator', (event) => operatorLine(log, event));
  on('webhook', (event) => webhookLine(log, event));
  if (log.isLevelEnabled?.('debug')) {
    on('finished', ({ call, principal, method, server, durationMs, queueMs, error }) => {
      const fields = { call, principal, method, server, durationMs: rounded(durationMs), queueMs: rounded(queueMs) };
      if (error === undefined) log.debug(fields, 'A request was answered.');
      else log.debug({ ...fields, error: errorCodeOf(error) }, 'A request failed.');
    });
    on('session', ({ state, session, principal, protocolVersion, client }) =>
      log.debug({ session, principal, protocolVersion, client }, `A session was ${state}.`),
    );
  }
  return () => {
    for (const stop of stops) stop();
  };
}

/** A line where a server goes away, cannot be connected for another reason than before, or has a problem while connected. */
function serverLines(log: Log): (event: UpstreamEvent) => void {
  const before = new Map<string, UpstreamEvent>();
  return (event) => {
    const { server, state, error: reason, connected, keepsLists, retryMs } = event;
    const last = before.get(server);
    if (state === 'stopped') before.delete(server);
    else before.set(server, event);
    if (state !== 'degraded') return;
    if (connected) log.info({ server, reason }, 'A connected server has a problem.');
    else if (last?.connected) {
      const kept = keepsLists ? '; its last good catalog is kept.' : '.';
      log.warn({ server, reason, retryMs }, `A server went away${kept}`);
    } else if (last?.error !== reason) log.warn({ server, reason, retryMs }, SERVER_NOT_CONNECTED);
  };
}

const APPROVAL_LINES: Readonly<Record<string, string>> = {
  pending: 'A call waits for approval.',
  approved: 'An approval was given.',
  denied: 'An approval was denied.',
  expired: 'An approval has expired.',
};

function approvalLine(log: Log, { approval, state, principal, server, name, by }: ApprovalEvent): void {
  const line = APPROVAL_LINES[state];
  if (line !== undefined) log.info({ approval, principal, server, name, by }, line);
}

const OPERATOR_LINES: Readonly<Record<OperatorEvent['outcome'], string>> = {
  ok: 'An operator has changed something.',
  denied: 'An operator was refused something.',
  error: 'A change of an operator failed.',
};

function operatorLine(log: Log, { principal, person, action, target, outcome, errorCode }: OperatorEvent): void {
  if (action !== 'login' && action !== 'logout') {
    log.info({ principal, person, action, target, errorCode }, OPERATOR_LINES[outcome]);
  } else if (outcome === 'ok') {
    // A login that was refused has a line with its reason where it was.
    log.info({ principal, person }, action === 'login' ? 'An operator has logged in.' : 'An operator has logged out.');
  }
}

function webhookLine(log: Log, { instance: _, durationMs, ...event }: WebhookEvent): void {
  const fields = { ...event, durationMs: rounded(durationMs) };
  if (event.failure === undefined) log.debug(fields, 'A webhook was told how its task stands.');
  else log.warn(fields, 'A webhook could not be told how its task stands.');
}

const rounded = (ms: number): number => Math.round(ms * 100) / 100;
