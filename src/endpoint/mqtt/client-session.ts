/**
 * The session of one client on the broker: what it sends comes here, and what it is sent goes to its own topic.
 * @module
 */
import { SwitchboardError, toRpcError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { RequestId } from '../../wire/jsonrpc.ts';
import {
  type BrokerConnection,
  NO_SUBSCRIBERS,
  type Publication,
  type PublishOptions,
  TOO_LARGE,
} from '../../wire/mqtt/index.ts';
import { joined } from '../../wire/pieces.ts';
import { DuplexConnection, type DuplexOptions } from '../duplex-connection.ts';
import { encodeError } from '../messages.ts';

/** What the broker has not taken yet: beyond this, notifications are left out and requests refused. */
const MAX_BACKLOG_BYTES = 4 * 1024 * 1024;

export interface ClientSessionOptions extends Omit<DuplexOptions, 'write' | 'congested'> {
  clientId: string;
  /** Where the client reads. */
  topic: string;
  broker: BrokerConnection;
  publishing: PublishOptions;
  /** The topic has no subscriber: the client is gone. */
  unread(session: ClientSession): void;
  /** The broker does not let the gateway write there. */
  refused(session: ClientSession, failure: SwitchboardError): void;
}

export class ClientSession {
  readonly clientId: string;
  readonly identity: Identity;
  /** When the client's latest message arrived, on the clock of `performance.now()`. */
  lastHeard = performance.now();
  readonly openedAt = performance.now();
  /** When it was sent a ping since its latest message. */
  askedAt: number | undefined;
  readonly #options: ClientSessionOptions;
  readonly #connection: DuplexConnection;
  #backlog = 0;
  #ended = false;

  constructor(options: ClientSessionOptions) {
    this.clientId = options.clientId;
    this.identity = options.identity;
    this.#options = options;
    this.#connection = new DuplexConnection({
      ...options,
      write: (message) => this.write(typeof message === 'string' ? message : joined(message)),
      congested: () => this.congested,
    });
  }

  get congested(): boolean {
    return this.#backlog > MAX_BACKLOG_BYTES;
  }

  /** Whether a request of this id is in flight. */
  handles(id: RequestId): boolean {
    return this.#connection.handles(id);
  }

  /** Takes a message of the client, parsed. */
  receive(message: unknown): void {
    this.lastHeard = performance.now();
    this.askedAt = undefined;
    this.#connection.receive(message);
  }

  /** Sends bytes as they are. Never throws. */
  write(payload: string | Buffer): void {
    if (this.#ended) return;
    const { broker, topic, publishing } = this.#options;
    const size = payload.length;
    this.#backlog += size;
    broker.publish(topic, payload, publishing, new SentMessage(this, size, payload));
  }

  /** Called once the broker has answered for a message. */
  published({ size, payload }: SentMessage, failure: SwitchboardError | undefined, reasonCode: number): void {
    this.#backlog -= size;
    if (this.#ended) return;
    if (reasonCode === NO_SUBSCRIBERS) this.#options.unread(this);
    else if (reasonCode === TOO_LARGE) this.#replyIsTooLarge(payload);
    else if (failure && reasonCode !== 0) this.#options.refused(this, failure);
  }

  /** The client still waits for its reply, and gets an error that says why there is none. */
  #replyIsTooLarge(payload: string | Buffer): void {
    const head = payload.toString('utf8', 0, 2_048);
    const id = /^\{"jsonrpc":"2\.0","id":("(?:[^"\\]|\\.)*"|-?\d+),"result":/.exec(head)?.[1];
    if (id === undefined) return;
    const error = new SwitchboardError('SWB_REPLY_TOO_LARGE', 'The reply is larger than the broker takes.');
    this.write(encodeError(JSON.parse(id), toRpcError(error)));
  }

  /** Cancels what is in flight. Nothing is sent any more. */
  end(): void {
    this.#ended = true;
    this.#connection.close();
  }
}

/** A message to the client until the broker has answered for it. */
class SentMessage implements Publication {
  readonly size: number;
  readonly payload: string | Buffer;
  readonly #session: ClientSession;

  constructor(session: ClientSession, size: number, payload: string | Buffer) {
    this.#session = session;
    this.size = size;
    this.payload = payload;
  }

  published(failure: SwitchboardError | undefined, reasonCode: number): void {
    this.#session.published(this, failure, reasonCode);
  }
}
