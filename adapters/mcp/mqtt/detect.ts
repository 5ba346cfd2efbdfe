/**
 * Whether MCP servers (EMQX's form) are online at a broker.
 * @module
 */
import type { DetectContext } from '../../../src/core/adapter.ts';
import { SwitchboardError } from '../../../src/core/errors.ts';
import type { Log } from '../../../src/core/log.ts';
import { openBroker } from '../../../src/wire/mqtt/index.ts';
import { isNotification, ONLINE, presenceFilter, presenceOf } from '../../../src/wire/mqtt/mcp-topics.ts';

/** Retained messages come right behind the SUBACK. */
const COLLECT_MS = 500;
const MAX_BYTES = 64 * 1024;

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

export async function detectMqtt(
  url: URL,
  { broker: login, headers, guard, signal, refused }: DetectContext,
): Promise<boolean> {
  try {
    const broker = await openBroker({
      name: 'unknown',
      url,
      // One connection of many: the configured client id is another's.
      login: { ...login, clientId: undefined },
      headers,
      version: '5',
      maxPayloadBytes: MAX_BYTES,
      guard,
      log: SILENT,
      signal,
      onLost() {},
    });
    try {
      return await new Promise<boolean>((resolve, reject) => {
        const filter = presenceFilter('#');
        broker.on(filter, ({ topic, payload }) => {
          if (presenceOf(topic) && isNotification(payload, ONLINE)) resolve(true);
        });
        broker.subscribe(filter).then(() => setTimeout(() => resolve(false), COLLECT_MS), reject);
      });
    } finally {
      await broker.close();
    }
  } catch (error) {
    if (error instanceof SwitchboardError && error.code === 'SWB_UPSTREAM_AUTH') refused?.(error);
    return false;
  }
}
