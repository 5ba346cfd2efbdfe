/**
 * Connects one LangGraph server, and detects one by its public routes.
 * @module
 */

import type { ConnectContext, DetectContext } from '../../src/core/adapter.ts';
import { fixedHeaders } from '../../src/core/credentials.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { WholeReply } from '../shared/origin.ts';
import { readAssistants } from './agents.ts';
import { LanggraphApi, parseJson } from './api.ts';
import { httpFailure, notLanggraph } from './failure.ts';
import { LanggraphUpstream, type ServerFacts } from './upstream.ts';

const MAX_PROBE_BYTES = 65_536;

export async function connect(context: ConnectContext): Promise<Upstream> {
  const { name, target, maxReplyBytes, guard, credentials, signal, sending } = context;
  if (target.transport !== 'http' && target.transport !== 'auto') {
    throw new SwitchboardError('SWB_CONFIG', `Server '${name}': kind 'langgraph' needs the URL of its HTTP API.`);
  }
  let upstream: LanggraphUpstream | undefined;
  const api = new LanggraphApi({
    name,
    url: new URL(target.url),
    credentials,
    maxReplyBytes,
    guard,
    sending,
    onRefused: (reason) => upstream?.reportDown(reason),
  });
  try {
    signal.throwIfAborted();
    const facts = await readFacts(api, signal);
    // `/info` is open even where everything else needs credentials (measured): only this proves them.
    const listed = await api.reply('POST', '/assistants/search', { limit: 1 }, signal);
    const graphs = Array.isArray(context.options.graphs) ? (context.options.graphs as string[]) : [];
    // Some servers have graphs and no assistants; they are known by their configuration alone.
    const hasAssistants = listed.status !== 404 || graphs.length === 0;
    if (hasAssistants) readAssistants(expectJson(api, listed), name);
    upstream = new LanggraphUpstream(api, context, { ...facts, hasAssistants, graphs });
    return upstream;
  } catch (error) {
    await api.close();
    throw api.failure(error);
  }
}

function expectJson(api: LanggraphApi, reply: WholeReply): unknown {
  if (reply.status < 200 || reply.status > 299) throw httpFailure(api.name, reply);
  return parseJson(reply.body, api.name);
}

async function readFacts(api: LanggraphApi, signal: AbortSignal): Promise<Pick<ServerFacts, 'version' | 'serverInfo'>> {
  const reply = await api.reply('GET', '/info', undefined, signal);
  // Its meta routes can be switched off; the list of assistants decides then.
  if (reply.status === 404) return { version: undefined, serverInfo: undefined };
  if (reply.status !== 200) throw httpFailure(api.name, reply);
  const info = parseJson(reply.body, api.name);
  if (!isLanggraphInfo(info)) throw notLanggraph(api.name);
  const { version, langgraph_js_version, langgraph_py_version } = info;
  const serverInfo = { name: 'langgraph-api', version: String(version) };
  return {
    version: String(version),
    serverInfo: {
      ...serverInfo,
      ...(typeof langgraph_js_version === 'string' ? { langgraph_js_version } : {}),
      ...(typeof langgraph_py_version === 'string' ? { langgraph_py_version } : {}),
    },
  };
}

/** `version` and `flags` on all servers, with the library's own version on newer ones. */
function isLanggraphInfo(info: unknown): info is JsonObject {
  if (!isObject(info) || typeof info.version !== 'string') return false;
  if (typeof info.langgraph_js_version === 'string' || typeof info.langgraph_py_version === 'string') return true;
  return isObject(info.flags) && typeof info.flags.assistants === 'boolean';
}

export async function detect(url: URL, { headers, guard, signal, sending }: DetectContext): Promise<boolean> {
  const onRefused = (): void => {};
  const api = new LanggraphApi({
    name: url.host,
    url,
    credentials: fixedHeaders(headers),
    maxReplyBytes: MAX_PROBE_BYTES,
    guard,
    sending,
    onRefused,
  });
  try {
    const info = await api.reply('GET', '/info', undefined, signal);
    if (info.status === 200) return isLanggraphInfo(parseJson(info.body, ''));
    if (info.status !== 404) return false;
    // Without `/info`: `/ok` with the right shape, and the right error for a missing assistant.
    const ok = await api.reply('GET', '/ok', undefined, signal);
    if (ok.status !== 200) return false;
    const liveness = parseJson(ok.body, '');
    if (!isObject(liveness) || liveness.ok !== true) return false;
    const missing = await api.reply('GET', '/assistants/00000000-0000-5000-8000-000000000000', undefined, signal);
    return missing.status === 404 && /assistant\b.*not found/i.test(missing.body.toString('utf8'));
  } catch {
    return false;
  } finally {
    await api.close();
  }
}
