/**
 * A server that answers as a Mastra server with one agent does, prepared: the least there can be behind the gateway's
 * adapter. The agent says as many tokens as it is asked for, `say 20`, in the events of Mastra 1.x, twenty tokens a chunk and a turn
 * of the event loop.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const AGENT = 'bench';
export const MAX_TOKENS = 10_000;
const TOKENS_A_CHUNK = 20;

/** What the agent answers to {@link prompt}. */
export const answer = (tokens: number): string => 'word '.repeat(tokens).trimEnd();

export const prompt = (tokens: number): string => `say ${tokens}`;

const RUN = '5f0c2a4e-9a6f-4f57-8a3f-3b1c0d3a9d10';

const event = (type: string, payload: object): string =>
  `data: ${JSON.stringify({ type, runId: RUN, from: 'AGENT', payload })}\n\n`;

const USAGE = { inputTokens: 12, outputTokens: 20, totalTokens: 32 };

/** The events of a whole run, in the chunks they are written in. */
function chunksOf(tokens: number): Buffer[] {
  const deltas = Array.from({ length: tokens }, (_, i) =>
    event('text-delta', { id: 'text-1', text: i === tokens - 1 ? 'word' : 'word ' }),
  );
  const chunks: string[] = [];
  for (let at = 0; at < tokens; at += TOKENS_A_CHUNK) chunks.push(deltas.slice(at, at + TOKENS_A_CHUNK).join(''));
  const messageId = 'b6a0a4f2-1df7-4b8e-8a63-8a7e9c5f7d11';
  const head =
    event('start', { id: AGENT, messageId }) +
    event('step-start', { messageId, request: {}, warnings: [] }) +
    event('text-start', { id: 'text-1' });
  const stepResult = { reason: 'stop', warnings: [], isContinued: false };
  const tail =
    event('text-end', { id: 'text-1' }) +
    event('step-finish', { messageId, stepResult, output: { usage: USAGE }, metadata: {} }) +
    event('finish', { messageId, stepResult, output: { usage: USAGE, steps: [] }, metadata: {} }) +
    'data: [DONE]\n\n';
  chunks[0] = head + (chunks[0] ?? '');
  chunks[chunks.length - 1] += tail;
  return chunks.map((chunk) => Buffer.from(chunk));
}

const LISTS: Readonly<Record<string, object>> = {
  '/api/agents': {
    [AGENT]: { id: AGENT, name: AGENT, description: 'Says words.', instructions: '', tools: {}, workflows: {} },
  },
  '/api/system/packages': { packages: [{ name: '@mastra/core', version: '1.71.0' }] },
  '/api/tools': {},
  '/api/workflows': {},
  '/api/mcp/v0/servers': { servers: [], total_count: 0, next: null },
};

/** Returns the port. It ends with its process. */
export async function startFakeAgents(): Promise<number> {
  const runs = new Map<number, Buffer[]>();
  const chunksFor = (tokens: number): Buffer[] => {
    let chunks = runs.get(tokens);
    if (!chunks) {
      chunks = chunksOf(tokens);
      runs.set(tokens, chunks);
    }
    return chunks;
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => respond(request, response, Buffer.concat(chunks).toString('utf8'), chunksFor));
  });
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function respond(
  { method, url = '' }: IncomingMessage,
  response: ServerResponse,
  body: string,
  chunksFor: (tokens: number) => readonly Buffer[],
): void {
  if (method === 'POST' && url === `/api/agents/${AGENT}/stream`) {
    const tokens = Number(/say (\d+)/.exec(body)?.[1]);
    if (tokens >= 1 && tokens <= MAX_TOKENS) stream(response, chunksFor(tokens));
    else response.writeHead(400).end();
    return;
  }
  const list = method === 'GET' ? LISTS[url.split('?')[0] as string] : undefined;
  response.writeHead(list ? 200 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify(list ?? { error: 'Not Found' }));
}

function stream(response: ServerResponse, chunks: readonly Buffer[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let at = 0;
  const next = (): void => {
    const chunk = chunks[at++];
    if (at >= chunks.length) response.end(chunk);
    else {
      response.write(chunk);
      setImmediate(next);
    }
  };
  next();
}
