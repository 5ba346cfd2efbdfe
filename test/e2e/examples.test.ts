/** The snippets people start from do what they say. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { EVERYTHING } from './upstreams/everything.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples');

let gateway: OwnGateway;

beforeAll(async () => {
  gateway = await startReadyGateway({ servers: { everything: EVERYTHING } });
});
afterAll(() => gateway?.close());

async function run(example: string, ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [join(EXAMPLES, example), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  expect(code, output).toBe(0);
  return output;
}

it('client-sdk-v2.ts negotiates the newest revision, calls a tool and asks an agent', async () => {
  const output = await run('client-sdk-v2.ts', gateway.url);
  expect(output).toMatch(/^MCP 2026-07-28, \d+ tools$/m);
  expect(output).toContain('The sum of 1 and 2 is 3.');
  // An agent nobody has: the tool says so, and the example shows it.
  expect(await run('client-sdk-v2.ts', gateway.url, 'nobody/nothing')).toMatch(/undefined|error|code/i);
});

it('client-sdk-v1.ts lists and calls', async () => {
  const output = await run('client-sdk-v1.ts', gateway.url);
  expect(output).toMatch(/^\d+ tools, among them connectServer$/m);
  expect(output).toContain('The sum of 1 and 2 is 3.');
});

it('embed.ts serves and calls in one process', async () => {
  const output = await run('embed.ts', gateway.file);
  expect(output).toMatch(/^Listening at http:\/\/127\.0\.0\.1:\d+\/mcp$/m);
  expect(output).toMatch(/^everything ready$/m);
  expect(output).toContain('Echo: hi');
});

it.each(['client-sdk-v2.ts', 'client-sdk-v1.ts', 'embed.ts'])('%s is short', (example) => {
  expect(readFileSync(join(EXAMPLES, example), 'utf8').split('\n').length).toBeLessThan(40);
});
