import type { MastraFixture } from '../../test/fixtures/mastra.ts';
import { borrowMastra } from '../../test/fixtures/shared.ts';
import type { CaseSetup } from '../cases.ts';
import { behavesLikeAnUpstream } from '../testing/vitest.ts';
import { mastraAdapter } from './index.ts';

const count = ({ events }: MastraFixture, event: string): number =>
  events.filter((seen) => seen.event === event).length;

const SECRETS = ['SECRET SYSTEM PROMPT', 'sk-fixture', 'secrets', 'prod.env', 'fixture-key', '@mastra'];

interface Variant {
  auth: boolean;
  stream: boolean;
}

const agentCases =
  ({ auth, stream }: Variant) =>
  async (): Promise<CaseSetup> => {
    const server = await borrowMastra({ auth });
    const ask = (agent: string, content: string) => ({
      method: 'agents/call',
      params: { agent, messages: [{ role: 'user', content }], stream },
    });
    return {
      adapter: mastraAdapter,
      target: { transport: 'auto', url: auth ? `${server.url}/api/` : server.url, headers: server.headers },
      offers: {
        agents: ['echo', 'calculator', 'janitor', 'host', 'slow', 'failing', 'the-id', 'undescribed'],
        tools: [
          'add',
          'shout',
          'nothing',
          'delete-file',
          'transfer',
          'broken',
          'wait',
          'workflow-reverse',
          'toolbox__add',
        ],
        templates: ['mastra://threads/{threadId}'],
      },
      echo: (marker) => ({ ...ask('echo', marker), params: { ...ask('echo', marker).params, stream: false } }),
      failure: { ...ask('failing', 'hello'), says: /The model is out of order/ },
      secrets: SECRETS,
      unknown: ask('nobody', 'hello'),
      slow: {
        ...ask('slow', 'go'),
        started: () => count(server, 'slow started'),
        cancelled: () => count(server, 'slow aborted'),
      },
      kill: server.kill,
      stop: server.stop,
    };
  };

const big = (stream: boolean) => ({
  method: 'agents/call',
  params: { agent: 'echo', messages: [{ role: 'user', content: 'x'.repeat(100_000) }], stream },
  maxReplyBytes: 200_000,
});

const accepts = (stream: boolean) => {
  const call = (agent: string, content: unknown) => ({
    method: 'agents/call',
    params: { agent, messages: [{ role: 'user', content }], stream },
  });
  return {
    // Mastra repeats a message many times in its events: the limit of the suite allows this much.
    'much input': { ...call('echo', `${'x'.repeat(200_000)} end`), says: /x end"/ },
    'an image': {
      ...call('viewer', [{ type: 'image', data: 'aGk=', mimeType: 'image/png' }]),
      says: /I saw file image\/png\..*"type":"image"/,
    },
  };
};

behavesLikeAnUpstream('A Mastra agent that streams', agentCases({ auth: true, stream: true }), {
  progress: {
    method: 'agents/call',
    params: { agent: 'echo', messages: [{ role: 'user', content: 'one two three four' }], stream: true },
    atLeast: 4,
  },
  oversize: big(true),
  accepts: accepts(true),
  cut: true,
});

behavesLikeAnUpstream('A Mastra agent that does not stream', agentCases({ auth: false, stream: false }), {
  oversize: big(false),
  accepts: accepts(false),
  cut: true,
});
