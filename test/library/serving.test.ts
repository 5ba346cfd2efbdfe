/** The gateway in servers of others: the examples of `examples/embed`, used by the official clients. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectClient } from '../e2e/clients.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Starts an example; resolves with the address it prints. */
async function start(example: string): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [join(ROOT, 'examples/embed', example)], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { url: line, child };
}

describe.each(['node-http.ts', 'express.ts', 'fastify.ts'])('examples/embed/%s', (example) => {
  let url: string;
  let child: ChildProcess;
  beforeAll(async () => {
    ({ url, child } = await start(example));
  });
  afterAll(async () => {
    child?.kill('SIGTERM');
    if (child) await once(child, 'exit');
  });

  it.each(['v1', 'v2-legacy', 'v2-modern'] as const)('serves the official client %s', async (kind) => {
    const client = await connectClient(kind, { http: url });
    try {
      expect(await client.tools()).toContain('everything__echo');
      const { content } = await client.call('everything__echo', { message: 'hi' });
      expect(content).toEqual([{ type: 'text', text: 'Echo: hi' }]);
      const progress: number[] = [];
      await client.call(
        'everything__trigger-long-running-operation',
        { duration: 0.2, steps: 2 },
        { onProgress: (step) => progress.push(step.progress) },
      );
      expect(progress).toEqual([1, 2]);
    } finally {
      await client.close();
    }
  });

  it('serves the old HTTP+SSE transport, whose messages are posted below the place it is mounted at', async () => {
    const client = await connectClient('v1', { sse: url.replace(/\/mcp$/, '/sse') });
    try {
      const { content } = await client.call('everything__echo', { message: 'hi' });
      expect(content).toEqual([{ type: 'text', text: 'Echo: hi' }]);
    } finally {
      await client.close();
    }
  });

  it('leaves the other addresses of the server alone, and refuses what policy denies', async () => {
    expect(await (await fetch(new URL('/hello', url))).text()).toBe('Hello.');
    const client = await connectClient('v2-auto', { http: url });
    try {
      expect(await client.call('everything__get-env')).toMatchObject({
        isError: true,
        content: [{ text: 'Secrets.' }],
      });
    } finally {
      await client.close();
    }
  });
});
