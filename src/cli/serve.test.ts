import { rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { configFile, removeTemporaryFolders } from '../config/testing/files.ts';
import { SwitchboardError } from '../core/errors.ts';
import { run } from './program.ts';
import { AWAY, CALCULATOR, runCli, SERVERS, WRITER } from './testing/cli.ts';
import { type TestIo, testIo } from './testing/io.ts';

afterEach(removeTemporaryFolders);

const TOKEN = 'a-token-of-sixteen-and-more';

/** Waits until stderr says it. */
const told = (io: TestIo, text: string | RegExp): Promise<void> => expect.poll(() => io.stderr.text).toMatch(text);

const servers = (...names: (keyof typeof SERVERS)[]): string =>
  JSON.stringify({ servers: Object.fromEntries(names.map((name) => [name, SERVERS[name]])) });

describe('serve', () => {
  it('prints where it listens, what it federates, what is missing, and what to paste; ends in order', async () => {
    const { code, stdout, stderr, probe } = await runCli(['serve'], {
      content: { servers: { ...SERVERS, away: { kind: 'langgraph', url: AWAY.url } } },
      async meanwhile(io) {
        await told(io, 'away is not ready');
        io.send('SIGTERM');
      },
    });
    const text = stderr.text;
    expect(text).toMatch(/^Switchboard \d+\.\d+\.\d+ listens at http:\/\/127\.0\.0\.1:7300\/mcp$/m);
    const snippets = text.split('\n').filter((line) => line.startsWith('  { "mcpServers"'));
    expect(snippets.map((line) => JSON.parse(line).mcpServers.switchboard)).toEqual([
      { type: 'http', url: 'http://127.0.0.1:7300/mcp' },
      {
        command: process.execPath,
        args: ['/opt/switchboard/main.js', 'serve', '--stdio', '--config', expect.stringMatching(/servers\.json$/)],
      },
    ]);
    expect(text).toContain('Federates 2 servers:\n  calculator  mcp, streamable-http, modern  3 tools\n');
    expect(text).toContain('  writer      mastra, http                  2 agents\n');
    expect(text).toMatch(
      /Missing 1; each joins by itself when it can be reached:\n {2}away is not ready: It is not reach/,
    );
    expect(stdout.text).toBe('');
    expect(code).toBe(0);
    expect(probe.closed).toBe(1);
  });

  it('refuses to be the fourth of gateways that start one another', async () => {
    const { code, stderr } = await runCli(['serve'], { env: { SWITCHBOARD_DEPTH: '3' } });
    expect(stderr.text).toContain('3 gateways have started one another');
    expect(code).toBe(2);
  });

  it('prints events as lines of JSON on stdout with --json', async () => {
    const { stdout } = await runCli(['serve', '--json'], {
      async meanwhile(io) {
        await expect.poll(() => io.stdout.text).toContain('"federating"');
        io.send('SIGINT');
      },
    });
    const events = stdout.lines.map((line) => JSON.parse(line));
    expect(events.filter(({ event }) => event !== 'server')).toMatchObject([
      { event: 'listening', url: 'http://127.0.0.1:7300/mcp', host: '127.0.0.1', port: 7300 },
      { event: 'federating', servers: [{ name: 'calculator', state: 'ready' }, { name: 'writer' }] },
    ]);
  });

  it('prints an event for every change of a server’s state with --json', async () => {
    const { stdout } = await runCli(['serve', '--json'], {
      async meanwhile(io, probe) {
        await expect.poll(() => io.stdout.text).toContain('"federating"');
        await probe.made[0]?.federation.remove('writer');
        await expect.poll(() => io.stdout.text).toContain('"stopped"');
        io.send('SIGINT');
      },
    });
    const events = stdout.lines.map((line) => JSON.parse(line));
    const states = events.flatMap(({ event, server }) =>
      event === 'server' ? [`${server.name} ${server.state}`] : [],
    );
    expect(states).toEqual(expect.arrayContaining(['calculator ready', 'writer ready']));
    expect(events.at(-1)).toMatchObject({ server: { name: 'writer', state: 'stopped', error: 'it has been removed' } });
  });

  it('never prints the token', async () => {
    const { stderr, stdout, code } = await runCli(['serve', '--host', '0.0.0.0', '--token-env', 'GATE'], {
      env: { GATE: TOKEN },
      async meanwhile(io) {
        await told(io, 'Federates');
        io.send('SIGTERM');
      },
    });
    expect(stderr.text + stdout.text).not.toContain(TOKEN);
    expect(stderr.text).toContain('"Authorization": "Bearer <your token>"');
    expect(code).toBe(0);
  });

  it('listens beyond loopback with --allow-unauthenticated, and warns', async () => {
    const { code, stderr } = await runCli(['serve', '--host', '0.0.0.0', '--allow-unauthenticated'], {
      async meanwhile(io) {
        await told(io, 'Federates');
        io.send('SIGTERM');
      },
    });
    expect(stderr.text).toContain('whoever reaches 0.0.0.0 may use every server, without authentication');
    expect(code).toBe(0);
  });

  it.each([
    [['serve', '--host', '0.0.0.0'], 2, 'which other machines can reach, and no token is set'],
    [['serve', '--token-env', 'NONE'], 2, '--token-env: the environment variable NONE is not set.'],
    [['serve', '--config', 'none.json'], 2, 'none.json: there is no such file.'],
  ])('%j exits with %i', async (args, expected, message) => {
    const { code, stderr, probe } = await runCli(args);
    expect(stderr.text).toMatch(/^error /);
    expect(stderr.text).toContain(message);
    expect(code).toBe(expected);
    expect(probe.made).toHaveLength(0);
  });

  it('says in one sentence that the port is taken, and exits with 4', async () => {
    const { code, stderr, probe } = await runCli(['serve'], {
      async listen() {
        const cause = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' });
        throw new SwitchboardError('SWB_CONFIG', '127.0.0.1:7300 is in use by another process.', { cause });
      },
    });
    expect(stderr.text).toBe(
      'error 127.0.0.1:7300 is in use by another process. --port chooses another, --port 0 any that is free.\n',
    );
    expect(code).toBe(4);
    expect(probe.closed).toBe(1);
  });

  it('writes nothing but protocol to stdout with --stdio, and ends with its client', async () => {
    const { code, stdout, stderr } = await runCli(['serve', '--stdio'], {
      async meanwhile(io, probe) {
        await told(io, 'Serving one client on stdio.');
        probe.leave();
      },
    });
    expect(stdout.text).toBe('');
    expect(stderr.text).not.toContain('listens at');
    expect(code).toBe(0);
  });

  it('ends at once on a second signal', async () => {
    const { exits } = await runCli(['serve'], {
      async meanwhile(io) {
        await told(io, 'Federates');
        io.send('SIGINT');
        io.send('SIGINT');
      },
    });
    expect(exits).toEqual([130]);
  });

  it('follows edits of the file, keeps what runs when one is broken, and reads again on SIGHUP', async () => {
    const { code } = await runCli(['serve'], {
      content: servers('calculator'),
      async meanwhile(io, probe, file) {
        await told(io, 'Federates');
        const names = (): string[] | undefined =>
          probe.made[0]?.federation.members().flatMap(({ builtin, name }) => (builtin ? [] : [name]));
        await writeFile(`${file}~`, servers('calculator', 'writer'));
        await rename(`${file}~`, file);
        await expect.poll(names).toEqual(['calculator', 'writer']);
        await told(io, /"added":\["writer"\],"removed":\[\],"changed":\[\]/);
        await writeFile(file, '{"servers": {"x": {}}}');
        await told(io, /what runs stays\.\\nservers\.json:1:14 servers\.x: found neither a command nor a url/);
        expect(names()).toEqual(['calculator', 'writer']);
        io.send('SIGHUP');
        await expect.poll(() => io.stderr.text.split('what runs stays').length).toBe(3);
        await writeFile(file, JSON.stringify({ servers: { writer: SERVERS.writer }, gateway: { port: 7301 } }));
        await expect.poll(names).toEqual(['writer']);
        await told(io, /"keys":\["gateway\.port"\],"msg":"These changes take effect after a restart\."/);
        io.send('SIGTERM');
      },
    });
    expect(code).toBe(0);
  });

  it('prints its summary after some seconds when a server never answers', async () => {
    const never = { ...WRITER, gate: new Promise<void>(() => {}) };
    const { stderr, code } = await runCli(['serve'], {
      servers: [CALCULATOR, never],
      async meanwhile(io) {
        await told(io, 'writer is connecting');
        io.send('SIGTERM');
      },
    });
    expect(stderr.text).toContain('Federates 1 server:\n');
    expect(code).toBe(0);
  });
});

describe('serve with a server that is away, in a terminal', () => {
  async function served(...flags: string[]): Promise<TestIo> {
    const file = await configFile({
      servers: { away: { kind: 'mcp', url: 'http://127.0.0.1:9/mcp' } },
      gateway: { port: 0, stateDir: false },
    });
    const io = testIo({ cwd: dirname(file), terminal: true, env: { NO_COLOR: '1' } });
    const ended = run(['serve', ...flags], io);
    await expect
      .poll(() => io.stderr.text + io.stdout.text)
      .toMatch(/Missing 1.*refuse|refuse.*Missing 1|"federating"/s);
    io.send('SIGTERM');
    expect(await ended).toBe(0);
    return io;
  }

  it('names the missing server once, and logs in text', async () => {
    const { stderr } = await served();
    expect(stderr.text.match(/refused|refuses/g)).toHaveLength(1);
    expect(stderr.text).toMatch(/^\d\d:\d\d:\d\d info {2}Stopping\.$/m);
    expect(stderr.text).not.toContain('"level"');
  });

  it('logs JSON with --json, the warning included', async () => {
    const { stderr, stdout } = await served('--json');
    const lines = stderr.lines.map((line) => JSON.parse(line));
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 'warn', server: 'away', msg: 'A server could not be connected.' }),
    );
    expect(lines.at(-1)).toMatchObject({ level: 'info', msg: 'Stopping.' });
    const events = stdout.lines.map((line) => JSON.parse(line));
    expect(events.find(({ event }) => event === 'federating')).toMatchObject({
      servers: [{ name: 'away', state: 'degraded' }],
    });
  });
});
