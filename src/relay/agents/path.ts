/**
 * The way a request came through agents: each call of an agent adds a hop, and what that agent calls in turn carries the path in
 * `_meta`, or makes its calls with the key it was lent, which has the path. An agent that would call itself over others, and a
 * path that is too long, are refused with the path shown.
 *
 * A client that does not pass the path on begins a new one: this bounds mistakes, and `maxRuns`, queues and limits of policy bound
 * the rest.
 * @module
 */
import type { Call } from '../../core/call.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import type { Identity } from '../../core/identity.ts';
import { line } from '../../core/text.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { RelayCall } from '../call.ts';
import { agentId, type CalledAgent } from './outcome.ts';

/** `_meta` of requests: the hops, outermost first. */
export const PATH_META = 'switchboard/path';
/** In the claims of a lent key's identity. */
export const PATH_CLAIM = 'switchboard_path';

export interface PathLimits {
  /** Agents in a row. */
  maxDepth: number;
  /** How often one agent may be in a path. */
  maxVisits: number;
}

const PATH_LIMITS: PathLimits = { maxDepth: 8, maxVisits: 1 };

/** The path of a call that this agent is called in. Throws `SWB_AGENT_LOOP`. */
export type PathOf = (call: Call, agent: CalledAgent) => string[];

/** The paths of calls at one gateway. */
export function pathsAt(gateway: string, given: Partial<PathLimits>): PathOf {
  const limits = { ...PATH_LIMITS, ...given };
  return (call, agent) => {
    const meta = call instanceof RelayCall ? call.meta : undefined;
    return extendedPath(pathOf(meta, call.caller.identity), agent, gateway, limits);
  };
}

/** A longer path is no path of a gateway. */
const MAX_HOPS = 64;
const MAX_HOP = 200;
const NONE: readonly string[] = [];

/** The path a request carries, or the one of the key it was made with, where that is longer. */
export function pathOf(meta: unknown, { claims }: Identity): readonly string[] {
  const sent = isObject(meta) && meta[PATH_META] !== undefined ? hopsIn(meta[PATH_META]) : NONE;
  const held = claims[PATH_CLAIM] === undefined ? NONE : hopsIn(claims[PATH_CLAIM]);
  return held.length > sent.length ? held : sent;
}

function hopsIn(value: unknown): readonly string[] {
  const isPath =
    Array.isArray(value) &&
    value.length <= MAX_HOPS &&
    value.every((hop) => typeof hop === 'string' && hop.length <= MAX_HOP);
  if (isPath) return value as string[];
  throw new SwitchboardError(
    'SWB_INVALID_PARAMS',
    `_meta["${PATH_META}"] must be a list of at most ${MAX_HOPS} texts of at most ${MAX_HOP} characters.`,
  );
}

/** The path with this agent at its end. `gateway` tells agents of one name at several gateways apart. Throws `SWB_AGENT_LOOP`. */
export function extendedPath(
  path: readonly string[],
  agent: CalledAgent,
  gateway: string,
  { maxDepth, maxVisits }: PathLimits,
): string[] {
  const hop = line(`${agentId(agent)}@${markOf(gateway)}`, MAX_HOP);
  const visits = path.filter((each) => each === hop).length;
  const next = [...path, hop];
  const isLoop = visits >= maxVisits;
  if (!isLoop && next.length <= maxDepth) return next;
  const shown = next.map((each) => line(each.replace(/@[^@]*$/, ''), MAX_HOP)).join(' → ');
  const why = isLoop
    ? `The agent ${agentId(agent)} is called again by what it has called itself`
    : `More than ${maxDepth} agents call one another in a row`;
  throw new SwitchboardError('SWB_AGENT_LOOP', `${why}: ${shown}. Nothing was called.`, {
    data: { path: next, maxDepth, maxVisits },
  });
}

const marks = new Map<string, string>();

function markOf(gateway: string): string {
  let mark = marks.get(gateway);
  if (mark === undefined) {
    mark = sha256(gateway, 'hex').slice(0, 8);
    marks.set(gateway, mark);
  }
  return mark;
}
