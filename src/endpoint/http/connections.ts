/**
 * Which principal uses how many connections to the endpoint, and how much of unfinished request bodies the gateway holds
 * for it. A principal beyond its share is refused and its connection closed; others keep their places.
 *
 * A connection belongs to the principal of its last request. Requests that are not authenticated have the time limits of
 * `node:http` only.
 * @module
 */
import type { Socket } from 'node:net';
import type { Shares } from '../../core/shares.ts';

interface Held {
  principal: string | undefined;
}

export class Connections {
  readonly #connections: Shares;
  readonly #held = new WeakMap<Socket, Held>();
  /** Bytes of bodies that have begun to arrive and are not complete. */
  readonly bodies: Shares;

  constructor(connections: Shares, bodies: Shares) {
    this.#connections = connections;
    this.bodies = bodies;
  }

  /** Of clients that have sent a request. */
  get size(): number {
    return this.#connections.taken;
  }

  /** Counts a connection once it is used. */
  opened(socket: Socket): void {
    const held: Held = { principal: undefined };
    this.#held.set(socket, held);
    socket.once('close', () => {
      if (held.principal !== undefined) this.#connections.give(held.principal);
      held.principal = undefined;
    });
  }

  /** Throws `SWB_BUSY` for a principal with as many connections as it may have. Connections of a mounted handler are not counted. */
  use(socket: Socket, principal: string): void {
    const held = this.#held.get(socket);
    if (!held || held.principal === principal) return;
    if (!this.#connections.admits(principal)) {
      throw this.#connections.refusal('SWB_BUSY', 'connections open', principal);
    }
    if (held.principal !== undefined) this.#connections.give(held.principal);
    held.principal = principal;
    this.#connections.take(principal);
  }
}
