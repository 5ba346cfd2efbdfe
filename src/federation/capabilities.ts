/**
 * The capabilities views declare. A legacy session hears them once, when it opens, so a server that has not been
 * connected yet counts as one that can: what cannot be taken back later must not be left out now.
 * @module
 */
import type { Era } from '../wire/eras.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import type { ViewMember } from './facts.ts';

/**
 * Extensions with methods of their own that name no tool or resource, so that in a merged view nothing says whose they
 * are. A single server's view declares them.
 */
const UNROUTABLE_EXTENSIONS: ReadonlySet<string> = new Set(['io.modelcontextprotocol/tasks']);

const LISTS = ['tools', 'prompts', 'resources'] as const;

/** What any server offers, and what the gateway does for all of them: it tells of every list when it changes. */
export function mergedCapabilities(members: readonly ViewMember[], era: Era): JsonObject {
  const servers = members.filter(({ builtin, state }) => !builtin && state !== 'stopped');
  const known = servers.flatMap(({ facts }) => (facts ? [facts.capabilities] : []));
  const someUnknown = servers.some(
    ({ facts, config }) => !facts && (config.kind === undefined || config.kind === 'mcp'),
  );
  const any = (can: (capabilities: JsonObject) => boolean): boolean => someUnknown || known.some(can);

  const merged: JsonObject = {
    tools: { listChanged: true },
    prompts: { listChanged: true },
    resources: { listChanged: true, subscribe: any(({ resources }) => isObject(resources) && !!resources.subscribe) },
  };
  if (any(({ completions }) => completions !== undefined)) merged.completions = {};
  // Legacy clients set one level for the session, which the gateway keeps and applies server by server.
  if (era === 'legacy' || any(({ logging }) => logging !== undefined)) merged.logging = {};
  const extensions = union(known, 'extensions', UNROUTABLE_EXTENSIONS);
  if (extensions) merged.extensions = extensions;
  const experimental = union(known, 'experimental');
  if (experimental) merged.experimental = experimental;
  return merged;
}

/** One server's own capabilities, whatever they hold; changes of its lists are told even where it cannot tell. */
export function serverCapabilities(own: JsonObject | undefined): JsonObject {
  if (!own) {
    return {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {},
    };
  }
  const capabilities: JsonObject = { ...own };
  for (const list of LISTS) {
    const declared = own[list];
    if (isObject(declared)) capabilities[list] = { ...declared, listChanged: true };
  }
  return capabilities;
}

/** Members of the same-named objects of all servers. The first server's settings stand where they differ. */
function union(
  known: readonly JsonObject[],
  member: 'extensions' | 'experimental',
  without?: ReadonlySet<string>,
): JsonObject | undefined {
  const found = new Map<string, unknown>();
  for (const { [member]: declared } of known) {
    if (!isObject(declared)) continue;
    for (const [key, settings] of Object.entries(declared)) {
      if (!found.has(key) && !without?.has(key)) found.set(key, settings);
    }
  }
  return found.size > 0 ? Object.fromEntries(found) : undefined;
}
