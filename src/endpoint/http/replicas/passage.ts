/**
 * The connections between replicas: HTTP in TLS with a key that all replicas of one state have, and no other. Who has not the
 * key cannot connect, and who listens on the network learns nothing of what passes.
 * @module
 */

import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import type { ConnectionOptions } from 'node:tls';
import type { Dispatcher } from 'undici';
import { SwitchboardError } from '../../../core/errors.ts';
import type { ReplicaAddress } from '../../../state/replicas.ts';
import type { Connections, Outgoing } from './connections.ts';
import { ENDING } from './pulse.ts';

/** Of TLS with a shared key Node knows the form of version 1.2; this suite has forward secrecy. */
const TLS = { ciphers: 'ECDHE-PSK-CHACHA20-POLY1305', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
const IDENTITY = 'switchboard-replica';

/** The side that sends closes idle connections, long before. */
const KEPT_MS = 65_000;

/** Replicas come and go, each with an address of its own. */
const MAX_ADDRESSES = 256;

/** Where replicas ask each other whether they live. */
export const ALIVE = '/alive';

export interface ListenOptions {
  host: string;
  port: number;
  /** The address that other replicas use, where it is not the one that is listened on: a host, or a host and a port. */
  address?: string | undefined;
}

export class Passage {
  readonly #key: Buffer;
  /** To each replica that requests were sent to, by its address. */
  readonly #connections = new Map<string, Connections>();
  /** Undefined until a request is sent to another replica: a gateway without others starts without undici. */
  #kind: typeof Connections | undefined;
  #closed = false;
  #server: Server | undefined;

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** Resolves with where other replicas reach it. Rejects with `SWB_CONFIG` when the address cannot be bound. */
  async listen({ host, port, address }: ListenOptions, handler: RequestListener): Promise<ReplicaAddress> {
    const server = createServer(
      {
        ...TLS,
        pskCallback: (_socket, identity) => (identity === IDENTITY ? this.#key : null),
        keepAliveTimeout: KEPT_MS,
        noDelay: true,
      },
      handler,
    );
    // The sender does not have the key: this is not a fault of the gateway's.
    server.on('tlsClientError', () => {});
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const why = `gateway.replica cannot listen on ${host}:${port} (${error.code}).`;
        reject(new SwitchboardError('SWB_CONFIG', why, { cause: error }));
      });
      server.listen(port, host, resolve);
    });
    const bound = server.address() as AddressInfo;
    const [, named, at] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(address ?? '') ?? [];
    return { host: (named || reachable(bound.address)).replace(/^\[(.*)\]$/, '$1'), port: Number(at ?? bound.port) };
  }

  /** Sends a request. `onRequestStart` of the handler is called just before it may leave; after `close` it fails at once. */
  send(address: ReplicaAddress, request: Outgoing, handler: Dispatcher.DispatchHandler): void {
    if (this.#closed) {
      refuse(handler, Object.assign(new Error('The gateway ends.'), { code: ENDING }));
      return;
    }
    if (!this.#kind) {
      void this.#sendFirst(address, request, handler);
      return;
    }
    try {
      this.#connectionsTo(address, this.#kind).dispatch(request, handler);
    } catch (error) {
      // An address that is none fails as one where no connection can be had.
      refuse(handler, error);
    }
  }

  async #sendFirst(address: ReplicaAddress, request: Outgoing, handler: Dispatcher.DispatchHandler): Promise<void> {
    try {
      this.#kind = (await import('./connections.ts')).Connections;
    } catch (error) {
      refuse(handler, error);
      return;
    }
    this.send(address, request, handler);
  }

  #connectionsTo(address: ReplicaAddress, kind: typeof Connections): Connections {
    const at = `${address.host} ${address.port}`;
    let connections = this.#connections.get(at);
    if (!connections) {
      if (this.#connections.size >= MAX_ADDRESSES) this.#forgetUnused();
      connections = new kind(address, this.#tls());
      this.#connections.set(at, connections);
    }
    return connections;
  }

  #forgetUnused(): void {
    for (const [at, each] of this.#connections) if (each.isEmpty) this.#connections.delete(at);
  }

  #tls(): ConnectionOptions {
    return {
      ...TLS,
      pskCallback: () => ({ psk: this.#key, identity: IDENTITY }),
      // The key is the proof: there are no certificates and no names in them.
      checkServerIdentity: () => undefined,
    };
  }

  /** Whether the replica at this address answers within `ms`. */
  isAlive(address: ReplicaAddress, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      let asked: Dispatcher.DispatchController | undefined;
      let late = false;
      const giveUp = (): void => asked?.abort(new Error('No answer in time.'));
      const timer = setTimeout(() => {
        late = true;
        resolve(false);
        giveUp();
      }, ms);
      const answered = (alive: boolean): void => {
        clearTimeout(timer);
        resolve(alive);
      };
      this.send(
        address,
        { method: 'GET', path: ALIVE },
        {
          onRequestStart: (controller) => {
            asked = controller;
            if (late) giveUp();
          },
          onResponseStart() {},
          onResponseData() {},
          onResponseEnd: () => answered(true),
          onResponseError: () => answered(false),
        },
      );
    });
  }

  /** Ends what is under way, too. */
  close(): void {
    this.#closed = true;
    for (const connections of this.#connections.values()) connections.close();
    this.#server?.close();
    this.#server?.closeAllConnections();
  }
}

/** As undici does before there is a connection: without a controller. */
const refuse = (handler: Dispatcher.DispatchHandler, error: unknown): void =>
  handler.onResponseError?.(null as unknown as Dispatcher.DispatchController, error as Error);

/** Every address of the machine is none that others can connect to: the first that leads into a network is taken. */
function reachable(bound: string): string {
  if (bound !== '0.0.0.0' && bound !== '::') return bound;
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const outside = addresses.filter(({ internal, scopeid }) => !internal && !scopeid);
  return (outside.find(({ family }) => family === 'IPv4') ?? outside[0])?.address ?? hostname();
}
