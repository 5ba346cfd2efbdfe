import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** The gateway promises 50 KB; this is what one needs, with room for other builds of Node. */
const MAX_BYTES_PER_IDLE_SESSION = 3 * 1024;

test('an idle session costs next to nothing', async () => {
  const script = fileURLToPath(new URL('../testing/idle-sessions.ts', import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  await once(child, 'close');
  const measured = JSON.parse(printed) as { sessions: number; heapBytes: number };
  expect(measured.sessions).toBe(1_000);
  expect(measured.heapBytes / measured.sessions).toBeLessThan(MAX_BYTES_PER_IDLE_SESSION);
});
