/**
 * The forms in which servers stand on an MQTT broker: for each a server with an echo, a client of its own, and the entry of
 * the gateway's configuration.
 * @module
 */
import { MCPClient } from '@cloudsignal/mcp-over-mqtt';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { connectHandle } from '../adapters/mcp-over-mqtt/testing/handle.ts';
import { startToolServer } from '../adapters/mcp-over-mqtt/testing/servers.ts';
import { MqttClientTransport, startV1Mqtt } from '../test/fixtures/mcp/mqtt.ts';

export type EchoCall = (text: string) => Promise<string>;

export interface BrokerForm {
  /** For tables. */
  label: string;
  /** Serves the tool `echo`, which returns its argument `text`. */
  serve(url: string): Promise<void>;
  /** A client of this form, as its users have it. */
  connect(url: string): Promise<EchoCall>;
  /** The server's entry in the gateway's configuration. */
  entry(url: string): Record<string, unknown>;
}

const NAMESPACE = 'bench';
const SERVER = { id: 'bench-1', name: 'bench/echo' };

export const BROKER_FORMS = {
  cards: {
    label: 'CloudSignal',
    async serve(url) {
      const handler = async ({ text }: Record<string, unknown>) => text;
      const echo = { name: 'echo', description: 'Echo.', input_schema: { type: 'object' }, handler };
      await startToolServer(url, { name: 'bench', namespace: NAMESPACE, tools: [echo] });
    },
    async connect(url) {
      const client = new MCPClient({
        clientId: 'bench-client',
        namespace: NAMESPACE,
        broker: '',
        credentials: { orgId: '', tokenServiceUrl: '' },
        client: (await connectHandle(url)) as never,
        logger: { info() {}, warn() {}, error() {} },
      });
      await client.start();
      return (text) => client.call<string>('echo', { text });
    },
    entry: (url) => ({ url, kind: 'mcp-over-mqtt', topicNamespace: NAMESPACE }),
  },
  mcp: {
    label: 'EMQX',
    async serve(url) {
      await startV1Mqtt(url, SERVER);
    },
    async connect(url) {
      const client = new Client({ name: 'bench', version: '1' });
      await client.connect(new MqttClientTransport(url, { server: SERVER }));
      return async (text) => {
        const { content } = await client.callTool({ name: 'echo', arguments: { text } });
        return (content as { text: string }[])[0]?.text ?? '';
      };
    },
    entry: (url) => ({ url, kind: 'mcp', serverName: SERVER.name }),
  },
} satisfies Record<string, BrokerForm>;

export type BrokerFormName = keyof typeof BROKER_FORMS;

export const formOf = (name: BrokerFormName): BrokerForm => BROKER_FORMS[name];
