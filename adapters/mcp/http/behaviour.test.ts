import { type HttpFixture, startV1Http, startV1Sse, startV2Http } from '../../../test/fixtures/mcp/http.ts';
import { OFFERS, SECRET } from '../../../test/fixtures/mcp/world.ts';
import type { CaseSetup } from '../../cases.ts';
import { modernCaller } from '../../testing/call.ts';
import { behavesLikeAnUpstream } from '../../testing/vitest.ts';
import { mcpAdapter } from '../index.ts';

const tool = (name: string, args: object = {}, meta?: object) => ({
  method: 'tools/call',
  params: { name, arguments: args, ...(meta ? { _meta: meta } : {}) },
});

async function over(
  start: () => Promise<HttpFixture>,
  more: Partial<CaseSetup> & { transport?: 'http' | 'sse' | 'auto' } = {},
): Promise<CaseSetup> {
  const fixture = await start();
  const { transport = 'http', ...rest } = more;
  return {
    adapter: mcpAdapter,
    target: { transport, url: fixture.url, headers: {} },
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
    kill: () => fixture.close(),
    stop: () => fixture.close(),
    leftovers: () => fixture.sessions(),
    ...rest,
  };
}

const OPTIONAL = {
  progress: { ...tool('slow', { ms: 60, steps: 3 }, { progressToken: 'client-1' }), atLeast: 3 },
  oversize: { ...tool('big', { bytes: 300_000 }), maxReplyBytes: 200_000 },
};

behavesLikeAnUpstream('SDK v1 over Streamable HTTP', () => over(() => startV1Http()), OPTIONAL);
behavesLikeAnUpstream(
  'SDK v1 over Streamable HTTP with a session per caller',
  () => over(() => startV1Http(), { context: { isolation: 'caller' } }),
  OPTIONAL,
);
behavesLikeAnUpstream('SDK v1 over Streamable HTTP with JSON replies', () => over(() => startV1Http('json')), {
  oversize: OPTIONAL.oversize,
});
behavesLikeAnUpstream('SDK v2, legacy only, over Streamable HTTP', () => over(() => startV2Http('legacy')), OPTIONAL);
behavesLikeAnUpstream(
  'SDK v2, modern only, over Streamable HTTP',
  () => over(() => startV2Http('modern'), { call: { caller: modernCaller() } }),
  OPTIONAL,
);
behavesLikeAnUpstream('SDK v1 over old SSE', () => over(() => startV1Sse()), OPTIONAL);
