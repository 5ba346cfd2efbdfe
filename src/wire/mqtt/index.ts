/**
 * Connections to MQTT brokers, for adapters and for what the gateway itself offers on a broker.
 *
 * {@link openBroker} opens one connection; {@link keepBroker} keeps one up. A connection listens with `on`, asks the broker
 * with `subscribe`, publishes with `publish` (callbacks, for calls) or `published` (a promise), and ends with `close`.
 * @module
 */
export { BrokerConnection } from './connection.ts';
export { type KeepOptions, type KeptBroker, keepBroker } from './keep.ts';
export { openBroker } from './open.ts';
export { refusal, unreachable } from './reasons.ts';
export {
  type BrokerMessage,
  type BrokerOptions,
  type MessageProperties,
  NO_SUBSCRIBERS,
  type Publication,
  type PublishOptions,
  type SubscribeOptions,
  TOO_LARGE,
  type UserProperties,
  type Will,
} from './types.ts';
