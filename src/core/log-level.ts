/**
 * Which log messages a caller gets. Modern: none unless the request named a level (2026-07-28 server/utilities/logging).
 * Legacy: all until the session sets a level (2025-11-25 server/utilities/logging).
 * @module
 */

import type { JsonObject } from '../wire/jsonrpc.ts';
import type { Caller } from './caller.ts';

/** Least severe first (RFC 5424). */
export const LOG_LEVELS: readonly string[] = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
];

export const isLogLevel = (level: unknown): level is string => typeof level === 'string' && LOG_LEVELS.includes(level);

export function passesLogLevel(caller: Caller, params: JsonObject | undefined): boolean {
  if (caller.logLevel === undefined) return caller.era === 'legacy';
  const wanted = LOG_LEVELS.indexOf(caller.logLevel);
  const sent = LOG_LEVELS.indexOf(String(params?.level));
  // An unknown level is not filtered: losing a message is worse than one too many.
  return wanted === -1 || sent === -1 || sent >= wanted;
}
