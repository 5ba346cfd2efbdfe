/**
 * One caller of the fairness bench: requests of either era under a principal's key, over connections of its own.
 * @module
 */
import { connect, type Socket } from 'node:net';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import type { HttpReply } from '../check-reply.ts';
import { CLIENT_INFO } from '../messages.ts';
import { Connection } from '../post.ts';

const ACCEPT = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };

export class Refused extends Error {}

let lastId = 0;

export interface Asked {
  /** In the upstream session of this name. */
  session?: string;
  capabilities?: JsonObject;
}

export class FairnessClient {
  readonly port: number;
  readonly key: Readonly<Record<string, string>>;
  #connection: Connection;
  readonly #held: Socket[] = [];

  constructor(port: number, key: Readonly<Record<string, string>>) {
    this.port = port;
    this.key = key;
    this.#connection = new Connection(port, '/mcp');
  }

  /** A modern request. Returns its result; throws {@link Refused} for an error. */
  async modern(method: string, params: JsonObject, asked?: Asked): Promise<JsonObject> {
    return resultOf(await this.send(method, params, asked));
  }

  /** A modern request whose reply is not parsed: a large one would cost the other generator its time. */
  send(method: string, params: JsonObject, { session, capabilities = {} }: Asked = {}): Promise<HttpReply> {
    const id = ++lastId;
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': CLIENT_INFO,
      'io.modelcontextprotocol/clientCapabilities': capabilities,
      ...(session === undefined ? {} : { 'switchboard/session': session }),
    };
    const name = params.name ?? params.uri ?? (method.startsWith('tasks/') ? params.taskId : undefined);
    const headers = {
      ...ACCEPT,
      ...this.key,
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } });
    return this.#connection.post(headers, body);
  }

  call(name: string, args: JsonObject = {}, asked: Asked = {}): Promise<JsonObject> {
    return this.modern('tools/call', { name, arguments: args }, asked);
  }

  /** Opens a legacy session and returns its headers. */
  async openSession(): Promise<Record<string, string>> {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: CLIENT_INFO };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    const reply = await this.#connection.post({ ...ACCEPT, ...this.key }, body);
    resultOf(reply);
    const headers = { ...this.key, 'mcp-session-id': String(reply.sessionId), 'mcp-protocol-version': '2025-11-25' };
    await this.#connection.post({ ...ACCEPT, ...headers }, '{"jsonrpc":"2.0","method":"notifications/initialized"}');
    return headers;
  }

  async legacy(session: Record<string, string>, method: string, params: JsonObject): Promise<JsonObject> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: ++lastId, method, params });
    return resultOf(await this.#connection.post({ ...ACCEPT, ...session }, body));
  }

  async endSession(session: Record<string, string>): Promise<void> {
    await this.#connection.delete(session);
  }

  /** Sends bytes on a connection of their own. Resolves with the first of what comes back; the connection stays open. */
  raw(
    head: string,
    headers: Readonly<Record<string, string>>,
    body: string,
  ): Promise<{ status: number; socket: Socket }> {
    const socket = connect(this.port, '127.0.0.1');
    this.#held.push(socket);
    const lines = Object.entries({ host: 'localhost', ...ACCEPT, ...this.key, ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    socket.write(`${head} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
    return new Promise((resolve, reject) => {
      socket.once('data', (chunk) => resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(String(chunk))?.[1]), socket }));
      socket.once('error', reject);
      socket.once('close', () => reject(new Refused('closed')));
      socket.on('data', () => {});
    });
  }

  /** The same without waiting for anything. */
  leave(head: string, headers: Readonly<Record<string, string>>, body: string): void {
    this.raw(head, headers, body).catch(() => {});
  }

  /** A new connection for later requests. */
  async reconnect(): Promise<void> {
    await this.#connection.close();
    this.#connection = new Connection(this.port, '/mcp');
  }

  async close(): Promise<void> {
    for (const socket of this.#held) socket.destroy();
    await this.#connection.close();
  }
}

function resultOf({ status, body }: HttpReply): JsonObject {
  const text = body.toString('utf8');
  const json = text.startsWith('{')
    ? text
    : (text
        .split('\n')
        .findLast((line) => line.startsWith('data: {'))
        ?.slice(6) ?? '{}');
  const { result, error } = JSON.parse(json) as { result?: JsonObject; error?: unknown };
  if (result === undefined || status >= 400)
    throw new Refused(`${status}: ${JSON.stringify(error ?? text.slice(0, 200))}`);
  return result;
}
