/** `npm run demo` plays to its end, and says clearly when it cannot. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const DEMO = join(import.meta.dirname, '../../examples/demo/demo.ts');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchboard-e2e-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What is left of the demo and its servers. (Tools they are run with have caches there, too.) */
const leftovers = (): string[] => readdirSync(folder).filter((name) => name.startsWith('switchboard-'));

interface Played {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Plays the demo with its temporary files in this folder; interrupts it once it has shown `moment`. */
async function play(temporary: string, moment?: RegExp): Promise<Played> {
  const child = spawn(process.execPath, [DEMO], {
    env: { ...process.env, NO_COLOR: '1', TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (moment?.test(stdout)) child.kill('SIGINT');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

it('the demo shows a whole session against real servers, within its limit', async () => {
  const began = performance.now();
  const { code, stdout, stderr } = await play(folder);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(performance.now() - began).toBeLessThan(80_000);
  for (const shown of [
    '5 servers, 5 ready.',
    'The sum of 19 and 23 is 42.',
    'Echo: Good morning! Does this text arrive in pieces?',
    'The tool said {"sum":42}.',
    'echo: Tokens may be as small as letters.',
    'The client shows a form: Deploy to production?',
    'answer: yes',
    'published the news',
    'The client has disconnected. The run goes on.',
    'INPUT_REQUIRED: Deploy to production?',
    'COMPLETED: answer: yes',
    'New: dice__roll',
    '3 s of 3',
    '"watered":"tomatoes"',
    'garden__water is gone',
    'The client hears that the list changed again',
    "Error: Server 'notes'",
    'I did not notice anything.',
    'Noted: after the accident',
    'That was all',
  ]) {
    expect(stdout).toContain(shown);
  }
  expect(stdout).not.toContain('\u001b[');
  expect(leftovers()).toEqual([]);
});

it.each([
  ['while its servers start', /Starting a Mastra server/],
  ['while it plays', /1\. One endpoint/],
])('the demo stops when it is interrupted %s, and leaves no process or file behind', async (_, moment) => {
  const { code, stdout } = await play(folder, moment);
  expect(code).toBe(130);
  expect(stdout).not.toContain('That was all');
  expect(leftovers()).toEqual([]);
});

it('the demo says what failed, and exits with 1', async () => {
  // There is nowhere to put what its servers need.
  const { code, stdout, stderr } = await play('/nonexistent');
  expect(code).toBe(1);
  expect(stdout).not.toContain('1. One endpoint');
  expect(stderr).toMatch(/ENOENT.*\/nonexistent/);
});
