/**
 * An HTTP endpoint over the stub relay, and the requests tests send it.
 * @module
 */
import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { gatewayAuthenticator, type Keys } from '../../auth/authenticators.ts';
import type { GatewayConfig } from '../../config/types.ts';
import type { Authenticator } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import { META } from '../../wire/envelope.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { type SseEvent, SseParser } from '../../wire/sse.ts';
import type { Health, Timing } from '../http/context.ts';
import { createHttpEndpoint, type HttpEndpoint } from '../http/server.ts';
import { StubRelay, stubFederation } from './stub-relay.ts';

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

export function gatewayConfig(changes: Partial<Omit<GatewayConfig, 'limits'>> = {}, limits = {}): GatewayConfig {
  return {
    host: '127.0.0.1',
    port: 0,
    token: undefined,
    keyHeaders: [],
    allowUnauthenticated: false,
    allowedHosts: [],
    allowedOrigins: [],
    stateDir: undefined,
    firstList: { httpMs: 0, stdioMs: 0 },
    agentProxy: false,
    connect: { enabled: false, allowPrivate: [], maxServers: 0 },
    logLevel: 'silent',
    ...changes,
    limits: {
      maxBodyBytes: 64 * 1024,
      maxReplyBytes: 16 * 1024 * 1024,
      maxSessions: 2_000,
      maxStreams: 100,
      maxConnections: 1_000,
      maxCallerSessions: 10,
      sessionIdleMs: 60_000,
      pageSize: 100,
      ...limits,
    },
  };
}

export interface TestEndpoint {
  relay: StubRelay;
  endpoint: HttpEndpoint;
  port: number;
  url(path?: string): URL;
  close(): Promise<void>;
}

export interface TestOptions {
  config?: Partial<Omit<GatewayConfig, 'limits'>>;
  limits?: Partial<GatewayConfig['limits']>;
  timing?: Partial<Timing>;
  health?: () => Health;
  /** The keys of the built-in authenticator. */
  grants?: Keys;
  /** In place of the built-in authenticator. */
  auth?: Authenticator;
  log?: Log;
}

export async function startEndpoint(options: TestOptions = {}): Promise<TestEndpoint> {
  const relay = new StubRelay();
  const config = gatewayConfig(options.config, options.limits);
  const endpoint = createHttpEndpoint({
    relay,
    federation: stubFederation(),
    config,
    log: options.log ?? silentLog,
    auth: options.auth ?? gatewayAuthenticator(config.token, options.grants, config.keyHeaders),
    health: options.health ?? (() => ({ ready: true, servers: { ready: 1 } })),
    timing: { closeGraceMs: 200, ...options.timing },
  });
  const { port } = await endpoint.listen();
  return {
    relay,
    endpoint,
    port,
    url: (path = '/mcp') => new URL(`http://127.0.0.1:${port}${path}`),
    close: () => endpoint.close(),
  };
}

export interface Sent {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Without one every request has a connection of its own. */
  agent?: Agent;
}

/** An exchange over raw HTTP: the head as it arrived, the body as it arrives. */
export interface Exchanged {
  status: number;
  headers: IncomingHttpHeaders;
  events: Pick<SseEvent, 'event' | 'id' | 'data'>[];
  retries: number[];
  comments: number;
  /** The whole body, once the reply has ended. Rejects when it is broken off. */
  text: Promise<string>;
  json(): Promise<JsonObject>;
  /** Messages of the event stream so far. */
  messages(): JsonObject[];
  /** Breaks the connection off. */
  abort(): void;
}

/** Resolves when the head of the reply is there. */
export function send(url: URL, { method = 'POST', headers = {}, body, agent }: Sent = {}): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const req = httpRequest(url, { method, headers, agent: agent ?? false }, (res) => {
      const chunks: Buffer[] = [];
      const exchanged: Exchanged = {
        status: res.statusCode ?? 0,
        headers: res.headers,
        events: [],
        retries: [],
        comments: 0,
        text: new Promise<string>((done, failed) => {
          res.on('end', () => done(Buffer.concat(chunks).toString()));
          res.on('error', failed);
        }),
        json: async () => JSON.parse(await exchanged.text) as JsonObject,
        messages: () =>
          exchanged.events.filter(({ data }) => data.length > 0).map(({ data }) => JSON.parse(String(data))),
        abort: () => req.destroy(),
      };
      exchanged.text.catch(() => {});
      const parser = new SseParser(
        {
          onEvent: (event) => exchanged.events.push({ ...event, data: Buffer.from(event.data) }),
          onRetry: (ms) => exchanged.retries.push(ms),
          onComment: () => {
            exchanged.comments++;
          },
        },
        64 * 1024 * 1024,
      );
      res.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        if (res.headers['content-type'] === 'text/event-stream') parser.push(chunk);
      });
      resolve(exchanged);
    });
    req.on('error', reject);
    req.end(body);
  });
}

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

export const post = (url: URL, message: unknown, headers: Record<string, string> = {}): Promise<Exchanged> =>
  send(url, { headers: { ...JSON_HEADERS, ...headers }, body: JSON.stringify(message) });

export const rpc = (id: number | string, method: string, params?: JsonObject): JsonObject => ({
  jsonrpc: '2.0',
  id,
  method,
  ...(params ? { params } : {}),
});

export const call = (id: number | string, name: string, args: JsonObject = {}): JsonObject =>
  rpc(id, 'tools/call', { name, arguments: args });

export const MODERN = '2026-07-28';

export const ENVELOPE: JsonObject = {
  [META.protocolVersion]: MODERN,
  [META.clientCapabilities]: {},
  [META.clientInfo]: { name: 'test', version: '1' },
};

/** A modern request with its envelope. */
export function modern(
  id: number | string,
  method: string,
  params: JsonObject = {},
  meta: JsonObject = {},
): JsonObject {
  return rpc(id, method, { ...params, _meta: { ...ENVELOPE, ...meta } });
}

/** The headers a modern request must have. */
export function modernHeaders(message: JsonObject): Record<string, string> {
  const params = (message.params ?? {}) as JsonObject;
  const name = params.name ?? params.uri;
  return {
    'mcp-protocol-version': MODERN,
    'mcp-method': String(message.method),
    ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
  };
}

export const postModern = (url: URL, message: JsonObject, headers: Record<string, string> = {}): Promise<Exchanged> =>
  post(url, message, { ...modernHeaders(message), ...headers });

export const initialize = (
  protocolVersion = '2025-11-25',
  capabilities: JsonObject = { elicitation: {} },
): JsonObject => rpc(0, 'initialize', { protocolVersion, capabilities, clientInfo: { name: 'test', version: '1' } });

/** Opens a legacy session and returns the headers its requests carry. */
export async function openSession(
  url: URL,
  protocolVersion = '2025-11-25',
  headers: Record<string, string> = {},
): Promise<Record<string, string>> {
  const opened = await post(url, initialize(protocolVersion), headers);
  const sessionId = opened.headers['mcp-session-id'];
  if (opened.status !== 200 || typeof sessionId !== 'string') throw new Error(`no session: ${await opened.text}`);
  await opened.text;
  const session = { ...headers, 'mcp-session-id': sessionId, 'mcp-protocol-version': protocolVersion };
  await post(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, session);
  return session;
}

export const listenOn = (url: URL, session: Record<string, string>, lastEventId?: string): Promise<Exchanged> =>
  send(url, {
    method: 'GET',
    headers: { ...session, accept: 'text/event-stream', ...(lastEventId ? { 'last-event-id': lastEventId } : {}) },
  });

/** Opens an event stream: the old transport's channel at `/sse`. */
export const openStream = (url: URL, headers: Record<string, string> = {}): Promise<Exchanged> =>
  send(url, { method: 'GET', headers: { ...headers, accept: 'text/event-stream' } });

/** Polls until the condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 50_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
