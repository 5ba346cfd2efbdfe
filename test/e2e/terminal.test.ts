/** Commands of the terminal with a real LangGraph server: through the gateway that runs, and by themselves. */
import { existsSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { type TestIo, type TestIoOptions, testIo } from '../../src/cli/testing/io.ts';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import { borrowLanggraph } from '../fixtures/shared.ts';
import { until } from './until.ts';

let graph: LanggraphFixture;
let folder: string;
let serving: Promise<number>;
let server: TestIo;

beforeAll(async () => {
  graph = await borrowLanggraph('2.0');
  folder = mkdtempSync(join(tmpdir(), 'switchboard-terminal-'));
  const servers = { graph: { url: graph.url, kind: 'langgraph' } };
  // A token of clients: commands use the key of the state folder.
  const gateway = { port: 0, stateDir: 'state', token: 'a-token-for-clients-only' };
  writeFileSync(join(folder, 'servers.json'), JSON.stringify({ gateway, servers }));
  ({ server, serving } = await serve(folder));
});
afterAll(async () => {
  server?.send('SIGTERM');
  await serving;
  await graph?.stop();
});

const file = (of = folder): string => join(of, 'state', 'gateway.json');

/** Starts the gateway of a folder. Resolves when commands can find it. */
async function serve(of: string): Promise<{ server: TestIo; serving: Promise<number> }> {
  const io = testIo({ cwd: of });
  const ended = run(['serve'], io);
  await until(
    () => existsSync(file(of)),
    () => `the gateway in\n${io.stderr.text}`,
  );
  return { server: io, serving: ended };
}

interface Ended extends TestIo {
  code: number;
}

/** `typed`: what a person types, a line for each prompt that is shown. */
async function command(
  args: string[],
  { typed = [], ...options }: TestIoOptions & { typed?: string[] } = {},
): Promise<Ended> {
  const io = testIo({ cwd: folder, terminal: typed.length > 0, ...options });
  if (typed.length > 0) Object.assign(io.stdin, { isTTY: true });
  const running = run(args, io);
  for (const [i, line] of typed.entries()) {
    await until(
      () => io.stderr.text.split(']: ').length > i + 1 || io.stderr.text.split('(y/n): ').length > i + 1,
      () => `the prompt ${i + 1} in\n${io.stderr.text}`,
    );
    io.stdin.write(`${line}\n`);
  }
  return { ...io, code: await running };
}

const USED = /^Using the gateway that runs at http:\/\/127\.0\.0\.1:\d+\/mcp \(--local connects by itself\)\.$/m;

describe.each([
  ['through the gateway that runs', []],
  ['connecting by themselves', ['--local']],
])('commands %s', (_, local) => {
  const isLocal = local.length > 0;

  it('call a tool, and say which gateway they use', async () => {
    const { code, stdout, stderr } = await command(['call', 'listAgents', '{"server":"graph"}', ...local]);
    expect(code).toBe(0);
    expect(stdout.text).toContain('- graph/echo');
    expect(USED.test(stderr.text)).toBe(!isLocal);
  });

  it('print an answer as it comes, and one that is data', async () => {
    const said = await command(['ask', 'graph/echo', 'one', 'two', ...local]);
    expect([said.code, said.stdout.text]).toEqual([0, 'echo: one two\n']);
    const data = await command(['ask', 'graph/add', '--resume', '{"input":{"a":1,"b":2}}', ...local]);
    expect([data.code, JSON.parse(data.stdout.text)]).toEqual([0, expect.objectContaining({ sum: 3 })]);
  });

  it('ask what an agent asks, field by field, and take a no', async () => {
    const yes = await command(['ask', 'graph/approval', 'ship it', ...local], { typed: ['yes'] });
    expect(yes.stdout.text).toContain('answer: yes');
    expect(yes.code).toBe(0);
    const no = await command(['ask', 'graph/approval', 'ship it', ...local], { typed: ['/decline'] });
    expect(no.stderr.text).toContain('/decline says no');
  });

  it('tell how to go on with an interrupted run, and go on with --resume', async () => {
    const first = await command(['ask', 'graph/approval', 'ship it', ...local]);
    expect(first.code).toBe(1);
    const thread = /--thread (\S+)/.exec(first.stderr.text)?.[1];
    expect(thread).toBeDefined();
    const second = await command(['ask', 'graph/approval', '--thread', String(thread), '--resume', 'later', ...local]);
    expect([second.code, second.stdout.text]).toEqual([0, 'answer: later\n']);
  });
});

it('the file of the running gateway is for its owner alone, and names no token of clients', async () => {
  expect(statSync(file()).mode & 0o077).toBe(0);
  const { readFileSync } = await import('node:fs');
  const { url, key } = JSON.parse(readFileSync(file(), 'utf8'));
  expect(key).not.toContain('a-token-for-clients-only');
  const reply = await fetch(url, { method: 'POST', headers: { authorization: 'Bearer wrong' } });
  expect(reply.status).toBe(401);
});

it('another configuration does not use it', async () => {
  const other = join(folder, 'other.json');
  writeFileSync(other, JSON.stringify({ gateway: { stateDir: 'state' }, servers: {} }));
  const { stderr } = await command(['--config', other, 'call', 'listServers']);
  expect(stderr.text).not.toMatch(USED);
});

it('a gateway that has ended is not found', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'switchboard-terminal-'));
  writeFileSync(join(cwd, 'servers.json'), JSON.stringify({ gateway: { port: 0, stateDir: 'state' }, servers: {} }));
  const own = await serve(cwd);
  const before = await command(['call', 'listServers'], { cwd });
  expect(before.stderr.text).toMatch(USED);
  own.server.send('SIGTERM');
  expect(await own.serving).toBe(0);
  expect(existsSync(file(cwd))).toBe(false);
  const after = await command(['call', 'listServers'], { cwd });
  expect(after.stderr.text).not.toMatch(USED);
});
