import { describe, expect, it } from 'vitest';
import type { ServerStatus } from '../federation/types.ts';
import { protocolOf } from './text.ts';

const status = (changes: Partial<ServerStatus>): ServerStatus => changes as ServerStatus;

describe('protocolOf', () => {
  it.each<[Partial<ServerStatus>, string]>([
    [
      { kind: 'mcp', speaksMcp: true, era: 'legacy', protocolVersion: '2025-11-25', transport: 'stdio' },
      'mcp, legacy 2025-11-25, stdio',
    ],
    [
      { kind: 'langgraph', speaksMcp: false, era: 'legacy', protocolVersion: '2.0.0', transport: 'http' },
      'langgraph, 2.0.0, http',
    ],
    [
      { kind: 'mastra', speaksMcp: false, era: 'legacy', protocolVersion: 'unknown', transport: 'http' },
      'mastra, http',
    ],
    [{ kind: 'mastra' }, 'mastra'],
    [{}, ''],
  ])('%j', (changes, said) => {
    expect(protocolOf(status(changes))).toBe(said);
  });
});
