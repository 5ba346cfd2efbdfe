import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Measured: 2.3 KB, the filter of the test included; the list is half a megabyte. Room for other builds of Node. */
const MAX_BYTES_PER_FILTER = 4 * 1024;

test('a principal from whom nothing is kept costs no list, and what is over is not held', async () => {
  const script = fileURLToPath(new URL('../testing/restricted-memory.ts', import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  await once(child, 'close');
  const measured = JSON.parse(printed);
  expect(measured).toMatchObject({ filters: 1_000, same: true, oldListIsGone: true, left: 0 });
  expect(measured.heapBytes / measured.filters).toBeLessThan(MAX_BYTES_PER_FILTER);
  expect(measured.bufferBytes).toBeLessThan(64 * 1024);
});
