/** What every adapter shows, against real servers of both lines. */

import { langgraphAdapter } from '../../adapters/langgraph/index.ts';
import { behavesLikeAnUpstream } from '../../adapters/testing/vitest.ts';
import { borrowLanggraph } from '../fixtures/shared.ts';
import { agentCall, PROMPT, VERSIONS } from './talk.ts';

const IMAGE = { type: 'image', data: 'aGk=', mimeType: 'image/png' };
const BUSY = '7f9619ff-8b86-4011-b42d-00c04fc964ff';

for (const version of VERSIONS) {
  behavesLikeAnUpstream(
    `LangGraph ${version}`,
    async () => {
      const server = await borrowLanggraph(version);
      const count = (event: string): number => server.events.filter((told) => told.event === event).length;
      return {
        adapter: langgraphAdapter,
        target: { transport: 'http', url: server.url, headers: {} },
        offers: {
          agents: ['echo', 'approval', 'survey', 'slow', 'boom', 'add'],
          templates: ['langgraph://threads/{threadId}', 'langgraph://store/{namespace}/{key}'],
        },
        echo: (marker) => agentCall('echo', marker),
        failure: { ...agentCall('boom', PROMPT), says: /cannot read/ },
        secrets: ['/srv/agents', '10.1.2.3', 'sk-fixture', PROMPT],
        unknown: agentCall('no-such-agent', 'hello'),
        slow: {
          ...agentCall('slow', '600'),
          started: () => count('slow started'),
          cancelled: () => count('slow aborted'),
        },
        leftovers: () => count('slow started') - count('slow aborted') - count('slow finished'),
        kill: () => server.kill(),
        stop: () => server.stop(),
      };
    },
    {
      progress: { ...agentCall('echo', 'one token per character', { stream: true }), atLeast: 20 },
      oversize: {
        method: 'agents/call',
        params: { agent: 'add', options: { input: { a: 1, b: 2, bulkBytes: 100_000 } } },
        maxReplyBytes: 65_536,
      },
      accepts: {
        'a megabyte of input': { ...agentCall('team', 'x'.repeat(1_000_000)), says: /I saw text\./ },
        'an image': {
          ...agentCall('team', '', { messages: [{ role: 'user', content: [IMAGE] }] }),
          says: /I saw image_url\..*"type":"image"/,
        },
      },
      busy: {
        slow: agentCall('slow', '600', { threadId: BUSY }).params,
        call: agentCall('slow', '1', { threadId: BUSY }),
        says: /is busy/,
      },
      cut: true,
    },
  );
}
