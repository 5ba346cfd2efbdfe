/**
 * What a LangGraph server keeps, as resources: the history of a thread, and items of the store.
 * @module
 */
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { LOCAL_PRINCIPAL } from '../../src/core/identity.ts';
import type { Entry } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { type LanggraphApi, parseJson } from './api.ts';
import { readThread } from './conversations.ts';
import { httpFailure } from './failure.ts';

const JSON_TYPE = 'application/json';
const URI = /^langgraph:\/\/(threads|store)\/(.+)$/;

const TEMPLATES = [
  {
    uriTemplate: 'langgraph://threads/{threadId}',
    name: 'thread',
    title: 'A conversation',
    description: 'What was said in a thread of yours: the last 100 messages, its state, and what it waits for.',
    mimeType: JSON_TYPE,
  },
  {
    uriTemplate: 'langgraph://store/{namespace}/{key}',
    name: 'store-item',
    title: 'An item of the store',
    description:
      'What graphs keep outside threads. The parts of a namespace are joined with dots. For the local user only.',
    mimeType: JSON_TYPE,
  },
];

export const templateEntries = (): Entry[] =>
  TEMPLATES.map((value) => ({ key: value.uriTemplate, value: { ...value } }));

export async function readResource(api: LanggraphApi, { uri }: JsonObject, call: Call): Promise<JsonObject> {
  const [, kind, path = ''] = (typeof uri === 'string' && URI.exec(uri)) || [];
  const value =
    kind === 'threads' ? await threadOf(api, path, call) : kind === 'store' && (await itemOf(api, path, call));
  if (!value) throw unknownResource(api.name, uri);
  return { contents: [{ uri, mimeType: JSON_TYPE, text: JSON.stringify(value, undefined, 2) }] };
}

async function threadOf(api: LanggraphApi, path: string, call: Call): Promise<JsonObject | undefined> {
  const threadId = decode(path);
  if (threadId === undefined || threadId === '') return undefined;
  return readThread(api, { threadId, limit: 100 }, call);
}

/** The store knows no owners: what one caller's runs keep there, another's could read. */
async function itemOf(api: LanggraphApi, path: string, call: Call): Promise<JsonObject | undefined> {
  const [namespace, key, ...more] = path.split('/').map(decode);
  if (!namespace || !key || more.length > 0 || call.caller.principal !== LOCAL_PRINCIPAL) return undefined;
  const query = new URLSearchParams({ namespace, key });
  const reply = await api.reply('GET', `/store/items?${query}`, undefined, call.signal);
  if (reply.status === 404 || reply.status === 204 || reply.status === 400) return undefined;
  if (reply.status !== 200) throw httpFailure(api.name, reply);
  const item = parseJson(reply.body, api.name);
  return isObject(item) ? item : undefined;
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

const unknownResource = (name: string, uri: unknown): SwitchboardError =>
  new SwitchboardError('SWB_UNKNOWN_RESOURCE', `Server '${name}' has no resource '${String(uri).slice(0, 200)}'.`);
