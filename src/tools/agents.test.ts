import { afterEach, describe, expect, it } from 'vitest';
import { type Rig, type RigOptions, rig } from './testing/rig.ts';

let at: Rig;
afterEach(() => at.close());

const answer = () => ({ status: 'completed', text: 'ok' });

const two: RigOptions = {
  configured: {
    alpha: {
      kind: 'mastra',
      url: 'http://alpha.example:4111',
      agents: [{ key: 'writer', value: { title: 'The Writer', description: 'Writes.' } }, { key: 'shared' }],
      answer,
    },
    beta: {
      kind: 'langgraph',
      url: 'http://beta.example:2024',
      agents: [{ key: 'shared' }, { key: 'deep/er' }, { key: 'weather-agent' }],
      answer,
    },
    plain: { kind: 'mcp', url: 'http://plain.example/mcp', tools: ['t'] },
    gone: { kind: 'mastra', url: 'http://gone.example', away: true },
  },
};

describe('listAgents', () => {
  it('lists the agents of all servers, and which servers are away', async () => {
    at = await rig(two);
    const result = await at.call('listAgents');
    expect(result.structuredContent).toEqual({
      agents: [
        {
          agent: 'alpha/writer',
          name: 'The Writer',
          server: 'alpha',
          description: 'Writes.',
          kind: 'mastra',
          stale: false,
        },
        { agent: 'alpha/shared', name: 'shared', server: 'alpha', kind: 'mastra', stale: false },
        { agent: 'beta/shared', name: 'shared', server: 'beta', kind: 'langgraph', stale: false },
        { agent: 'beta/deep/er', name: 'deep/er', server: 'beta', kind: 'langgraph', stale: false },
        { agent: 'beta/weather-agent', name: 'weather-agent', server: 'beta', kind: 'langgraph', stale: false },
      ],
      away: [{ server: 'gone', state: 'degraded', error: expect.any(String) }],
    });
    expect(result.text).toContain('5 agents.\n- alpha/writer (The Writer): Writes.\n- alpha/shared\n');
    expect(result.text).toMatch(/agents may be missing:\n- server gone is degraded\. .*refused/);
    expect(at.reached).toEqual([]);
  });

  it('lists the agents of one server', async () => {
    at = await rig(two);
    const result = await at.call('listAgents', { server: 'alpha' });
    expect(result.structuredContent).toMatchObject({ agents: [{ server: 'alpha' }, { server: 'alpha' }], away: [] });
    expect(result.text).toMatch(/^2 agents on alpha\./);
  });

  it('names the nearest server when there is none of that name', async () => {
    at = await rig(two);
    const result = await at.call('listAgents', { server: 'alhpa' });
    expect(result).toMatchObject({ isError: true, _meta: { 'switchboard/error': { code: 'SWB_UNKNOWN_SERVER' } } });
    expect(result.text).toContain("'alpha'");
    expect((await at.call('listAgents', { server: 'switchboard' })).isError).toBe(true);
  });
});

describe('a name of an agent resolves', () => {
  const spelled = async (agent: string): Promise<unknown> => {
    const result = await at.call('callAgent', { agent, message: 'hi' });
    return result.isError ? result._meta?.['switchboard/error'] : result.structuredContent?.agent;
  };

  it('as full id, with a colon, as exposed name, and as bare id when that is unique', async () => {
    at = await rig(two);
    for (const name of ['alpha/writer', 'alpha:writer', 'alpha__writer', 'writer']) {
      expect(await spelled(name), name).toBe('alpha/writer');
    }
    for (const name of ['beta/deep/er', 'beta:deep/er', 'deep/er'])
      expect(await spelled(name), name).toBe('beta/deep/er');
    expect(at.reached.map(({ params }) => params.agent)).toContain('deep/er');
  });

  it('never by guessing: an ambiguous id lists the candidates', async () => {
    at = await rig(two);
    expect(await spelled('shared')).toMatchObject({
      code: 'SWB_AMBIGUOUS_NAME',
      candidates: ['alpha/shared', 'beta/shared'],
    });
    const result = await at.call('callAgent', { agent: 'shared', message: 'hi' });
    expect(result.text).toContain('alpha/shared, beta/shared');
    expect(at.reached).toEqual([]);
    expect(await spelled('beta/shared')).toBe('beta/shared');
  });

  it('to an error with the nearest agents when there is none', async () => {
    at = await rig(two);
    expect(await spelled('wirter')).toMatchObject({ code: 'SWB_UNKNOWN_AGENT', candidates: ['alpha/writer'] });
    expect(await spelled('weather')).toMatchObject({ candidates: ['beta/weather-agent'] });
    expect(await spelled('alpha/weather-agent')).toMatchObject({ candidates: ['beta/weather-agent'] });
    expect(await spelled('something else entirely')).toMatchObject({ candidates: [] });
    expect(await spelled('x'.repeat(512))).toMatchObject({ code: 'SWB_UNKNOWN_AGENT' });
  });

  it('to the reason why its server is away, when that server never connected', async () => {
    at = await rig(two);
    expect(await spelled('gone/writer')).toMatchObject({ code: 'SWB_UPSTREAM_UNAVAILABLE', server: 'gone' });
  });

  it('as full id before a bare id of the same spelling', async () => {
    at = await rig({
      configured: {
        one: { kind: 'mastra', url: 'http://one.example', agents: [{ key: 'two/x' }], answer },
        two: { kind: 'mastra', url: 'http://two.example', agents: [{ key: 'x' }], answer },
      },
    });
    expect(await spelled('two/x')).toBe('two/x');
    expect(await spelled('one/two/x')).toBe('one/two/x');
  });
});

describe('describeAgent', () => {
  it('joins the catalog entry with the server’s description', async () => {
    at = await rig({
      configured: {
        alpha: {
          kind: 'mastra',
          url: 'http://alpha.example',
          agents: [{ key: 'writer', value: { title: 'The Writer', description: 'Writes.' } }],
          answer: () => ({
            name: 'writer',
            model: 'offline',
            tools: [{ name: 'search' }, { name: 'fetch' }],
            schemas: { input: {}, output: {} },
            memory: true,
            empty: [],
            odd: [1, {}],
            nothing: null,
          }),
        },
      },
    });
    const result = await at.call('describeAgent', { agent: 'writer' });
    expect(result.structuredContent).toMatchObject({
      agent: 'alpha/writer',
      server: 'alpha',
      name: 'The Writer',
      description: 'Writes.',
      kind: 'mastra',
      stale: false,
      entry: { name: 'writer', title: 'The Writer' },
      details: { model: 'offline' },
    });
    expect(result.text.split('\n')).toEqual([
      'alpha/writer: The Writer (mastra)',
      'Writes.',
      '- model: offline',
      '- tools: search, fetch',
      '- schemas: input, output',
      '- memory: true',
      '- empty: none',
      '- odd: 2 items',
    ]);
    expect(at.reached).toEqual([{ server: 'alpha', method: 'agents/describe', params: { agent: 'writer' } }]);
  });

  it('returns the catalog entry when the server does not answer', async () => {
    at = await rig({
      configured: { alpha: { kind: 'mastra', url: 'http://alpha.example', agents: [{ key: 'writer' }] } },
    });
    const result = await at.call('describeAgent', { agent: 'alpha/writer' });
    expect(result.isError).toBeUndefined();
    expect(result.structuredContent).toMatchObject({ agent: 'alpha/writer', unavailable: 'Not faked.' });
    expect(result.text).toContain('No details: Not faked.');
  });
});
