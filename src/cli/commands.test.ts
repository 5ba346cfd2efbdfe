import { afterEach, describe, expect, it } from 'vitest';
import { removeTemporaryFolders } from '../config/testing/files.ts';
import { AWAY, CALCULATOR, runCli, SERVERS, WRITER } from './testing/cli.ts';

afterEach(removeTemporaryFolders);

const WITH_AWAY = {
  servers: { ...SERVERS, away: { kind: 'langgraph', url: AWAY.url }, off: { url: WRITER.url, disabled: true } },
};

describe('check', () => {
  it('prints a table and exits with 0 when everything is ready', async () => {
    const { code, stdout, stderr, probe } = await runCli(['check']);
    expect(stdout.lines).toEqual([
      'SERVER      KIND    ERA     TRANSPORT        TOOLS  AGENTS  STATE  ERROR',
      'calculator  mcp     modern  streamable-http      3       0  ready',
      'writer      mastra  -       http                 0       2  ready',
      '2 of 2 servers ready.',
    ]);
    expect(stderr.text).toBe('');
    expect(code).toBe(0);
    expect(probe.closed).toBe(1);
  });

  it('says why a server is not ready and exits with 3; disabled ones do not count', async () => {
    const { code, stdout } = await runCli(['check'], { content: WITH_AWAY });
    expect(stdout.text).toMatch(
      /^away +langgraph +- +- +- +- +degraded +It is not reachable: the connection was refused/m,
    );
    expect(stdout.text).toMatch(/^off .* disabled/m);
    expect(stdout.text).toContain('2 of 3 servers ready.');
    expect(code).toBe(3);
  });

  it('prints JSON with --json', async () => {
    const { code, json } = await runCli(['check', '--json'], { content: WITH_AWAY });
    expect(json()).toMatchObject({
      file: expect.stringMatching(/servers\.json$/),
      warnings: [],
      ready: 2,
      servers: [
        { name: 'calculator', kind: 'mcp', era: 'modern', state: 'ready', counts: { tools: 3 } },
        { name: 'writer', state: 'ready', counts: { agents: 2 } },
        { name: 'away', state: 'degraded', error: expect.stringContaining('connection was refused') },
        { name: 'off', state: 'disabled' },
      ],
    });
    expect(code).toBe(3);
  });

  it('succeeds without any server', async () => {
    const { code, stdout } = await runCli(['check'], { content: {} });
    expect(stdout.text).toBe('No servers are configured: only the builtin tools are served.\n');
    expect(code).toBe(0);
  });

  it('shows what of the configuration was ignored', async () => {
    const { stderr } = await runCli(['check'], { content: { servers: { c: { ...SERVERS.calculator, timeout: 5 } } } });
    expect(stderr.text).toMatch(
      /^warning servers\.json:\d+:\d+ servers\.c\.timeout: ignored: .*write timeoutMs instead\.$/m,
    );
  });

  it('warns of rules for what is there by a name that can match nothing', async () => {
    const rule = { action: 'deny' };
    const policy = { version: '1', default: 'allow', tools: { add: rule, calculator__add: rule, later: rule } };
    const alone = { version: '1', default: 'allow', tools: { add: rule } };
    const { stderr } = await runCli(['check'], { content: { servers: SERVERS, gateway: { policy } } });
    expect(stderr.text).toContain('warning policy gateway: tools: "add" matches nothing there is');
    expect(stderr.text.match(/matches nothing/g)).toHaveLength(1);
    const { json, code } = await runCli(['check', '--json'], {
      content: { servers: SERVERS, gateway: { policy: alone } },
    });
    expect(json()).toMatchObject({ warnings: [expect.stringContaining('write "calculator__add"')] });
    expect(code).toBe(0);
  });

  it('shows on a terminal which servers it waits for, and erases the line', async () => {
    const gate = Promise.withResolvers<void>();
    const slow = { ...CALCULATOR, gate: gate.promise };
    const { stderr, code } = await runCli(['check'], {
      terminal: true,
      servers: [slow, WRITER],
      async meanwhile(io) {
        await expect.poll(() => io.stderr.text).toContain('Connecting: 1 of 2 servers ready; waiting for calculator');
        gate.resolve();
      },
    });
    expect(stderr.text.endsWith('\r\u001b[2K')).toBe(true);
    expect(code).toBe(0);
  });
});

describe('list', () => {
  it('lists everything under the names clients see, builtin tools included', async () => {
    const { code, stdout } = await runCli(['list']);
    expect(stdout.text).toMatch(/^Tools \(15\)$/m);
    expect(stdout.text).toMatch(/^ {2}callAgent +Sends a message to an agent/m);
    expect(stdout.text).toMatch(/^ {2}calculator__add$/m);
    expect(stdout.text).toMatch(/^Agents \(2\)$/m);
    expect(stdout.text).toMatch(/^ {2}writer\/poet +Writes poems$/m);
    expect(code).toBe(0);
  });

  it('lists one server only', async () => {
    const { code, json } = await runCli(['list', 'calculator', '--json']);
    expect(json()).toEqual({
      tools: ['add', 'fail', 'hang'].map((name) => ({
        name: `calculator__${name}`,
        server: 'calculator',
        originalName: name,
        definition: { name, inputSchema: { type: 'object' } },
      })),
      prompts: [],
      resources: [],
      templates: [],
      agents: [],
    });
    expect(code).toBe(0);
  });

  it('does not wait for servers it does not need', async () => {
    const never = { ...WRITER, gate: new Promise<void>(() => {}) };
    const { code, stdout } = await runCli(['list', 'calculator'], { servers: [CALCULATOR, never] });
    expect(stdout.text).toContain('calculator__add');
    expect(code).toBe(0);
  });

  it('says which servers are missing, and exits with 4 when it is the one asked for', async () => {
    const all = await runCli(['list'], { content: WITH_AWAY });
    expect(all.stderr.text).toMatch(/^away is not ready: It is not reachable/m);
    expect(all.code).toBe(0);
    const one = await runCli(['list', 'away'], { content: WITH_AWAY });
    expect(one.stdout.text).toBe('Nothing is offered.\n');
    expect(one.code).toBe(4);
  });

  it.each([
    ['calculater', 'There is no server "calculater". Did you mean "calculator"?'],
    ['zzz', 'There is no server "zzz". The servers are: calculator, writer, away'],
    ['off', 'The server "off" is disabled in the configuration.'],
  ])('exits with 2 for %s', async (name, message) => {
    const { code, stderr } = await runCli(['list', name], { content: WITH_AWAY });
    expect(stderr.text).toContain(`error ${message}`);
    expect(code).toBe(2);
  });

  it('cuts long descriptions on a terminal only', async () => {
    const wide = await runCli(['list']);
    expect(Math.max(...wide.stdout.lines.map((line) => line.length))).toBeGreaterThan(100);
    const narrow = await runCli(['list', '--no-color'], { terminal: true });
    expect(Math.max(...narrow.stdout.lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

describe('agents', () => {
  it('lists agents under the ids that ask takes', async () => {
    const { code, stdout } = await runCli(['agents']);
    expect(stdout.lines).toEqual([
      'AGENT        KIND    DESCRIPTION',
      'writer/poet  mastra  Writes poems',
      'writer/shy   mastra  Waits for a person',
    ]);
    expect(code).toBe(0);
    expect((await runCli(['agents', '--json'])).json()).toMatchObject({
      agents: [{ agent: 'writer/poet', server: 'writer', kind: 'mastra' }, { agent: 'writer/shy' }],
    });
  });

  it('reports an empty list', async () => {
    const { code, stdout } = await runCli(['agents'], { content: {} });
    expect(stdout.text).toBe('There are no agents.\n');
    expect(code).toBe(0);
  });
});

describe('call', () => {
  it('prints the text of the result', async () => {
    const { code, stdout, stderr } = await runCli(['call', 'calculator__add', '{"a": 1, "b": 2}']);
    expect(stdout.text).toBe('3\n');
    expect(stderr.text).toBe('');
    expect(code).toBe(0);
  });

  it('reads arguments from stdin and prints the whole result with --json', async () => {
    const { code, json } = await runCli(['call', 'calculator__add', '-', '--json'], { stdin: '{"a": 2, "b": 2}\n' });
    expect(json()).toMatchObject({ content: [{ type: 'text', text: '4' }], structuredContent: { sum: 4 } });
    expect(code).toBe(0);
  });

  it('shows progress on a terminal', async () => {
    const { stderr } = await runCli(['call', 'calculator__add', '--no-color'], { terminal: true });
    expect(stderr.text).toContain('1/2 adding\n');
  });

  it('exits with 1 when the tool fails, without letting it drive the terminal', async () => {
    const { code, stdout, stderr } = await runCli(['call', 'calculator__fail']);
    expect(stdout.text).toBe('');
    expect(stderr.text).toBe('error division by zero\n');
    expect(code).toBe(1);
    const asJson = await runCli(['call', 'calculator__fail', '--json']);
    expect(asJson.json()).toMatchObject({ isError: true });
    expect(asJson.code).toBe(1);
  });

  it('calls builtin tools, whatever the state of the servers', async () => {
    const never = { ...WRITER, gate: new Promise<void>(() => {}) };
    const content = { servers: { ...SERVERS, writer: { ...SERVERS.writer, connectTimeoutMs: 500 } } };
    const { code, json } = await runCli(['call', 'listServers', '--json'], { content, servers: [CALCULATOR, never] });
    expect(json()).toMatchObject({ structuredContent: { servers: expect.any(Array) } });
    expect(code).toBe(0);
  });

  it.each([
    [['call', 'calculator__ad'], 2, 'There is no tool "calculator__ad". Did you mean "calculator__add"?'],
    [['call', 'add'], 2, 'There is no tool "add". Did you mean "calculator__add"?'],
    [['call', 'zzz'], 2, 'There is no tool "zzz". See `switchboard list`.'],
    [['call', 'away__x'], 4, 'connection was refused'],
    [['call', 'calculator__add', '{a: 1}'], 2, 'The arguments are not JSON'],
    [['call', 'calculator__add', '[1]'], 2, 'The arguments must be a JSON object'],
    [['call', 'describeAgent', '{"agent": "nobody"}'], 2, 'nobody'],
  ])('%j exits with %i', async (args, expected, message) => {
    const { code, stderr } = await runCli(args, { content: WITH_AWAY });
    expect(stderr.text).toContain(message);
    expect(code).toBe(expected);
  });
});

describe('ask', () => {
  it('prints the answer as it arrives, every piece once', async () => {
    const { code, stdout } = await runCli(['ask', 'writer/poet', 'a', 'poem', 'please']);
    expect(stdout.text).toBe('roses are red\n');
    expect(code).toBe(0);
  });

  it('sends what was said, the thread and the resource', async () => {
    let sent: unknown;
    const listening = {
      ...WRITER,
      answer: async (_method: string, params: object) => {
        sent = params;
        return { status: 'completed', text: 'ok' };
      },
    };
    const { stdout } = await runCli(['ask', 'poet', '-', '--thread', 't1', '--resource', 'r1'], {
      servers: [CALCULATOR, listening],
      stdin: 'from stdin',
    });
    expect(stdout.text).toBe('ok\n');
    expect(sent).toMatchObject({
      agent: 'poet',
      messages: [{ role: 'user', content: 'from stdin' }],
      threadId: 't1',
      resourceId: 'r1',
      stream: true,
    });
  });

  it('prints the outcome with --json', async () => {
    const { code, json } = await runCli(['ask', 'writer:poet', 'hi', '--json']);
    expect(json()).toMatchObject({ agent: 'writer/poet', status: 'completed', text: 'roses are red', threadId: 't1' });
    expect(code).toBe(0);
  });

  it('says what an agent waits for and exits with 1', async () => {
    const { code, stderr } = await runCli(['ask', 'writer/shy', 'hi']);
    expect(stderr.text).toContain('The agent waits for a person:\n  {"question":"May I?"}\n');
    expect(code).toBe(1);
  });

  it.each([
    [['ask', 'nobody', 'hi'], 2, "There is no agent 'nobody'"],
    [['ask', 'away/x', 'hi'], 4, 'connection was refused'],
    [['ask', 'writer/poet', ' '], 2, 'There is nothing to say'],
  ])('%j exits with %i', async (args, expected, message) => {
    const { code, stderr } = await runCli(args, { content: WITH_AWAY });
    expect(stderr.text).toContain(message);
    expect(code).toBe(expected);
  });

  it('never guesses between two agents of one id, however fast one of their servers is', async () => {
    const gate = Promise.withResolvers<void>();
    const other = { ...WRITER, url: 'http://other.example', gate: gate.promise };
    const { code, stderr } = await runCli(['ask', 'poet', 'hi'], {
      content: { servers: { ...SERVERS, other: { kind: 'mastra', url: other.url } } },
      servers: [CALCULATOR, WRITER, other],
      async meanwhile(_io, probe) {
        await expect.poll(() => probe.made[0]?.federation.member('writer')?.state).toBe('ready');
        gate.resolve();
      },
    });
    expect(stderr.text).toContain('writer/poet, other/poet');
    expect(code).toBe(2);
  });
});
