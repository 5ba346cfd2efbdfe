/**
 * `callAgent` with `lend`: a key for the one call, with which the agent may use some of its caller's tools. It is made after policy
 * has decided about the call, and ends with it.
 * @module
 */
import { isIP } from 'node:net';
import type { LentKeys } from '../../auth/lent-keys.ts';
import type { Call, LentAccess } from '../../core/call.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { isGlob } from '../../core/globs.ts';
import type { Mask } from '../../core/mask.ts';
import { line } from '../../core/text.ts';
import type { Member, View } from '../../federation/types.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { agentId, type CalledAgent } from './outcome.ts';
import { PATH_CLAIM } from './path.ts';

export interface Lending {
  keys: Pick<LentKeys, 'lend' | 'end'>;
  /** `gateway.publicUrl`. */
  publicUrl: string | undefined;
  /** Where the gateway listens; undefined while it does not. */
  listening(): { host: string; port: number; path: string } | undefined;
  /** Longest time of a key, in milliseconds. */
  maxMs: number;
}

/** A key that was lent for a call. */
export interface LentForCall extends LentAccess {
  id: string;
}

/** Where the call says nothing of its time. */
export const LENT_MS = 60 * 60_000;
export const MAX_LENT_TOOLS = 100;

/**
 * Makes the key that `lend` of the params asks for. Rejects with `SWB_NOT_SUPPORTED` where the agent's server has no place for one or
 * could not reach the gateway, and with `SWB_INVALID_PARAMS` for tools that the caller does not have. `view` is the merged one as the
 * caller may know it; `path` has the agent at its end.
 */
export async function lend(
  lending: Lending,
  wanted: unknown,
  { call, agent, path, view }: { call: Call; agent: CalledAgent; path: readonly string[]; view: View },
): Promise<LentForCall> {
  const { tools, ttlMs } = read(wanted, lending.maxMs);
  const { member } = agent;
  if (member.takesKeys?.() !== true) {
    throw new SwitchboardError(
      'SWB_NOT_SUPPORTED',
      `The server '${member.name}' has no place for a key, so nothing can be lent to its agents. Nothing was called.`,
    );
  }
  const url = addressFor(lending, member);
  requireTools(tools, view);
  const { id, key, expiresAt } = await lending.keys.lend({
    lender: call.caller.identity,
    inProcess: call.caller.inProcess === true,
    to: agentId(agent),
    tools,
    ttlMs,
    claims: { [PATH_CLAIM]: [...path] },
  });
  return { id, url, key, expiresAt, tools };
}

function read(wanted: unknown, maxMs: number): { tools: string[]; ttlMs: number } {
  const { tools, ttl = LENT_MS } = isObject(wanted) ? wanted : {};
  const isList = Array.isArray(tools) && tools.length > 0 && tools.length <= MAX_LENT_TOOLS;
  // Hooks may have written it.
  if (!isList || !tools.every((name) => typeof name === 'string' && name !== '' && name.length <= 256)) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `lend.tools must be a list of 1 to ${MAX_LENT_TOOLS} names or globs.`,
    );
  }
  if (typeof ttl !== 'number' || !(ttl >= 1_000)) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'lend.ttl must be milliseconds, 1000 at least.');
  }
  return { tools, ttlMs: Math.min(ttl, maxMs) };
}

/** A name that is none is a mistake; a glob may match later. */
function requireTools(tools: readonly string[], view: View): void {
  for (const name of tools) {
    if (isGlob(name) || view.resolve('tools', name)) continue;
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `lend.tools names '${line(name, 80)}', which is none of your tools.`,
    );
  }
}

/** The merged MCP endpoint, as the server of an agent reaches it. */
function addressFor({ publicUrl, listening }: Lending, member: Member): string {
  if (publicUrl !== undefined) return `${publicUrl}/mcp`;
  const here = listening();
  if (!here) {
    throw new SwitchboardError(
      'SWB_NOT_SUPPORTED',
      'This gateway does not listen, so an agent cannot come back to it. Start it with serve, or set gateway.publicUrl. Nothing was called.',
    );
  }
  const { target } = member.config;
  const isNear = 'url' in target && isLoopback(hostOf(target.url));
  if (!isNear && (isLoopback(here.host) || isAny(here.host))) {
    throw new SwitchboardError(
      'SWB_NOT_SUPPORTED',
      `The server '${member.name}' is on another machine and could not reach this gateway: set gateway.publicUrl. Nothing was called.`,
    );
  }
  const host = isAny(here.host) ? '127.0.0.1' : here.host;
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${here.port}${here.path}/mcp`;
}

const hostOf = (url: string): string => URL.parse(url)?.hostname.replace(/^\[|\]$/g, '') ?? '';
const isAny = (host: string): boolean => host === '0.0.0.0' || host === '::';
const isLoopback = (host: string): boolean => /^(?:localhost|127(?:\.\d+){3}|::1)$/.test(host);

/** Takes the key, too, out of what the server says. */
export const maskingKey =
  (mask: Mask, { key }: LentAccess): Mask =>
  (text) =>
    mask(text.replaceAll(key, LENT_MASK));

const LENT_MASK = '[lent key]';

/** Without the key: graphs return their state, and some keep there what they were given. */
export function withoutKey<T extends object>(said: T, { key }: LentAccess): T {
  const text = JSON.stringify(said);
  return text.includes(key) ? (JSON.parse(text.replaceAll(key, LENT_MASK)) as T) : said;
}
