/**
 * Repairs of frames that real SSE servers send and no reader should stumble over. Each is a measured habit of the MQTTX
 * SSE server; other old servers share some of them. Missing `jsonrpc` members and errors without an id need no repair
 * here: the gateway requires neither.
 * @module
 */
import { notification } from '../../../src/wire/jsonrpc.ts';
import type { Pieces } from '../../../src/wire/pieces.ts';
import { parseMessage } from '../session/frames.ts';

/** Events that are signs of life and nothing else. */
export const isHeartbeat = (event: string): boolean => event === 'heartbeat' || event === 'ping';

/**
 * A `notifications/message` that carries no log record but the server's own payload (`{topic, payload}`) becomes one, so
 * that clients which check what they read do not drop it. Anything else is left alone.
 */
export function repairLogMessage(message: Pieces): Pieces {
  const params = parseMessage(message)?.params;
  if (!params || 'data' in params) return message;
  const repaired = notification('notifications/message', { level: 'info', logger: 'upstream', data: params });
  return [Buffer.from(JSON.stringify(repaired))];
}
