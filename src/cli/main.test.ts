import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { configFile, removeTemporaryFolders, temporaryFolder } from '../config/testing/files.ts';

const MAIN = fileURLToPath(new URL('../../bin/switchboard.js', import.meta.url));
const EVERYTHING = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
);

const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await removeTemporaryFolders();
});

interface Running {
  child: ChildProcess;
  out: { stdout: string; stderr: string };
  /** Resolves with the exit code. */
  ended: Promise<number | null>;
}

function start(args: readonly string[], cwd: string, env: Record<string, string> = {}): Running {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, env: { PATH, ...env } });
  children.push(child);
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    out.stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    out.stderr += chunk.toString();
  });
  return { child, out, ended: once(child, 'close').then(([code]) => code as number | null) };
}

async function finish(args: readonly string[], cwd: string, env?: Record<string, string>) {
  const { out, ended } = start(args, cwd, env);
  return { code: await ended, ...out };
}

const within = { timeout: 60_000 };

describe('the switchboard command', () => {
  it('explains itself, and exits with 2 for a command it does not know', async () => {
    const cwd = await temporaryFolder();
    const help = await finish(['--help'], cwd);
    expect(help.stdout).toContain('Usage: switchboard [options] [command]');
    expect(help.code).toBe(0);
    const unknown = await finish(['lst'], cwd);
    expect(unknown.stderr).toBe("error: unknown command 'lst'\n(Did you mean list?)\n");
    expect(unknown.code).toBe(2);
  });

  it('exits with 2 for a configuration with mistakes, and says where they are', async () => {
    const file = await configFile('{\n  "mcpServers": { "a": { "comand": "x" } }\n}');
    const { code, stderr, stdout } = await finish(['check'], dirname(file));
    expect(stderr).toMatch(
      /^error servers\.json:2:26 mcpServers\.a\.comand: found an unknown key; did you mean "command"\?/,
    );
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('says how to begin where there is no configuration', async () => {
    const { code, stderr } = await finish(['check'], await temporaryFolder());
    expect(stderr).toContain('There is no servers.json in');
    expect(stderr).toContain('AGENT_SERVERS');
    expect(code).toBe(2);
  });

  it('checks, lists and calls a real server, and exits', async () => {
    const folder = await temporaryFolder();
    const everything = { command: 'node', args: [EVERYTHING, 'stdio'] };
    await writeFile(join(folder, 'servers.json'), JSON.stringify({ mcpServers: { everything } }));
    const check = await finish(['check'], folder);
    expect(check.stdout).toMatch(/^everything +mcp +legacy +stdio +\d+ +0 +ready$/m);
    expect(check.code).toBe(0);
    const call = await finish(['call', 'everything__echo', '{"message": "hi"}'], folder);
    expect(call).toMatchObject({ code: 0, stdout: 'Echo: hi\n', stderr: '' });
  });

  it('serves, reads its configuration again on SIGHUP, and ends with 0 on SIGTERM', async () => {
    const file = await configFile({});
    const { child, out, ended } = start(['serve', '--port', '0', '--json'], dirname(file));
    await expect.poll(() => out.stdout, within).toContain('\n');
    const { url } = JSON.parse(out.stdout.split('\n')[0] ?? '') as { url: string };
    const answer = await fetch(new URL('/healthz', url));
    expect(answer.status).toBe(200);
    await expect.poll(() => out.stdout, within).toContain('"federating"');
    child.kill('SIGHUP');
    await expect.poll(() => out.stderr, within).toContain('The configuration was read again.');
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('reads its configuration again on a SIGHUP that arrives as soon as it listens', async () => {
    const file = await configFile({});
    const { child, out, ended } = start(['serve', '--port', '0', '--json'], dirname(file));
    await expect.poll(() => out.stdout, within).toContain('\n');
    child.kill('SIGHUP');
    await expect.poll(() => out.stderr, within).toContain('The configuration was read again.');
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('says in one sentence that the port is taken, and exits with 4', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    try {
      const { port } = taken.address() as { port: number };
      const file = await configFile({});
      const { code, stderr } = await finish(['serve', '--port', String(port)], dirname(file));
      expect(stderr).toMatch(new RegExp(`^error 127\\.0\\.0\\.1:${port} is in use by another process\\.[^\\n]*\\n$`));
      expect(code).toBe(4);
    } finally {
      taken.close();
    }
  });

  it('speaks nothing but protocol on stdout with --stdio, and ends when its client leaves', async () => {
    const file = await configFile({});
    const { child, out, ended } = start(['serve', '--stdio'], dirname(file));
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
    child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`);
    await expect.poll(() => out.stdout, within).toContain('\n');
    expect(JSON.parse(out.stdout)).toMatchObject({ id: 1, result: { protocolVersion: '2025-11-25' } });
    child.stdin?.end();
    expect(await ended).toBe(0);
    expect(out.stdout.trim().split('\n')).toHaveLength(1);
  });

  it('goes on serving, and ends on SIGTERM, when its log is not read', async () => {
    const lines = 20;
    // Says in a file how many lines the gateway has read of it.
    const flood = `const line = "x".repeat(500) + "\\n"; let read = 0;
      const count = () => require('node:fs').writeFileSync(process.argv[1], String((read += ${lines})));
      setInterval(() => process.stderr.write(line.repeat(${lines}), count), 1)`;
    const read = join(await temporaryFolder(), 'read');
    const file = await configFile({ mcpServers: { noisy: { command: 'node', args: ['-e', flood, read] } } });
    const args = ['serve', '--port', '0', '--json', '--log-level', 'debug'];
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: dirname(file), stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    const ended = once(child, 'exit');
    const [first] = await once(child.stdout, 'data');
    const { url } = JSON.parse(String(first).split('\n')[0] ?? '') as { url: string };
    // What is read of it now is what fits in the pipe: the child has filled that by then.
    await expect.poll(() => child.stderr.readableLength, within).toBeGreaterThan(16_000);
    // Far more lines than its pipe and its buffer take: while they come, it answers.
    const lineCount = async () => Number(await readFile(read, 'utf8').catch(() => '0'));
    const before = await lineCount();
    await expect
      .poll(async () => {
        expect((await fetch(new URL('/healthz', url))).status).toBe(200);
        return lineCount();
      }, within)
      .toBeGreaterThan(before + 5_000);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });

  it('ends on SIGTERM when its client does not read', async () => {
    const file = await configFile({});
    const child = spawn(process.execPath, [MAIN, 'serve', '--stdio'], { cwd: dirname(file) });
    children.push(child);
    child.stderr.resume();
    // What it has not read when it ends cannot be written any more.
    child.stdin.on('error', () => {});
    const ended = once(child, 'exit');
    const ping = `${JSON.stringify({ jsonrpc: '2.0', id: 'x'.repeat(100_000), method: 'nothing' })}\n`;
    for (let i = 0; i < 20; i++) child.stdin.write(ping);
    await expect.poll(() => child.stdout.readableLength, within).toBeGreaterThan(16_000);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });

  it('is silent when the reader of its output leaves', async () => {
    const file = await configFile({});
    const { child, out, ended } = start(['list'], dirname(file));
    child.stdout?.destroy();
    expect(await ended).toBe(0);
    expect(out.stderr).toBe('');
  });

  it('writes no colours into pipes, whatever the folder is called', async () => {
    const folder = join(await temporaryFolder(), 'with space');
    await mkdir(folder);
    await writeFile(join(folder, 'servers.json'), '{"servers": {"away": {"url": "http://127.0.0.1:9"}}}');
    const { code, stdout } = await finish(['check'], folder);
    expect(stdout).toMatch(/^away /m);
    expect(stdout).not.toContain('\u001b[');
    expect(code).toBe(3);
  });
});
