/** `npm run example:oauth -- --demo`: a person logs in to the gateway and, by a call, to a server; the script is the person. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

it('examples/oauth logs two people in, each to the gateway and to the mail server, and ends by itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-e2e-'));
  try {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../examples/oauth/oauth.ts'), '--demo'], {
      env: { ...process.env, NO_COLOR: '1', TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [code] = await once(child, 'close');
    expect([code, stderr], stdout).toEqual([0, '']);
    for (const shown of [
      /401 {2}WWW-Authenticate: Bearer .*resource_metadata=/,
      /Ada sees “Allow access\?” at \S+ and presses “Allow”/,
      /Ada sees “The company: log in” at \S+, types account and password,/,
      /Its calls are those of http:\S+#ada/,
      /This needs your login to server 'mail'/,
      /Ada sees “Mail: log in” at/,
      /Ada sees “You are connected” at/,
      /To: ada@mail[\s\S]*The next call[\s\S]*To: ada@mail[\s\S]*To: ben@mail/,
      /That was all/,
    ]) {
      expect(stdout).toMatch(shown);
    }
    expect(stdout.match(/Ada sees “You are connected”/g)).toHaveLength(1);
    expect(readdirSync(folder).filter((name) => name.startsWith('switchboard-'))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 150_000);
