/**
 * MCP over MQTT as EMQX publishes it: the topics and user properties that carry JSON-RPC between clients and servers which
 * meet at a broker, and the notifications by which they come and go. JSON-RPC itself is unchanged.
 *
 * Source: docs.emqx.com, "MCP over MQTT", Specification (MQTT 5, QoS 1 for everything, session expiry 0).
 * @module
 */
import { isObject } from '../jsonrpc.ts';

/** What stands in the user properties of CONNECT and PUBLISH. They are claims of the sender, and are not verified. */
export const PROPERTY = {
  /** `mcp-client` or `mcp-server`. */
  component: 'MCP-COMPONENT-TYPE',
  /** The MQTT client id of the sender. */
  sender: 'MCP-MQTT-CLIENT-ID',
  /** Of CONNECT: a JSON object about the program, for the broker. */
  meta: 'MCP-META',
  /** Of CONNACK, to a client: a JSON list of filters of server names it may look for. */
  nameFilters: 'MCP-SERVER-NAME-FILTERS',
} as const;

/** One instance of a server: several with one name are instances of the same server. */
export interface ServerAddress {
  /** Its MQTT client id. */
  readonly id: string;
  /** Levels between slashes: `gateway/demo/main`. */
  readonly name: string;
}

const PRESENCE = '$mcp-server/presence/';
const CAPABILITY = '$mcp-server/capability/';
const RPC = '$mcp-rpc/';
const CLIENT_PRESENCE = '$mcp-client/presence/';
const CLIENT_CAPABILITY = '$mcp-client/capability/';

/** `initialize` goes here. */
export const controlTopic = ({ id, name }: ServerAddress): string => `$mcp-server/${id}/${name}`;

/** Retained while the server is online; empty once it is not. */
export const presenceTopic = ({ id, name }: ServerAddress): string => `${PRESENCE}${id}/${name}`;

/** The presence of all servers whose name matches the filter (`#` for every one). */
export const presenceFilter = (nameFilter: string, id = '+'): string => `${PRESENCE}${id}/${nameFilter}`;

/** List changes, and updates of resources, for every client of the server. */
export const capabilityTopic = ({ id, name }: ServerAddress): string => `${CAPABILITY}${id}/${name}`;

/** Everything else between one client and one server, both ways: both subscribe with No Local. */
export const rpcTopic = (clientId: string, { id, name }: ServerAddress): string => `${RPC}${clientId}/${id}/${name}`;

export const clientPresenceTopic = (clientId: string): string => CLIENT_PRESENCE + clientId;

export const clientCapabilityTopic = (clientId: string): string => CLIENT_CAPABILITY + clientId;

/** The server whose presence a topic is about; undefined for any other topic. */
export function presenceOf(topic: string): ServerAddress | undefined {
  if (!topic.startsWith(PRESENCE)) return undefined;
  const slash = topic.indexOf('/', PRESENCE.length);
  const id = topic.slice(PRESENCE.length, slash);
  const name = topic.slice(slash + 1);
  return slash > PRESENCE.length && name !== '' ? { id, name } : undefined;
}

/** The client whose requests come on a topic of {@link rpcTopic}; undefined for any other topic. */
export function rpcClientOf(topic: string): string | undefined {
  if (!topic.startsWith(RPC)) return undefined;
  const slash = topic.indexOf('/', RPC.length);
  return slash > RPC.length ? topic.slice(RPC.length, slash) : undefined;
}

/** The client whose presence or capabilities a topic is about; undefined for any other topic. */
export function clientOf(topic: string): { id: string; about: 'presence' | 'capability' } | undefined {
  if (topic.startsWith(CLIENT_PRESENCE)) return { id: topic.slice(CLIENT_PRESENCE.length), about: 'presence' };
  if (topic.startsWith(CLIENT_CAPABILITY)) return { id: topic.slice(CLIENT_CAPABILITY.length), about: 'capability' };
  return undefined;
}

const MAX_ID = 128;
const MAX_NAME = 256;

/** Why a text can be no client or server id, as the rest of a sentence; undefined when it can. */
export function idProblem(id: string): string | undefined {
  if (id === '' || id.length > MAX_ID) return `is not 1 to ${MAX_ID} characters long`;
  if (/[/+#\p{Cc}]/u.test(id)) return 'holds one of the characters / + # or a control character';
  // `$mcp-server/presence/<name>` would be its control topic.
  if (id === 'presence' || id === 'capability') return 'is a word of the topics themselves';
  return undefined;
}

/** Why a text can be no server name, as the rest of a sentence; undefined when it can. */
export function serverNameProblem(name: string): string | undefined {
  if (/[+#]/.test(name)) return 'holds one of the characters + and #';
  return filterProblem(name);
}

/** Why a text can be no filter of server names, as the rest of a sentence; undefined when it can. */
export function filterProblem(filter: string): string | undefined {
  if (filter === '' || filter.length > MAX_NAME) return `is not 1 to ${MAX_NAME} characters long`;
  if (/\p{Cc}/u.test(filter)) return 'holds a control character';
  const levels = filter.split('/');
  if (levels.includes('')) return 'has an empty level: a slash at its beginning or end, or two in a row';
  const isWild = (level: string): boolean => level.includes('+') || level.includes('#');
  const wrong = levels.some(
    (level, index) => isWild(level) && level !== '+' && !(level === '#' && index === levels.length - 1),
  );
  return wrong ? 'has + or # within a level, or # before its last level' : undefined;
}

/** Whether a filter stands for more than the one name it spells. */
export const isFilter = (name: string): boolean => /[+#]/.test(name);

export const ONLINE = 'notifications/server/online';
export const DISCONNECTED = 'notifications/disconnected';

/** The payload of a server's presence while it is online. */
export const onlineMessage = (name: string, description: string): string =>
  JSON.stringify({ jsonrpc: '2.0', method: ONLINE, params: { server_name: name, description, meta: {} } });

/** The payload of a client's presence when it leaves, and of its will. */
export const DISCONNECTED_MESSAGE = JSON.stringify({ jsonrpc: '2.0', method: DISCONNECTED });

/** Whether a payload is the notification `method`. Anything may be published, and retained, on any topic. */
export function isNotification(payload: Buffer, method: string): boolean {
  // Presence is small by the specification; what is large is none, and not worth parsing.
  if (payload.length > 64 * 1024) return false;
  try {
    const message: unknown = JSON.parse(payload.toString('utf8'));
    return isObject(message) && message.method === method;
  } catch {
    return false;
  }
}
