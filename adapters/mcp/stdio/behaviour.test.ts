import { EVERYTHING_SLOW, type StdioServer, stdioFixture } from '../../../test/fixtures/mcp/stdio.ts';
import { OFFERS, SECRET } from '../../../test/fixtures/mcp/world.ts';
import type { CaseSetup } from '../../cases.ts';
import { modernCaller } from '../../testing/call.ts';
import { behavesLikeAnUpstream } from '../../testing/vitest.ts';
import { mcpAdapter } from '../index.ts';

const tool = (name: string, args: object = {}, meta?: object) => ({
  method: 'tools/call',
  params: { name, arguments: args, ...(meta ? { _meta: meta } : {}) },
});

async function over(server: StdioServer, more: Partial<CaseSetup> = {}): Promise<CaseSetup> {
  const fixture = stdioFixture(server);
  return {
    adapter: mcpAdapter,
    target: fixture.target,
    offers: OFFERS,
    echo: (marker) => tool('echo', { text: marker }),
    failure: { ...tool('boom'), says: /The fixture exploded/ },
    secrets: [SECRET],
    unknown: tool('no-such-tool'),
    slow: {
      ...tool('slow'),
      started: () => fixture.ledger.count('slow:started'),
      cancelled: () => fixture.ledger.count('slow:cancelled'),
    },
    kill: async () => fixture.kill(),
    stop: async () => {
      fixture.kill();
      fixture.close();
    },
    leftovers: () => fixture.children().length,
    ...more,
  };
}

const OPTIONAL = {
  progress: { ...tool('slow', { ms: 60, steps: 3 }, { progressToken: 'client-1' }), atLeast: 3 },
  oversize: { ...tool('big', { bytes: 300_000 }), maxReplyBytes: 200_000 },
};

behavesLikeAnUpstream('SDK v1 over stdio', () => over('v1'), OPTIONAL);
behavesLikeAnUpstream(
  'SDK v2, modern only, over stdio',
  () => over('v2-modern', { call: { caller: modernCaller() } }),
  OPTIONAL,
);
behavesLikeAnUpstream(
  'SDK v1 over stdio with a child per caller',
  () => over('v1', { context: { isolation: 'caller' } }),
  OPTIONAL,
);
behavesLikeAnUpstream(
  'the reference server over stdio',
  async () => {
    const fixture = await over('everything', {
      offers: {
        tools: ['echo', 'get-sum', 'get-structured-content', EVERYTHING_SLOW],
        prompts: ['simple-prompt', 'args-prompt'],
        resources: ['demo://resource/static/document/architecture.md'],
        templates: ['demo://resource/dynamic/text/{resourceId}'],
      },
      echo: (marker) => tool('echo', { message: marker }),
      failure: { ...tool('echo', { message: 7 }), says: /Invalid arguments for tool echo/ },
    });
    return { ...fixture, slow: { ...fixture.slow, ...tool(EVERYTHING_SLOW, { duration: 60, steps: 60 }) } };
  },
  {
    progress: { ...tool(EVERYTHING_SLOW, { duration: 0.1, steps: 3 }, { progressToken: 'client-1' }), atLeast: 3 },
    oversize: { ...tool('echo', { message: 'x'.repeat(100_000) }), maxReplyBytes: 60_000 },
  },
);
