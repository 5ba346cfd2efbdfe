/**
 * Connects a server with the Responses API, and detects one.
 * @module
 */
import type { ConnectContext, DetectContext } from '../../src/core/adapter.ts';
import { fixedHeaders } from '../../src/core/credentials.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import { isObject } from '../../src/wire/jsonrpc.ts';
import { configuredAgents } from './agents.ts';
import { ResponsesApi } from './api.ts';
import { httpFailure, jsonOf, notResponses } from './failure.ts';
import { ResponsesUpstream } from './upstream.ts';

const MAX_PROBE_BYTES = 1024 * 1024;
/** No response has this id: a server that knows responses says so in its own form. */
const NO_RESPONSE = '/responses/resp_0';

export async function connect(context: ConnectContext): Promise<Upstream> {
  const { name, target, maxReplyBytes, guard, credentials, signal, options } = context;
  if (target.transport !== 'http' && target.transport !== 'auto') {
    throw new SwitchboardError('SWB_CONFIG', `Server '${name}': kind 'responses' needs a URL.`);
  }
  const api = new ResponsesApi({ name, url: new URL(target.url), credentials, maxReplyBytes, guard });
  try {
    signal.throwIfAborted();
    await requireApi(api, signal);
    const upstream = new ResponsesUpstream(context, api, configuredAgents(options.models));
    await upstream.catalog('agents', signal);
    return upstream;
  } catch (error) {
    await api.close();
    throw error;
  }
}

/** Rejects unless the server has responses. */
async function requireApi(api: ResponsesApi, signal: AbortSignal): Promise<void> {
  const reply = await api.get(NO_RESPONSE, signal);
  if (reply.status === 401 || reply.status === 403 || reply.status >= 500) throw httpFailure(api.name, reply);
  if (!knowsResponses(reply.status, jsonOf(reply.body))) throw notResponses(api.name);
}

/** An unknown response is an error in JSON; a server without the route answers in its framework's text, or with a route's name. */
const knowsResponses = (status: number, body: unknown): boolean =>
  (status === 404 || status === 400 || status === 405) && isObject(body) && 'error' in body;

export async function detect(url: URL, { headers, guard, signal }: DetectContext): Promise<boolean> {
  const credentials = fixedHeaders(headers);
  const api = new ResponsesApi({ name: url.host, url, credentials, maxReplyBytes: MAX_PROBE_BYTES, guard });
  try {
    const { status, body } = await api.get(NO_RESPONSE, signal);
    if (!knowsResponses(status, jsonOf(body))) return false;
    // It is the response that is missing, and not the route.
    const text = body.toString('utf8');
    return /\bresponse\b[^/]*\bnot found\b/i.test(text) && !text.includes('/responses/');
  } catch {
    return false;
  } finally {
    await api.close();
  }
}
