/**
 * The capabilities views declare. A legacy session hears them once, when it opens, so a server that has not been
 * connected yet counts as one that can: what cannot be taken back later must not be left out now.
 * @module
 */
import type { Era } from '../../wire/eras.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { declaresTasksExtension, TASKS_EXTENSION, takesTaskCalls } from '../../wire/tasks.ts';
import type { Facts, ViewMember } from '../members/facts.ts';

/** Tasks have a form of their own in each era. */
const OTHER_FORM: ReadonlySet<string> = new Set([TASKS_EXTENSION]);

const LISTS = ['tools', 'prompts', 'resources'] as const;

/** What any server offers, and what the gateway does for all of them: it tells of every list when it changes. */
export function mergedCapabilities(members: readonly ViewMember[], era: Era): JsonObject {
  const servers = members.filter(({ builtin, state }) => !builtin && state !== 'stopped');
  const facts = servers.flatMap((server) => server.facts ?? []);
  const known = facts.map(({ capabilities }) => capabilities);
  const someUnknown = servers.some(({ facts, adapter }) => !facts && (adapter?.listsWhatItDeclares ?? true));
  const any = (can: (capabilities: JsonObject) => boolean): boolean => someUnknown || known.some(can);

  const merged: JsonObject = {
    tools: { listChanged: true },
    prompts: { listChanged: true },
    resources: { listChanged: true, subscribe: any(({ resources }) => isObject(resources) && !!resources.subscribe) },
  };
  if (any(({ completions }) => completions !== undefined)) merged.completions = {};
  // Legacy clients set one level for the session, which the gateway keeps and applies server by server.
  if (era === 'legacy' || any(({ logging }) => logging !== undefined)) merged.logging = {};
  if (era === 'legacy') {
    const tasks = legacyTasks(facts, someUnknown);
    if (tasks) merged.tasks = tasks;
  }
  const extensions: JsonObject = union(known, 'extensions', OTHER_FORM) ?? {};
  if (era === 'modern' && facts.some(hasTasks)) extensions[TASKS_EXTENSION] = {};
  if (Object.keys(extensions).length > 0) merged.extensions = extensions;
  const experimental = union(known, 'experimental');
  if (experimental) merged.experimental = experimental;
  return merged;
}

/** Whether a modern client can have tasks of this server: in its own form, or put into it (`relay/tasks`). */
const hasTasks = ({ era, capabilities }: Facts): boolean =>
  era === 'modern' ? declaresTasksExtension(capabilities) : takesTaskCalls(capabilities);

/** What some legacy server can do with tasks. The gateway lists and cancels for all that can. */
function legacyTasks(facts: readonly Facts[], someUnknown: boolean): JsonObject | undefined {
  const declared = facts.flatMap(({ era, capabilities: { tasks } }) =>
    era === 'legacy' && isObject(tasks) ? [tasks] : [],
  );
  if (declared.length === 0 && !someUnknown) return undefined;
  const some = (operation: string): boolean => someUnknown || declared.some((tasks) => tasks[operation] !== undefined);
  const merged: JsonObject = {};
  if (some('list')) merged.list = {};
  if (some('cancel')) merged.cancel = {};
  if (some('requests')) merged.requests = { tools: { call: {} } };
  return merged;
}

/** One server's own capabilities, whatever they hold; changes of its lists are told even where it cannot tell. */
export function serverCapabilities(facts: Facts | undefined, era: Era): JsonObject {
  if (!facts) {
    return {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {},
    };
  }
  const capabilities: JsonObject = { ...facts.capabilities };
  for (const list of LISTS) {
    const declared = capabilities[list];
    if (isObject(declared)) capabilities[list] = { ...declared, listChanged: true };
  }
  return facts.era === era ? capabilities : withTasksIn(era, facts, capabilities);
}

/** A server's tasks as the other era declares them. */
function withTasksIn(era: Era, facts: Facts, { tasks, ...capabilities }: JsonObject): JsonObject {
  if (era === 'modern') {
    if (!hasTasks(facts)) return capabilities;
    const extensions = isObject(capabilities.extensions) ? capabilities.extensions : {};
    return { ...capabilities, extensions: { ...extensions, [TASKS_EXTENSION]: {} } };
  }
  const { extensions, ...rest } = capabilities;
  if (!isObject(extensions)) return capabilities;
  const { [TASKS_EXTENSION]: _, ...others } = extensions;
  return Object.keys(others).length > 0 ? { ...rest, extensions: others } : rest;
}

/** Of one server in the merged view: how many it may declare, and the characters of one. Every client hears them all. */
const MOST_DECLARED = 32;
const MAX_SETTINGS = 4_096;

/**
 * Members of the same-named objects of all servers. The first server's settings stand where they differ. What is beyond
 * the bounds is left out here; a server's own view has it.
 */
function union(
  known: readonly JsonObject[],
  member: 'extensions' | 'experimental',
  without?: ReadonlySet<string>,
): JsonObject | undefined {
  const found = new Map<string, unknown>();
  for (const { [member]: declared } of known) {
    if (!isObject(declared)) continue;
    for (const key of Object.keys(declared).slice(0, MOST_DECLARED)) {
      const settings = declared[key];
      if (found.has(key) || without?.has(key)) continue;
      if (key.length + JSON.stringify(settings).length <= MAX_SETTINGS) found.set(key, settings);
    }
  }
  return found.size > 0 ? Object.fromEntries(found) : undefined;
}
