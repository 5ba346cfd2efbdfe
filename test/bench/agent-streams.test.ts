/** Long answers of agents, token by token: whatever passes through the gateway, nothing of it stays there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Folder, gatewayFolder } from '../e2e/gateway.ts';
import { modernRequest, send } from '../e2e/raw.ts';

const TOKENS = 1_000;
const TOKEN = 'word ';
/** At one time. */
const CALLERS = 4;
/** Calls of one round. */
const CALLS = 50;
const ROUNDS = 3;
/**
 * A call of which the answer alone stayed would cost 5 KB in every round, one number for each token 8 KB. Code that is compiled
 * and buffers that are kept for reuse cost something in some of them.
 */
const MAX_BYTES_PER_CALL = 3_072;

const event = (type: string, payload: object): string =>
  `data: ${JSON.stringify({ type, runId: 'run-1', from: 'AGENT', payload })}\n\n`;
/** A run as Mastra 1.x streams it: one event for each token. */
const RUN = [
  event('start', { id: 'talker', messageId: 'message-1' }),
  event('text-start', { id: 'text-1' }),
  ...Array.from({ length: TOKENS }, () => event('text-delta', { id: 'text-1', text: TOKEN })),
  event('text-end', { id: 'text-1' }),
  event('finish', { stepResult: { reason: 'stop' }, output: { usage: { totalTokens: TOKENS } } }),
  'data: [DONE]\n\n',
];
const LISTS: Readonly<Record<string, object>> = {
  '/api/agents': { talker: { id: 'talker', name: 'talker', instructions: '', tools: {} } },
  '/api/system/packages': { packages: [{ name: '@mastra/core', version: '1.71.0' }] },
};

let mastra: Server;
let folder: Folder & { remove(): void };
let gateway: ChildProcess;
let url: string;

/** The next message of the gateway's process; rejects when it ends instead. */
function said<T>(): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const ended = (code: number | null): void => reject(new Error(`The gateway ended with ${code}.`));
  gateway.once('message', resolve).once('exit', ended);
  return promise.finally(() => gateway.off('message', resolve).off('exit', ended));
}

async function liveBytes(): Promise<number> {
  const reply = said<{ liveBytes: number }>();
  gateway.send('measure');
  return (await reply).liveBytes;
}

beforeAll(async () => {
  mastra = createServer((request, response) => {
    request.resume().on('end', () => {
      if (request.url === '/api/agents/talker/stream') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        // In pieces, as they come from a model.
        for (let at = 0; at < RUN.length; at += 50) response.write(RUN.slice(at, at + 50).join(''));
        response.end();
        return;
      }
      const list = LISTS[(request.url ?? '').split('?')[0] as string];
      response.writeHead(list ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(list ?? { error: 'Not Found' }));
    });
  });
  mastra.listen(0, '127.0.0.1');
  await once(mastra, 'listening');
  const { port } = mastra.address() as AddressInfo;
  folder = gatewayFolder({
    servers: { mastra: { url: `http://127.0.0.1:${port}`, kind: 'mastra', concurrency: CALLERS } },
  });
  const script = join(import.meta.dirname, 'gateway-process.ts');
  gateway = spawn(process.execPath, ['--expose-gc', script, folder.folder], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  ({ url } = await said<{ url: string }>());
}, 180_000);
afterAll(async () => {
  if (gateway?.connected) {
    gateway.disconnect();
    await once(gateway, 'exit');
  }
  mastra?.closeAllConnections();
  mastra?.close();
  folder?.remove();
});

/** Calls the agent so often; each answer comes token by token and whole. */
async function calls(count: number): Promise<void> {
  let left = count;
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      const params = {
        name: 'callAgent',
        arguments: { agent: 'mastra/talker', message: 'Talk.', stream: true },
      };
      const request = modernRequest('tools/call', params);
      const body = JSON.parse(String(request.body));
      body.params._meta.progressToken = 1;
      const { text, message } = await send(url, { ...request, body: JSON.stringify(body) });
      expect(text.split('"notifications/progress"').length - 1).toBeGreaterThanOrEqual(TOKENS);
      expect(message.result?.content).toEqual([{ type: 'text', text: TOKEN.repeat(TOKENS) }]);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

describe('answers of an agent in a thousand tokens', () => {
  it('leave nothing behind, however many there are', async () => {
    await calls(CALLS);
    const grown: number[] = [];
    let before = await liveBytes();
    for (let round = 0; round < ROUNDS; round++) {
      await calls(CALLS);
      const after = await liveBytes();
      grown.push((after - before) / CALLS);
      before = after;
    }
    expect(Math.min(...grown), grown.join()).toBeLessThan(MAX_BYTES_PER_CALL);
  }, 300_000);
});
