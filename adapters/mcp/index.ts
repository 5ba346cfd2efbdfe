/**
 * The adapter for real MCP servers: both eras, over stdio, Streamable HTTP, the old HTTP+SSE transport and, in EMQX's form,
 * MQTT. It speaks the protocol itself; no SDK stands between a call and its bytes.
 * @module
 */
import type { Adapter } from '../../src/core/adapter.ts';
import { MQTT_OPTIONS } from './mqtt/options.ts';
import { RESET_OPTION } from './session/reset.ts';

export const mcpAdapter: Adapter = {
  kind: 'mcp',
  label: 'MCP',
  urlHint: 'the URL includes the path (often /mcp)',
  transports: ['stdio', 'http', 'sse', 'auto', 'mqtt'],
  detectRank: 0,
  options: { ...RESET_OPTION, ...MQTT_OPTIONS },
  listsWhatItDeclares: true,
  speaksMcp: true,
  detect: async (url, context) => (await import('./detect.ts')).detectMcp(url, context),
  connect: async (context) => (await import('./connect.ts')).connectMcp(context),
};
