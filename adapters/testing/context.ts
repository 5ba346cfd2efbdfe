/**
 * A {@link ConnectContext} for tests: what the federation would hand to an adapter, with everything it receives recorded.
 * @module
 */

import type { ConnectContext, DetectContext, Target } from '../../src/core/adapter.ts';
import { fixedHeaders } from '../../src/core/credentials.ts';
import type { Log } from '../../src/core/log.ts';
import type { MemoryValue, ServerMemory } from '../../src/core/server-memory.ts';
import type { Notification } from '../../src/wire/jsonrpc.ts';

export interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error';
  fields: object;
  message: string | undefined;
}

export interface RecordingLog extends Log {
  readonly lines: LogLine[];
}

export function recordingLog(): RecordingLog {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine['level']) =>
    (fields: object, message?: string): void => {
      lines.push({ level, fields, message });
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export interface FakeContext extends ConnectContext {
  readonly log: RecordingLog;
  /** Reasons `onDown` was called with. */
  readonly downs: Error[];
  /** Arguments of `onNotification`, in order. */
  readonly received: { notification: Notification; callerKey: string | undefined }[];
}

export type ContextOverrides = Partial<Omit<ConnectContext, 'target' | 'log' | 'onDown' | 'onNotification'>>;

/** A server's memory that is nothing but a map; one given to two contexts is what a restart leaves. Nothing expires. */
export function fakeMemory(kept = new Map<string, MemoryValue>()): ServerMemory {
  return {
    get: async (key) => kept.get(key),
    set: async (key, value) => void kept.set(key, value),
    async setIfAbsent(key, value) {
      if (kept.has(key)) return false;
      kept.set(key, value);
      return true;
    },
    async take(key) {
      const value = kept.get(key);
      kept.delete(key);
      return value;
    },
    entries: async (prefix) => [...kept].filter(([key]) => key.startsWith(prefix)),
  };
}

/** For one `connect`: a lost connection is recorded and not connected again. */
export function fakeContext(target: Target, overrides: ContextOverrides = {}): FakeContext {
  const downs: Error[] = [];
  const received: FakeContext['received'] = [];
  return {
    name: 'fixture',
    target,
    options: {},
    isolation: 'shared',
    known: undefined,
    memory: fakeMemory(),
    timeoutMs: 60_000,
    maxReplyBytes: 4 * 1024 * 1024,
    maxCallerSessions: 16,
    envelope: {
      protocolVersion: '2026-07-28',
      clientInfo: { name: 'agent-switchboard', version: '0.0.0-test' },
      clientCapabilities: { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } },
    },
    guard: undefined,
    credentials: fixedHeaders('headers' in target ? target.headers : {}),
    signal: AbortSignal.timeout(30_000),
    ...overrides,
    log: recordingLog(),
    onDown: (reason) => downs.push(reason),
    onNotification: (notification, callerKey) => received.push({ notification, callerKey }),
    downs,
    received,
  };
}

export function fakeDetectContext(overrides: Partial<DetectContext> = {}): DetectContext {
  return { headers: {}, guard: undefined, signal: AbortSignal.timeout(30_000), ...overrides };
}
