/**
 * The kinds of servers the gateway connects to. This is the only list of them: a kind is a folder here and one line below;
 * everything else the gateway knows of a kind stands on its {@link Adapter}.
 * @module
 */
import type { Adapter } from '../src/core/adapter.ts';
import { a2aAdapter } from './a2a/index.ts';
import { langgraphAdapter } from './langgraph/index.ts';
import { mastraAdapter } from './mastra/index.ts';
import { mcpAdapter } from './mcp/index.ts';
import { mcpOverMqttAdapter } from './mcp-over-mqtt/index.ts';
import { responsesAdapter } from './responses/index.ts';

/** In the order in which messages name them. */
export const ADAPTERS: readonly Adapter[] = [
  mcpAdapter,
  mastraAdapter,
  langgraphAdapter,
  a2aAdapter,
  responsesAdapter,
  mcpOverMqttAdapter,
];
