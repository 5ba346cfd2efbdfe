/**
 * Every way a client can come in, under one face: raw JSON-RPC at each endpoint, over each transport, in each era.
 * @module
 */
import { PassThrough } from 'node:stream';
import { SseParser } from '../../src/wire/sse.ts';
import type { OwnGateway } from '../e2e/gateway.ts';
import { envelope, send } from '../e2e/raw.ts';
import { legacy, modern } from './talk.ts';

type Params = Record<string, unknown>;
export type Reply = { text: string; result?: Params; error?: { code: number; message: string; data?: Params } };

export interface DoorKind {
  readonly name: string;
  readonly era: 'legacy' | 'modern';
  /** At the merged endpoint, or at that of one server. */
  readonly at: 'merged' | 'own';
  /** Whether it takes the key of a grant: stdio is the local user's. */
  readonly takesKeys: boolean;
}

const door = (name: string, era: DoorKind['era'], at: DoorKind['at'], takesKeys = true): DoorKind => ({
  name,
  era,
  at,
  takesKeys,
});

export const DOORS: readonly DoorKind[] = [
  door('/mcp, legacy', 'legacy', 'merged'),
  door('/mcp, modern', 'modern', 'merged'),
  door('/sse', 'legacy', 'merged'),
  door('stdio, legacy', 'legacy', 'merged', false),
  door('stdio, modern', 'modern', 'merged', false),
  door('/servers/<name>/mcp, legacy', 'legacy', 'own'),
  door('/servers/<name>/mcp, modern', 'modern', 'own'),
  door('/servers/<name>/sse', 'legacy', 'own'),
];

export interface Door {
  ask(method: string, params?: Params): Promise<Reply>;
  /** Requests of the server to this client. */
  readonly asked: Params[];
  close(): Promise<void>;
}

interface Visitor {
  key?: { headers: Record<string, string> } | undefined;
  capabilities?: object;
}

const INFO = { name: 'raw', version: '1.0.0' };

/** Comes in through one door: at the endpoint of `server` where the door is a server's own. */
export async function enter(
  gateway: OwnGateway,
  { name, era, at }: DoorKind,
  server: string,
  { key, capabilities = {} }: Visitor = {},
): Promise<Door> {
  const base = at === 'merged' ? '' : `/servers/${server}`;
  if (name.startsWith('stdio')) return throughStdio(gateway, era, capabilities);
  if (name.endsWith('/sse')) return throughSse(gateway.at(`${base}/sse`), key, capabilities);
  const url = gateway.at(`${base}/mcp`);
  if (era === 'modern') {
    return {
      asked: [],
      ask: async (method, params = {}) => replyOf((await modern(url, key, method, params, { capabilities })).message),
      close: async () => {},
    };
  }
  const session = await legacy(url, key, { capabilities });
  const asked: Params[] = [];
  return {
    asked,
    async ask(method, params = {}) {
      const { message, text } = await session.request(method, params);
      for (const [, sent = ''] of text.matchAll(/^data: (\{.*"method".*\})$/gm)) asked.push(JSON.parse(sent) as Params);
      return replyOf(message);
    },
    close: async () => {},
  };
}

/** Without what is not the same twice. */
function replyOf({ result, error }: Params): Reply {
  const text = JSON.stringify({ result, error });
  return { text, ...JSON.parse(text) };
}

/** Requests by id over a pair of one-way channels. */
function conversation(write: (message: Params) => void) {
  const waiting = new Map<unknown, (message: Params) => void>();
  const asked: Params[] = [];
  let last = 0;
  const request = (method: string, params: Params): Promise<Params> => {
    const id = ++last;
    const { promise, resolve } = Promise.withResolvers<Params>();
    waiting.set(id, resolve);
    write({ jsonrpc: '2.0', id, method, params });
    return promise;
  };
  const receive = (message: Params): void => {
    if (message.method !== undefined) {
      if (message.id !== undefined) asked.push(message);
      return;
    }
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  };
  return { asked, request, receive };
}

async function throughStdio(gateway: OwnGateway, era: DoorKind['era'], capabilities: object): Promise<Door> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const connection = gateway.gateway.serveStdio(input, output);
  const { asked, request, receive } = conversation((message) => void input.write(`${JSON.stringify(message)}\n`));
  let rest = '';
  output.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) receive(JSON.parse(line) as Params);
  });
  if (era === 'legacy') {
    await request('initialize', { protocolVersion: '2025-11-25', capabilities, clientInfo: INFO });
    input.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  }
  const own = era === 'modern' ? { _meta: envelope(capabilities) } : {};
  return {
    asked,
    ask: async (method, params = {}) => replyOf(await request(method, { ...params, ...own })),
    close: () => connection.close(),
  };
}

async function throughSse(url: URL, key: Visitor['key'], capabilities: object): Promise<Door> {
  const abort = new AbortController();
  const response = await fetch(url, {
    headers: { accept: 'text/event-stream', ...key?.headers },
    signal: abort.signal,
  });
  if (!response.ok) throw new Error(`No stream: ${response.status} ${await response.text()}`);
  const endpoint = Promise.withResolvers<URL>();
  const { asked, request, receive } = conversation((message) => {
    void endpoint.promise.then((to) => send(to, { headers: { ...key?.headers }, body: JSON.stringify(message) }));
  });
  const parser = new SseParser(
    {
      onEvent: ({ event, data }) => {
        if (event === 'endpoint') endpoint.resolve(new URL(data.toString(), url));
        else if (data.length > 0) receive(JSON.parse(data.toString()) as Params);
      },
    },
    1_000_000,
  );
  const reading = (async () => {
    for await (const chunk of response.body ?? []) parser.push(Buffer.from(chunk));
  })().catch(() => {});
  await request('initialize', { protocolVersion: '2024-11-05', capabilities, clientInfo: INFO });
  return {
    asked,
    ask: async (method, params = {}) => replyOf(await request(method, params)),
    async close() {
      abort.abort();
      await reading;
    },
  };
}
