/**
 * Web-standard requests for a `node:http` server, over connections inside the process: streams, backpressure and
 * cancellation are those of HTTP, without a socket.
 * @module
 */
import type { ClientRequest, IncomingMessage, Server } from 'node:http';
import { type Duplex, duplexPair, Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { Agent, request as httpRequest } from '../../core/node-http.ts';

/** Belong to the connection inside the process, not to the response. */
const HOP_BY_HOP: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/**
 * How the connection a request came by was used. On one inside the process they would say something else than what is sent:
 * with a length that is not the body's, what follows is another request, or the next request is taken for the body.
 */
const OF_ANOTHER_CONNECTION: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'content-length',
  'expect',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
]);

/** Statuses whose responses have no body. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

export interface InProcess {
  /**
   * Resolves with the head; the body streams. Aborting `request.signal` or cancelling the body is to the server a client
   * that disconnects. Rejects with the signal's reason, or when the server breaks off before it has answered.
   */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Ends the connections. */
  close(): void;
}

export function createFetch(server: Server): InProcess {
  const agent = new InProcessAgent(server);
  return {
    fetch: (request) => send(request, agent),
    close: () => agent.destroy(),
  };
}

/** The methods of `net.Socket` that the HTTP client and server call, and a duplex has not. */
const SOCKET_METHODS = {
  setKeepAlive: nothing,
  setNoDelay: nothing,
  setTimeout: nothing,
  ref: nothing,
  unref: nothing,
  destroySoon(this: Duplex): void {
    this.end();
  },
};

function nothing(): void {}

class InProcessAgent extends Agent {
  readonly #server: Server;

  constructor(server: Server) {
    super({ keepAlive: true });
    this.#server = server;
  }

  override createConnection(): Duplex {
    const [client, remote] = duplexPair();
    for (const side of [client, remote]) Object.assign(side, SOCKET_METHODS);
    // A connection that breaks is broken on both sides.
    client.on('close', () => remote.destroy());
    remote.on('close', () => client.destroy());
    this.#server.emit('connection', remote);
    return client;
  }
}

function send(request: Request, agent: InProcessAgent): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const { method, signal, body } = request;
  const { host, pathname, search } = new URL(request.url);
  const sent = [...request.headers].filter(([name]) => !OF_ANOTHER_CONNECTION.has(name));
  const headers = { host, ...Object.fromEntries(sent) };
  const outgoing = httpRequest({ agent, method, path: pathname + search, headers });
  const abort = (): void => void outgoing.destroy(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  outgoing.on('close', () => signal.removeEventListener('abort', abort));
  outgoing.on('error', (error) => reject(signal.aborted ? signal.reason : error));
  outgoing.on('response', (incoming) => resolve(responseOf(incoming, request)));
  sendBody(outgoing, body as ReadableStream | null);
  return promise;
}

function sendBody(outgoing: ClientRequest, body: ReadableStream | null): void {
  if (body === null) {
    outgoing.end();
    return;
  }
  const source = Readable.fromWeb(body);
  source.on('error', (error) => outgoing.destroy(error));
  outgoing.on('close', () => source.destroy());
  source.pipe(outgoing);
}

function responseOf(incoming: IncomingMessage, { method, signal }: Request): Response {
  const { rawHeaders, statusCode: status = 500 } = incoming;
  // The body's reader gets it too, where there is one.
  incoming.on('error', nothing);
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!HOP_BY_HOP.has(name.toLowerCase())) headers.append(name, rawHeaders[i + 1] as string);
  }
  if (method === 'HEAD' || BODILESS.has(status)) {
    incoming.resume();
    return new Response(null, { status, headers });
  }
  // The request is over for the client's agent once its response has begun: what aborts it now ends the response.
  const abort = (): void => void incoming.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  incoming.on('close', () => signal.removeEventListener('abort', abort));
  return new Response(Readable.toWeb(incoming) as ReadableStream, { status, headers });
}
