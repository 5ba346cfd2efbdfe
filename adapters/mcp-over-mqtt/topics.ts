/**
 * Topics of MCP over MQTT (SPEC.md 0.1, section 3).
 * @module
 */
import { z } from 'zod';
import {
  callTopic,
  normalNamespace,
  responsesTopic,
  serverCardTopic,
  streamTopic,
  toolCardTopic,
} from '../../src/wire/mqtt/tool-topics.ts';

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
  readonly #namespace: string;

  constructor(namespace: string) {
    this.#namespace = normalNamespace(namespace);
    this.serverCards = serverCardTopic(this.#namespace, '+');
    this.toolCards = toolCardTopic(this.#namespace, '+');
    this.streams = streamTopic(this.#namespace, '+', '+');
  }

  call(tool: string): string {
    return callTopic(this.#namespace, tool);
  }

  stream(tool: string, callId: string): string {
    return streamTopic(this.#namespace, tool, callId);
  }

  responses(client: string): string {
    return responsesTopic(this.#namespace, client);
  }
}

/** The server or tool whose card has this topic. */
export const cardName = (topic: string): string => topic.split('/').at(-2) ?? '';

/** The call whose stream has this topic. */
export const streamedCall = (topic: string): string => topic.slice(topic.lastIndexOf('/') + 1);
