/**
 * Topics of MCP over MQTT (SPEC.md 0.1, section 3).
 * @module
 */
import { z } from 'zod';

/** Topic levels before `/mcp/`. The default is the package's. */
export const topicNamespace = z
  .string()
  .max(256)
  .regex(/^[^+#\0/$][^+#\0]*$/)
  .default('a2a/v1')
  .meta({ description: 'What the topics of a mcp-over-mqtt server begin with.' });

export class Topics {
  readonly serverCards: string;
  readonly toolCards: string;
  /** Of all calls: messages are dispatched by it, and it is never subscribed to. */
  readonly streams: string;
  readonly #base: string;

  constructor(namespace: string) {
    this.#base = `${namespace.replaceAll(/^\/+|\/+$/g, '')}/mcp`;
    this.serverCards = `${this.#base}/servers/+/card`;
    this.toolCards = `${this.#base}/tools/+/card`;
    this.streams = `${this.#base}/tools/+/stream/+`;
  }

  call(tool: string): string {
    return `${this.#base}/tools/${tool}/call`;
  }

  stream(tool: string, callId: string): string {
    return `${this.#base}/tools/${tool}/stream/${callId}`;
  }

  responses(client: string): string {
    return `${this.#base}/clients/${client}/responses`;
  }
}

/** The server or tool whose card has this topic. */
export const cardName = (topic: string): string => topic.split('/').at(-2) ?? '';

/** The call whose stream has this topic. */
export const streamedCall = (topic: string): string => topic.slice(topic.lastIndexOf('/') + 1);

/** A name that is one level of a topic. */
export const isLevel = (name: string): boolean => name !== '' && !/[/+#\0]/.test(name);
