/**
 * Turns the checked `gateway.mqtt` into a {@link MqttConfig}.
 * @module
 */
import { normalNamespace } from '../wire/mqtt/tool-topics.ts';
import { brokerAddress } from './broker-target.ts';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import type { MqttEntry } from './schema/mqtt-section.ts';
import type { MqttConfig } from './types.ts';

const BASE: JsonPath = ['gateway', 'mqtt'];

/** `folder`: relative paths of certificates start here. */
export function mqttConfig(entry: MqttEntry, folder: string, findings: Findings): MqttConfig {
  const place = { path: BASE, at: [...BASE, 'url'], folder, unresolved: false, findings };
  const { url, settings } = brokerAddress(entry.url, entry.broker, place);
  const { keepaliveSeconds, ...login } = settings;
  if (Object.keys(entry.clients).length === 0 && entry.export === undefined) {
    findings.mistake(BASE, 'found neither clients nor an export; allowed: one of them, or both');
  }
  return {
    broker: { url, login, keepaliveSeconds },
    serverName: entry.serverName,
    serverId: entry.serverId,
    description: entry.description,
    clients: entry.clients,
    export: entry.export && {
      ...entry.export,
      topicNamespace: normalNamespace(entry.export.topicNamespace),
      tools: { include: entry.export.tools.include ?? [], exclude: entry.export.tools.exclude },
    },
  };
}
