/**
 * Tools on an MQTT broker, in the form of `@cloudsignal/mcp-over-mqtt` 0.1: retained cards say what there is, and each tool
 * has a topic of its own for calls, so that the broker's rules decide who may call which. `docs/mqtt.md` has the mapping.
 * @module
 */
import type { Adapter } from '../../src/core/adapter.ts';
import { topicNamespace } from './topics.ts';

export const mcpOverMqttAdapter: Adapter = {
  kind: 'mcp-over-mqtt',
  label: 'MCP over MQTT',
  urlHint: "it is the broker's (mqtt, mqtts, ws or wss)",
  transports: ['mqtt'],
  detectRank: 5,
  options: { topicNamespace },
  listsWhatItDeclares: true,
  speaksMcp: false,
  detect: async (url, context) => (await import('./connect.ts')).detect(url, context),
  connect: async (context) => (await import('./connect.ts')).connect(context),
};
