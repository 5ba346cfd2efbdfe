/**
 * A tool on a broker that answers whatever a test wants, for what the published package would never send.
 * @module
 */
import type { IPublishPacket } from 'mqtt-packet';
import type { Handle } from './handle.ts';

export interface RawCall {
  /** The payload of the call, parsed. */
  readonly request: { call_id: string; arguments: unknown; client: string; response_topic: string };
  readonly text: string;
  readonly packet: IPublishPacket;
  /** Sends this payload to the inbox of the caller, as an answer to this call unless told otherwise. */
  answer(payload: string | object, correlationData?: Buffer | null): Promise<void>;
  stream(payload: string | object): Promise<void>;
}

export const publishJson = (
  handle: Handle,
  topic: string,
  value: object | '' | string,
  retain = false,
): Promise<void> =>
  handle.transmit(topic, typeof value === 'string' ? value : JSON.stringify(value), { qos: 1, retain });

export const serverCard = (
  handle: Handle,
  name: string,
  tools: string[],
  status = 'online',
  base = 'a2a/v1',
): Promise<void> =>
  publishJson(handle, `${base}/mcp/servers/${name}/card`, { version: '1', server: name, tools, status }, true);

export const toolCard = (handle: Handle, tool: string, card: object, base = 'a2a/v1'): Promise<void> =>
  publishJson(handle, `${base}/mcp/tools/${tool}/card`, { version: '1', tool, status: 'online', ...card }, true);

/** Announces the tool and hands each of its calls to `onCall`. What `onCall` still sends when the handle is ended is lost, as of any tool. */
export async function startRawTool(
  handle: Handle,
  tool: string,
  onCall: (call: RawCall) => unknown,
  card: object = {},
): Promise<void> {
  const server = `${tool}-server`;
  await handle.subscribe(`a2a/v1/mcp/tools/${tool}/call`, {
    callback: (_topic, payload, packet) => {
      const text = payload.toString();
      const request = JSON.parse(text);
      const send = async (
        topic: string,
        value: string | object,
        correlationData: Buffer | undefined,
      ): Promise<void> => {
        const properties = correlationData ? { correlationData } : {};
        await handle.transmit(topic, typeof value === 'string' ? value : JSON.stringify(value), { qos: 1, properties });
      };
      const answered = onCall({
        request,
        text,
        packet,
        answer: (value, correlationData = packet.properties?.correlationData) =>
          send(request.response_topic, value, correlationData ?? undefined),
        stream: (value) => send(`a2a/v1/mcp/tools/${tool}/stream/${request.call_id}`, value, undefined),
      });
      Promise.resolve(answered).catch((error: unknown) => {
        if (!handle.isEnded()) throw error;
      });
    },
  });
  await toolCard(handle, tool, { server, input_schema: { type: 'object' }, ...card });
  await serverCard(handle, server, [tool]);
}
