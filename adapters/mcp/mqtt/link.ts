/**
 * MCP over MQTT in EMQX's form: one session is one connection to the broker, with a client id of its own. Everything comes
 * in on the session's own topic and on those of its server; the session ends with either connection, of which the presence
 * of the server and the will of this client tell the other side.
 * @module
 */
import { SwitchboardError } from '../../../src/core/errors.ts';
import type { Log } from '../../../src/core/log.ts';
import { encodeMessage } from '../../../src/wire/json/source.ts';
import type { Notification, Request, Response } from '../../../src/wire/jsonrpc.ts';
import {
  type BrokerConnection,
  type BrokerMessage,
  NO_SUBSCRIBERS,
  type Publication,
  type PublishOptions,
} from '../../../src/wire/mqtt/index.ts';
import {
  capabilityTopic,
  clientPresenceTopic,
  controlTopic,
  DISCONNECTED_MESSAGE,
  PROPERTY,
  presenceTopic,
  rpcTopic,
  type ServerAddress,
} from '../../../src/wire/mqtt/mcp-topics.ts';
import { ResponseHandlers, tooLarge } from '../session/duplex.ts';
import { type Link, type LinkEvents, lostSession, type ResponseHandler, type Sent } from '../session/link.ts';

export interface MqttLinkContext {
  readonly name: string;
  readonly maxReplyBytes: number;
  readonly log: Log;
}

export class MqttLink implements Link {
  readonly ownStreams = false;
  readonly stateful = true;
  readonly #context: MqttLinkContext;
  readonly #broker: BrokerConnection;
  readonly #rpcTopic: string;
  readonly #controlTopic: string;
  readonly #options: PublishOptions;
  readonly #responses: ResponseHandlers;
  #opened = false;
  /** Why it is over. */
  #ended: Error | undefined;

  private constructor(context: MqttLinkContext, broker: BrokerConnection, server: ServerAddress) {
    this.#context = context;
    this.#broker = broker;
    this.#rpcTopic = rpcTopic(broker.clientId, server);
    this.#controlTopic = controlTopic(server);
    this.#options = { properties: { userProperties: ownProperties(broker.clientId) } };
    this.#responses = new ResponseHandlers((what) =>
      context.log.debug({ server: context.name }, `the server sent ${what}`),
    );
  }

  /** Subscribes to what the server sends. Rejects when the broker refuses it; the connection is the caller's to end. */
  static async open(context: MqttLinkContext, broker: BrokerConnection, server: ServerAddress): Promise<MqttLink> {
    const link = new MqttLink(context, broker, server);
    broker.on(link.#rpcTopic, (message) => link.#received(message));
    broker.on(capabilityTopic(server), (message) => link.#received(message));
    broker.on(presenceTopic(server), ({ payload }) => {
      // What else is retained there is not this session's concern.
      if (payload.length === 0) link.#lose(offline(context.name));
    });
    await Promise.all([
      broker.subscribe(link.#rpcTopic, { noLocal: true }),
      broker.subscribe(capabilityTopic(server)),
      broker.subscribe(presenceTopic(server)),
    ]);
    return link;
  }

  get events(): LinkEvents {
    return this.#responses.events;
  }

  set events(events: LinkEvents) {
    this.#responses.events = events;
  }

  opened(): void {
    this.#opened = true;
  }

  send(message: Request, handler: ResponseHandler): Sent {
    const sent = this.#responses.add(handler);
    if (this.#ended) {
      this.#responses.fail(handler, this.#ended);
      return sent;
    }
    const topic = message.method === 'initialize' ? this.#controlTopic : this.#rpcTopic;
    this.#broker.publish(topic, encodeMessage(message), this.#options, new SentRequest(this, handler));
    return sent;
  }

  post(message: Notification | Response): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended) resolve();
      else this.#broker.publish(this.#rpcTopic, encodeMessage(message), this.#options, { published: () => resolve() });
    });
  }

  async close(reason: Error): Promise<void> {
    if (!this.#ended) {
      // The will is not sent after an orderly end, so this takes its place.
      const topic = clientPresenceTopic(this.#broker.clientId);
      this.#broker.publish(topic, DISCONNECTED_MESSAGE, this.#options);
      this.#end(reason);
    }
    await this.#broker.close();
  }

  /** The connection to the broker is gone. */
  brokerLost(reason: SwitchboardError): void {
    this.#lose(reason);
  }

  /** Called once the broker has answered for a request. */
  published(handler: ResponseHandler, failure: SwitchboardError | undefined, reasonCode: number): void {
    if (failure) this.#responses.fail(handler, failure);
    // The topic has no subscriber, so it did not run: the server is gone, or has forgotten the session.
    else if (reasonCode === NO_SUBSCRIBERS) {
      this.#lose(this.#opened ? lostSession(this.#context.name) : offline(this.#context.name));
    }
  }

  #received({ payload, truncated, retain }: BrokerMessage): void {
    if (this.#ended) return;
    // Nothing of a session is retained: a message that is was meant for an earlier one.
    if (retain) this.#context.log.debug({ server: this.#context.name }, 'dropped a retained message');
    else if (truncated) {
      const { name, maxReplyBytes } = this.#context;
      // Its beginning and its end: the id stands next to one of them.
      const text = payload.toString('utf8');
      this.#responses.oversize(tooLarge(name, maxReplyBytes), { head: text, tail: text });
    } else this.#responses.receive([payload]);
  }

  /** The session is over, and not by our doing. */
  #lose(reason: Error): void {
    if (this.#ended) return;
    const hadCalls = this.#end(reason);
    this.events.lost(reason, hadCalls);
    void this.#broker.close();
  }

  /** Returns true when requests were in flight. */
  #end(reason: Error): boolean {
    this.#ended = reason;
    return this.#responses.failAll(reason);
  }
}

/** A request while the broker has not answered for it. */
class SentRequest implements Publication {
  readonly #link: MqttLink;
  readonly #handler: ResponseHandler;

  constructor(link: MqttLink, handler: ResponseHandler) {
    this.#link = link;
    this.#handler = handler;
  }

  leaves(): boolean {
    this.#handler.sent?.();
    return true;
  }

  published(failure: SwitchboardError | undefined, reasonCode: number): void {
    this.#link.published(this.#handler, failure, reasonCode);
  }
}

/** The user properties of everything a client sends. */
export const ownProperties = (clientId: string): Record<string, string> => ({
  [PROPERTY.component]: 'mcp-client',
  [PROPERTY.sender]: clientId,
});

const offline = (name: string): SwitchboardError =>
  new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${name}' has gone offline at its broker.`, {
    data: { server: name },
  });
