/** `check` in front of servers that cannot be used, or not as usual: what a person reads. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Incoming, type ScriptedServer, startScripted } from '../../adapters/mcp/testing/scripted.ts';
import { type RawServer, startWebSite } from '../../adapters/testing/faults.ts';
import { type Folder, gatewayFolder, type Servers } from './gateway.ts';

const MAIN = join(import.meta.dirname, '../../bin/switchboard.js');
const KEY = 'hunter22-and-more';

/** A child that refuses everything with the arguments it was given. */
const ECHO = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id } = JSON.parse(line);
  const error = { code: -32603, message: 'Bad arguments: ' + process.argv.slice(1) };
  if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, error }));
});`;

const answers = (status: number, type: string, body: string) =>
  startScripted({
    era: 'legacy',
    first({ response }: Incoming) {
      response.writeHead(status, { 'content-type': type }).end(body);
      return true;
    },
  });

let mute: Server;
let opened = false;
let servers: Record<'refuses' | 'fails' | 'once', ScriptedServer>;
let site: RawServer;
let folder: Folder & { remove(): void };
let entries: Servers;

beforeAll(async () => {
  // Takes connections and never answers.
  mute = createServer().listen(0, '127.0.0.1');
  await once(mute, 'listening');
  site = await startWebSite();
  servers = {
    refuses: await answers(403, 'text/plain', `Access is only allowed at localhost:9105, not with ${KEY}`),
    fails: await answers(400, 'application/json', `{"error":"no such tenant","tenant":"${'x'.repeat(900)}"}`),
    once: await startScripted({
      era: 'legacy',
      sessionId: 'the-one',
      first({ message, error, result }) {
        if (message.method === 'tools/list') result({ tools: [] });
        else if (message.method === 'initialize' && opened) error(-32600, 'Server is already initialized');
        else {
          opened ||= message.method === 'initialize';
          return false;
        }
        return true;
      },
    }),
  };
  entries = {
    refuses: { kind: 'mcp', url: servers.refuses.url, headers: { 'x-api-key': KEY } },
    fails: { kind: 'mcp', url: servers.fails.url },
    page: { kind: 'mcp', url: `${site.origin}/mcp` },
    gone: { command: process.execPath, args: ['-e', 'process.exit(7)'] },
    mute: {
      kind: 'mcp',
      url: `http://127.0.0.1:${(mute.address() as AddressInfo).port}/mcp?api_key=${KEY}`,
      connectTimeoutMs: 5_000,
    },
    deaf: {
      command: process.execPath,
      args: ['-e', 'process.stdin.resume(); setInterval(() => {}, 1000);'],
      // After a second and a half without an answer in one era it is asked in the other.
      connectTimeoutMs: 5_000,
    },
    agents: {
      kind: 'mastra',
      url: `http://127.0.0.1:${(mute.address() as AddressInfo).port}`,
      connectTimeoutMs: 5_000,
    },
    missing: { command: 'no-such-command-anywhere' },
    echoes: { command: process.execPath, args: ['-e', ECHO, '--', `--key=${KEY}`] },
    once: { kind: 'mcp', url: servers.once.url },
    wordy: {
      command: process.execPath,
      args: ['-e', 'console.error("No module x.\\nThe key is " + process.env.KEY); process.exit(7)'],
      env: { KEY },
    },
  };
  folder = gatewayFolder({ servers: entries });
});
afterAll(async () => {
  folder?.remove();
  await site?.close();
  mute?.close();
  for (const server of Object.values(servers ?? {})) await server.close();
});

async function check(...args: string[]): Promise<string> {
  opened = false;
  const child = spawn(process.execPath, [MAIN, 'check', ...args], {
    cwd: folder.folder,
    env: { PATH: process.env.PATH ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
  }
  const [code] = await once(child, 'close');
  expect(code).toBe(3);
  return text;
}

describe('check', () => {
  /** What it prints for a person: once, for the tests that read it. */
  let text: string;
  const about = (name: string): string => text.slice(text.indexOf(`${name} cannot be used:`)).split('\n\n', 1)[0] ?? '';

  beforeAll(async () => {
    text = await check();
  });

  it('prints what was sent, what came back and what to try for each server it cannot use', () => {
    expect(about('refuses')).toMatch(/^ {2}sent {6}\{"jsonrpc":"2\.0","id":\d+,"method":"/m);
    expect(about('refuses')).toContain(
      '  received  HTTP 403, text/plain: Access is only allowed at localhost:9105, not with [redacted]\n',
    );
    expect(about('refuses')).toMatch(/^ {2}try {7}call it at the address it allows/m);
    expect(about('fails')).toMatch(
      /^ {2}received {2}HTTP 400, application\/json: \{"error":"no such tenant","tenant":"x{100,165}$/m,
    );
    expect(about('page')).toMatch(/^ {2}received {2}HTTP 200, text\/html: <!doctype html><title>A web site<\/title>$/m);
    expect(about('page')).toMatch(/^ {2}try {7}open "url" in a browser/m);
    expect(about('gone')).toMatch(/^ {2}try {7}run the command of its entry in a terminal/m);
    expect(about('echoes')).toMatch(/^ {2}received {2}a JSON-RPC error, .*Bad arguments: .*\[redacted\]/m);
    // Clients get neither: both are for the operator of the gateway.
    expect(about('wordy')).toMatch(
      /^ {2}stderr {4}No module x\.\n {2}stderr {4}The key is \[\S+\]\n {2}try {7}look at what/m,
    );
    expect(text).not.toContain(KEY);
    expect(text).not.toContain('once cannot be used');
  });

  it('prints what was sent, and to where, when nothing came back', () => {
    expect(about('mute')).toMatch(/^ {2}sent {6}\{"jsonrpc":"2\.0","id":\d+,"method":"server\/discover"/m);
    expect(about('mute')).toMatch(/^ {2}to {8}http:\/\/127\.0\.0\.1:\d+\/mcp\?\S*redacted\S*$/m);
    expect(about('mute')).toMatch(/^ {2}received {2}nothing within [\d.]+ s$/m);
    expect(about('deaf')).toMatch(/^ {2}sent {6}.*"method":"initialize"/m);
    expect(about('deaf')).toMatch(/^ {2}to {8}the stdin of node$/m);
    expect(about('deaf')).toMatch(/^ {2}received {2}nothing within [\d.]+ s$/m);
    expect(about('agents')).toMatch(/^ {2}sent {6}GET \/\S+$/m);
    expect(about('agents')).toMatch(/^ {2}received {2}nothing within [\d.]+ s$/m);
    // Nothing could be sent to a command that is not there.
    expect(about('missing')).not.toContain('sent');
    expect(about('missing')).toMatch(/^ {2}try/m);
    expect(text).not.toContain(KEY);
  });

  it('says that callers share the only session a server opens', async () => {
    expect(text).toMatch(/^once opens only one session: its callers share it, in spite of their isolation\.$/m);
    const quick = (name: string, connectTimeoutMs: number) => ({ [name]: { ...entries[name], connectTimeoutMs } });
    folder.write({ ...entries, ...quick('mute', 3_000), ...quick('deaf', 1_000), ...quick('agents', 1_000) });
    const { servers: rows } = JSON.parse(await check('--json'));
    expect(rows).toMatchObject([
      { name: 'refuses', failure: { received: { status: 403 }, try: expect.any(String) } },
      { name: 'fails' },
      { name: 'page' },
      { name: 'gone' },
      {
        name: 'mute',
        failure: { sent: expect.any(String), to: expect.any(String), nothingWithinMs: expect.any(Number) },
      },
      { name: 'deaf' },
      { name: 'agents' },
      { name: 'missing', failure: { try: expect.any(String) } },
      { name: 'echoes' },
      { name: 'once', state: 'ready', oneSession: true },
      { name: 'wordy', failure: { stderr: ['No module x.', expect.stringContaining('The key is')] } },
    ]);
  });
});
