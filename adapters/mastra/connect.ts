/**
 * Connects one Mastra server, and detects one by its agents' routes.
 * @module
 */

import type { ConnectContext, DetectContext } from '../../src/core/adapter.ts';
import { fixedHeaders } from '../../src/core/credentials.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import { isObject } from '../../src/wire/jsonrpc.ts';
import { apiBases, MastraApi } from './api.ts';
import { looksLikeAgents } from './catalog.ts';
import { parseBody } from './errors.ts';
import { fetchAgents, MastraUpstream } from './upstream.ts';

/** Most bytes of a reply that detection reads. */
const DETECT_BYTES = 4 * 1024 * 1024;

export async function connect(context: ConnectContext, pollMs: number): Promise<Upstream> {
  const { name, target, maxReplyBytes, guard, credentials, signal, sending } = context;
  if (target.transport === 'stdio') {
    throw new SwitchboardError('SWB_CONFIG', `Server '${name}' is a Mastra server: it needs a url, not a command.`);
  }
  const open = async (base: string): Promise<Upstream> => {
    const api = new MastraApi({ name, url: target.url, base, credentials, maxReplyBytes, guard, sending });
    try {
      const [agents, version] = await Promise.all([fetchAgents(api, signal), coreVersion(api, signal)]);
      return new MastraUpstream(api, context, agents, version, pollMs);
    } catch (error) {
      await api.close();
      throw error;
    }
  };
  const [first, second] = apiBases(new URL(target.url));
  try {
    return await open(first);
  } catch (error) {
    if (!mayBeElsewhere(error)) throw error;
    // What the likelier place answered is what there is to say when the other one is not it either.
    return await open(second).catch(() => {
      throw error;
    });
  }
}

/** The server responded, but not as Mastra's API does: that may be at its other place. */
const mayBeElsewhere = (error: unknown): boolean =>
  error instanceof SwitchboardError && error.code !== 'SWB_UPSTREAM_UNAVAILABLE' && error.code !== 'SWB_URL_REFUSED';

/** The version of `@mastra/core`. Known to servers built by Mastra's command line only; older ones have no such route. */
async function coreVersion(api: MastraApi, signal: AbortSignal): Promise<string | undefined> {
  try {
    const reply = await api.get(['system', 'packages'], signal);
    const body = reply.status === 200 ? parseBody(reply.body) : undefined;
    const packages = isObject(body) && Array.isArray(body.packages) ? body.packages : [];
    const core: unknown = packages.find((entry: unknown) => isObject(entry) && entry.name === '@mastra/core');
    return isObject(core) && typeof core.version === 'string' ? core.version : undefined;
  } catch {
    // The request for the agents fails for the same reason, and its error is reported.
    return undefined;
  }
}

export async function detect(url: URL, context: DetectContext): Promise<boolean> {
  for (const base of apiBases(url)) if (await detectAt(base, url, context)) return true;
  return false;
}

async function detectAt(base: string, url: URL, { headers, guard, signal, sending }: DetectContext): Promise<boolean> {
  const api = new MastraApi({
    name: 'detect',
    url: url.href,
    base,
    credentials: fixedHeaders(headers),
    maxReplyBytes: DETECT_BYTES,
    guard,
    sending,
  });
  try {
    const reply = await api.get(['agents'], signal, 'partial=true');
    const body = parseBody(reply.body);
    if (reply.status === 200 && looksLikeAgents(body)) {
      return Object.keys(body).length > 0 || (await hasMember(api, ['system', 'packages'], 'packages', signal));
    }
    // A server that wants credentials: whether it has any to ask for is public, on a route only Mastra has.
    const refuses = (reply.status === 401 || reply.status === 403) && isObject(body) && typeof body.error === 'string';
    return refuses && (await hasMember(api, ['auth', 'capabilities'], 'enabled', signal));
  } catch {
    return false;
  } finally {
    await api.close();
  }
}

/** Whether a route responds with a JSON object that has this member. */
async function hasMember(api: MastraApi, path: string[], member: string, signal: AbortSignal): Promise<boolean> {
  const reply = await api.get(path, signal);
  const body = reply.status === 200 ? parseBody(reply.body) : undefined;
  return isObject(body) && member in body;
}
