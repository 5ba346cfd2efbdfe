/** What every adapter shows, against the reference SDK's servers of both versions, in both bindings. */
import { a2aAdapter } from '../../adapters/a2a/index.ts';
import { behavesLikeAnUpstream } from '../../adapters/testing/vitest.ts';
import { A2A_FORMS, startA2a } from '../fixtures/a2a.ts';
import { say } from './talk.ts';

for (const form of A2A_FORMS) {
  behavesLikeAnUpstream(
    `An A2A agent (${form})`,
    async () => {
      const agent = await startA2a(form, { key: 'sk-fixture-key-1' });
      const count = (event: string): number => agent.events.filter((each) => each.event === event).length;
      return {
        adapter: a2aAdapter,
        target: { transport: 'http', url: agent.url, headers: { authorization: 'Bearer sk-fixture-key-1' } },
        offers: { agents: ['Test-Agent'] },
        echo: (marker) => say(marker),
        failure: { ...say('boom'), says: /cannot read/ },
        secrets: ['/srv/agents', '10.1.2.3', 'sk-fixture'],
        unknown: { method: 'agents/call', params: { agent: 'nobody', messages: [{ role: 'user', content: 'hello' }] } },
        slow: { ...say('slow 1200'), started: () => count('slow started'), cancelled: () => count('cancelled') },
        kill: () => agent.kill(),
        stop: () => agent.stop(),
      };
    },
    {
      progress: { ...say('one word after the other and so on', { stream: true }), atLeast: 4 },
      oversize: { ...say('big 100000'), maxReplyBytes: 65_536 },
    },
  );
}
