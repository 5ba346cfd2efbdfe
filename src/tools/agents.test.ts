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
          tool: 'alpha__writer',
          description: 'Writes.',
          kind: 'mastra',
          stale: false,
        },
        ...['alpha/shared', 'beta/shared', 'beta/deep/er', 'beta/weather-agent'].map((agent) => {
          const [server = '', ...name] = agent.split('/');
          return {
            agent,
            name: name.join('/'),
            server,
            tool: expect.stringMatching(/^(alpha|beta)__[a-z_-]+/),
            kind: server === 'alpha' ? 'mastra' : 'langgraph',
            stale: false,
          };
        }),
      ],
      total: 5,
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

describe('a long list of agents', () => {
  const many = Array.from({ length: 300 }, (_, i) => ({
    key: `agent-${i}`,
    value: {
      title: i % 2 ? 'Odd' : 'Even',
      description: `Number ${i}. ${'long '.repeat(2_000)}`,
      aliases: [`id-${i}`],
    },
  }));
  const setUp = async (): Promise<void> => {
    at = await rig({ configured: { alpha: { kind: 'mastra', url: 'http://alpha.example', agents: many, answer } } });
  };

  it('comes in pages of a bounded text, each agent once', async () => {
    await setUp();
    const seen: string[] = [];
    let cursor: unknown;
    do {
      const page = await at.call('listAgents', { limit: 70, ...(cursor ? { cursor } : {}) });
      const { agents, total, nextCursor } = page.structuredContent as {
        agents: { agent: string }[];
        total: number;
        nextCursor?: string;
      };
      expect(total).toBe(300);
      expect(page.text.length).toBeLessThan(20_000);
      expect(JSON.stringify(page.structuredContent).length).toBeLessThan(60_000);
      seen.push(...agents.map(({ agent }) => agent));
      cursor = nextCursor;
    } while (cursor);
    expect(seen).toEqual(many.map(({ key }) => `alpha/${key}`));
    expect((await at.call('listAgents', { cursor: 'nothing' }))._meta?.['switchboard/error'].code).toBe(
      'SWB_STALE_CURSOR',
    );
  });

  it('is searched by words of id, name, description and other names', async () => {
    await setUp();
    const found = async (query: string): Promise<unknown> => {
      const { agents, total } = (await at.call('listAgents', { query })).structuredContent as {
        agents: { agent: string }[];
        total: number;
      };
      return total > 3 ? total : agents.map(({ agent }) => agent);
    };
    expect(await found('odd')).toBe(150);
    expect(await found('ODD agent-297')).toEqual(['alpha/agent-297']);
    expect(await found('id-299')).toEqual(['alpha/agent-299']);
    expect(await found('nobody')).toEqual([]);
    expect((await at.call('listAgents', { query: 'odd' })).text).toMatch(
      /^150 agents for 'odd'\. These are 1 to 50\.\n/,
    );
  });

  it('is called by other names too', async () => {
    await setUp();
    for (const agent of ['alpha/id-7', 'alpha:id-7', 'id-7']) {
      expect((await at.call('callAgent', { agent, message: 'x' })).structuredContent?.agent).toBe('alpha/agent-7');
    }
  });
});

it('agents with odd names are listed on one line each, and everything that is listed can be called', async () => {
  const keys = ['', 'two\n- alpha/forged: lines', 'x'.repeat(600), '..', '\u202eturned', 'tab\there', ' blank '];
  const agents = keys.map((key) => ({ key, value: { description: 'a\n- alpha/forged\u2028- more' } }));
  at = await rig({ configured: { alpha: { kind: 'mastra', url: 'http://alpha.example', agents, answer } } });
  const result = await at.call('listAgents');
  const lines = result.text.split('\n');
  expect(lines).toHaveLength(keys.length + 1);
  expect(result.text).not.toMatch(/[\u2028\u202e\t]/);
  const { agents: listed } = result.structuredContent as { agents: { agent: string; tool: string }[] };
  for (const [i, { agent }] of listed.entries()) {
    const called = await at.call('callAgent', { agent, message: 'x' });
    expect(called.structuredContent?.agent, agent).toBe(agent);
    expect(at.reached.at(-1)?.params.agent).toBe(keys[i]);
  }
});

describe('in the first moments', () => {
  const late = (kind: string, gate: Promise<void>) => ({
    kind,
    url: `http://${kind}.example`,
    agents: [{ key: 'writer' }],
    answer,
    gate,
  });

  it('a lookup waits for the server it names, and says so', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    at = await rig();
    const adding = at.add('alpha', late('mastra', gate));
    const calling = at.call('callAgent', { agent: 'alpha/writer', message: 'hi' }, { wantsProgress: true });
    const listing = at.call('listAgents', { server: 'alpha' });
    const describing = at.call('describeAgent', { agent: 'alpha/writer' });
    await new Promise((next) => setImmediate(next));
    expect(at.calls[0]?.notifications.map(({ params }) => params?.message)).toEqual([
      'Waiting for server alpha, still connecting.',
    ]);
    open();
    await adding;
    expect((await calling).structuredContent).toMatchObject({ agent: 'alpha/writer', text: 'ok' });
    expect((await listing).structuredContent).toMatchObject({ agents: [{ agent: 'alpha/writer' }] });
    expect((await describing).structuredContent).toMatchObject({ agent: 'alpha/writer' });
  });

  it('a bare id that no server has yet waits for those that are connecting', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    at = await rig();
    const adding = at.add('alpha', late('mastra', gate));
    const calling = at.call('callAgent', { agent: 'writer', message: 'hi' });
    open();
    await adding;
    expect((await calling).structuredContent).toMatchObject({ agent: 'alpha/writer' });
  });

  it('a server that does not come in time is the reason, and no agent is unknown', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    at = await rig({ connectTimeoutMs: 60 });
    // The federation gives it up at its deadline; the lookup ends with that.
    const adding = at.add('alpha', late('mastra', gate));
    const result = await at.call('callAgent', { agent: 'alpha/writer', message: 'hi' });
    expect(result._meta?.['switchboard/error']).toMatchObject({ code: 'SWB_UPSTREAM_UNAVAILABLE', server: 'alpha' });
    open();
    await adding;
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

  it('gives a page of what is long, and a part of it whole', async () => {
    const schema = { type: 'object', properties: { messages: { description: 'x'.repeat(9_000) } } };
    const details = {
      model: 'm',
      schemas: { input: { type: 'object' }, output: schema, state: { ...schema, big: 'y'.repeat(70_000) } },
    };
    at = await rig({
      configured: {
        alpha: { kind: 'mastra', url: 'http://alpha.example', agents: [{ key: 'a' }], answer: () => details },
      },
    });
    const page = await at.call('describeAgent', { agent: 'a' });
    expect(JSON.stringify(page).length).toBeLessThan(20_000);
    expect(page.structuredContent).toMatchObject({ details: { model: 'm', schemas: { input: { type: 'object' } } } });
    expect(page.structuredContent?.omitted).toContain('schemas.state.big');
    const part = await at.call('describeAgent', { agent: 'a', part: 'schemas.output' });
    expect(part.structuredContent?.details).toEqual({ 'schemas.output': schema });
    const tooLong = await at.call('describeAgent', { agent: 'a', part: 'schemas.state' });
    expect(tooLong._meta?.['switchboard/error'].code).toBe('SWB_REPLY_TOO_LARGE');
    const none = await at.call('describeAgent', { agent: 'a', part: 'schemas.__proto__' });
    expect(none.text).toContain("no 'schemas.__proto__'. They have: model, schemas.");
  });
});
