/**
 * The connections to one other replica. Each serves one request after the other; the one that was used last is taken first, so
 * that no more are kept than are needed.
 * @module
 */
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { type buildConnector, Client, type Dispatcher } from 'undici';
import type { ReplicaAddress } from '../../../state/replicas.ts';
import { NOT_IN_TIME } from './pulse.ts';

/** By then the handshake is done. */
const CONNECT_MS = 3_000;
/**
 * An idle connection is closed by the side that sends, before the other side does, and soon: only a new one shows that the other
 * replica does not hang, before a request has left.
 */
const IDLE_MS = 2_000;
const MAX_IDLE = 64;

export type Outgoing = Omit<Dispatcher.DispatchOptions, 'origin'>;

export class Connections {
  readonly #origin: string;
  readonly #connect: buildConnector.connector;
  readonly #all = new Set<Client>();
  readonly #idle: Client[] = [];
  /** Their clients do not have them yet. */
  readonly #connecting = new Set<TLSSocket>();

  constructor(address: ReplicaAddress, tls: ConnectionOptions) {
    const { host, port } = address;
    this.#origin = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.#connect = connector(address, tls, this.#connecting);
  }

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** Sends a request. `onRequestStart` of the handler is called just before it may leave. */
  dispatch(request: Outgoing, handler: Dispatcher.DispatchHandler): void {
    const client = this.#idle.pop() ?? this.#open();
    client.dispatch(
      request,
      new Exchange(handler, (whole) => {
        if (whole && !client.destroyed && this.#idle.length < MAX_IDLE) this.#idle.push(client);
        else this.#end(client);
      }),
    );
  }

  close(): void {
    for (const client of this.#all) this.#end(client);
    for (const socket of this.#connecting) socket.destroy(new Error('The gateway ends.'));
  }

  #open(): Client {
    const client = new Client(this.#origin, {
      connect: this.#connect,
      allowH2: false,
      pipelining: 1,
      // How long a reply may take is decided where it is made.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
    });
    client.on('disconnect', () => {
      // One that is in use has a request to fail, or to send on a new connection since it has not left yet.
      const at = this.#idle.indexOf(client);
      if (at < 0) return;
      this.#idle.splice(at, 1);
      this.#end(client);
    });
    this.#all.add(client);
    return client;
  }

  #end(client: Client): void {
    if (this.#all.delete(client)) client.destroy().catch(() => {});
  }
}

/** One request on a connection, which is free afterwards where the reply was read to its end. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #free: (whole: boolean) => void;

  constructor(handler: Dispatcher.DispatchHandler, free: (whole: boolean) => void) {
    this.#handler = handler;
    this.#free = free;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#handler.onRequestStart?.(controller, undefined);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers, text?: string): void {
    this.#handler.onResponseStart?.(controller, status, headers, text);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController, trailers: Headers): void {
    this.#free(true);
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#free(false);
    this.#handler.onResponseError?.(controller, error);
  }
}

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

/** Connections after the first one resume its TLS session, which makes them cheap. */
function connector(
  { host, port }: ReplicaAddress,
  tls: ConnectionOptions,
  connecting: Set<TLSSocket>,
): buildConnector.connector {
  let session: Buffer | undefined;
  return (_options, callback) => {
    const socket = connect({ host, port, ...tls, session });
    socket.setNoDelay(true);
    socket.on('session', (made) => {
      session = made;
    });
    connecting.add(socket);
    const late = Object.assign(new Error('No connection in time.'), { code: NOT_IN_TIME });
    const timer = setTimeout(() => socket.destroy(late), CONNECT_MS);
    const settled = (): void => {
      clearTimeout(timer);
      connecting.delete(socket);
    };
    const failed = (error: Error): void => {
      settled();
      callback(error, null);
    };
    socket.once('error', failed);
    socket.once('secureConnect', () => {
      settled();
      socket.off('error', failed);
      callback(null, socket);
    });
  };
}
