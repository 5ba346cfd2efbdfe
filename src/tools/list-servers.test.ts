import { afterEach, describe, expect, it } from 'vitest';
import { type Rig, rig } from './testing/rig.ts';

let at: Rig;
afterEach(() => at.close());

describe('listServers', () => {
  it('shows every server with its state, and why one is away, without addresses', async () => {
    at = await rig({
      configured: {
        files: { kind: 'mcp', url: 'http://files.example/mcp', tools: ['read', 'write'] },
        agents: { kind: 'mastra', url: 'http://agents.example', agents: [{ key: 'writer' }], tools: ['t'] },
        gone: { kind: 'langgraph', url: 'http://gone.example', away: true },
      },
      origins: { agents: 'env' },
    });
    const result = await at.call('listServers');
    expect(result.structuredContent).toMatchObject({
      servers: [
        {
          name: 'files',
          kind: 'mcp',
          state: 'ready',
          transport: 'streamable-http',
          era: 'modern',
          protocolVersion: '2026-07-28',
          stale: false,
          counts: { tools: 2, prompts: 0, resources: 0, templates: 0, agents: 0 },
          origin: 'file',
          serverInfo: { name: 'files-server', version: '1.2.3' },
        },
        { name: 'agents', kind: 'mastra', origin: 'env', counts: { agents: 1 } },
        { name: 'gone', kind: 'langgraph', state: 'degraded', error: expect.stringContaining('not reachable') },
      ],
    });
    const [first] = (result.structuredContent?.servers ?? []) as { since: string }[];
    expect(Math.abs(Date.now() - Date.parse(first?.since ?? ''))).toBeLessThan(60_000);
    expect(result.text.split('\n')).toEqual([
      '3 servers, 2 ready.',
      '- files: ready (mcp, modern 2026-07-28, streamable-http): 2 tools',
      '- agents: ready (mastra, 2.0.0, http): 1 tool, 1 agent',
      expect.stringMatching(/^- gone: degraded \(langgraph\)\. .*refused/),
    ]);
  });

  it('reports an empty list', async () => {
    at = await rig();
    expect((await at.call('listServers')).text).toBe('No servers are configured.');
  });
});
