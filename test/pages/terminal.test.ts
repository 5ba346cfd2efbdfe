/** `switchboard top` and `switchboard logs --follow`, started as people start them, beside a real gateway. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectClient, type TestClient } from '../e2e/clients.ts';
import { type ServedGateway, serveGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { EVERYTHING } from '../e2e/upstreams/everything.ts';

const MAIN = join(import.meta.dirname, '../../bin/switchboard.js');

let gateway: ServedGateway;
let client: TestClient;

beforeAll(async () => {
  gateway = await serveGateway({ servers: { everything: EVERYTHING } });
  client = await connectClient('v2-auto', { http: gateway.url });
});

afterAll(async () => {
  await client?.close();
  await gateway?.close();
});

interface Command {
  output(): string;
  end(): Promise<number | null>;
}

function run(...words: string[]): Command {
  const args = [MAIN, ...words, '--config', gateway.file, '--url', new URL(gateway.url).origin];
  const child: ChildProcess = spawn(process.execPath, args, { env: { ...process.env, NO_COLOR: '1' } });
  const exited = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return {
    output: () => output,
    async end() {
      child.kill('SIGINT');
      const [code] = await exited;
      return code as number | null;
    },
  };
}

/** Calls until the command has seen one: it may still be starting. */
async function seen(command: Command, what: RegExp): Promise<void> {
  await until(
    async () => {
      await client.call('everything__echo', { message: 'hi' });
      return what.test(command.output()) || undefined;
    },
    () => `the command to print ${what}; it printed:\n${command.output()}`,
    60_000,
  );
}

it('logs --follow prints a line for each call that ends, and as JSON what programs read', async () => {
  const [text, json] = [run('logs', '--follow'), run('logs', '--follow', '--json')];
  await seen(text, /local {2}everything {2}echo {2}ok {2}\d+ ms/);
  await seen(json, /"name":"echo"/);
  const [first = ''] = json.output().split('\n');
  expect(JSON.parse(first)).toMatchObject({ server: 'everything', name: 'echo', outcome: 'ok', decision: 'allow' });
  await Promise.all([text.end(), json.end()]);
});

it('top prints servers and their queues where there is no terminal', async () => {
  const command = run('top');
  await seen(command, /everything +ready +mcp +\w+ +\d+ +\d+\/\d+ +\d+/);
  await command.end();
});
