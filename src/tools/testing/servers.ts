/**
 * Servers that tests connect at run time, and what they ask of the answers.
 * @module
 */
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { MemoryServer, Rig, ToolResult } from './rig.ts';

export const errorOf = (result: ToolResult): JsonObject | undefined => result._meta?.['switchboard/error'];
/** The servers of the federation, in order. */
export const namesOf = (at: Rig): string[] =>
  at.federation
    .members()
    .filter((member) => !member.builtin)
    .map((member) => member.name);

export const mastra = (): MemoryServer => ({
  kind: 'mastra',
  url: 'https://mastra.example/',
  tools: ['weather'],
  agents: [{ key: 'writer' }],
});
export const everything = (): MemoryServer => ({
  kind: 'mcp',
  url: 'https://mcp.example/mcp',
  tools: Array.from({ length: 12 }, (_, i) => `tool${i}`),
});
