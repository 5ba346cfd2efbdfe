/**
 * The capabilities that views declare. A legacy client receives them once, in the response to `initialize`, so a server
 * that has not been connected yet counts as one that has every capability: nothing can be added later.
 * @module
 */
import type { Era } from '../../wire/eras.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { declaresTasksExtension, TASKS_EXTENSION, takesTaskCalls } from '../../wire/tasks.ts';
import type { Facts, ViewMember } from '../members/facts.ts';

/** Declared per era, not merged: the legacy form of tasks is the `tasks` capability. */
const OTHER_FORM: ReadonlySet<string> = new Set([TASKS_EXTENSION]);

const LISTS = ['tools', 'prompts', 'resources'] as const;

/** What any server offers, and `listChanged` for every list: the gateway compares lists itself. */
export function mergedCapabilities(members: readonly ViewMember[], era: Era): JsonObject {
  const servers = members.filter(({ builtin, state }) => !builtin && state !== 'stopped');
  const facts = servers.flatMap((server) => server.facts ?? []);
  const known = facts.map(({ capabilities }) => capabilities);
  const someUnknown = servers.some(({ facts, adapter }) => !facts && (adapter?.listsWhatItDeclares ?? true));
  const any = (can: (capabilities: JsonObject) => boolean): boolean => someUnknown || known.some(can);

  // Calls of agents may become tasks of the gateway's own.
  const hasAgents = servers.some(({ adapter }) => adapter?.agents !== undefined);
  const merged: JsonObject = {
    tools: { listChanged: true },
    prompts: { listChanged: true },
    resources: { listChanged: true, subscribe: any(({ resources }) => isObject(resources) && !!resources.subscribe) },
  };
  if (any(({ completions }) => completions !== undefined)) merged.completions = {};
  // Legacy clients set one level for the session, which the gateway keeps and applies server by server.
  if (era === 'legacy' || any(({ logging }) => logging !== undefined)) merged.logging = {};
  if (era === 'legacy') {
    const tasks = hasAgents ? OWN_TASKS : legacyTasks(facts, someUnknown);
    if (tasks) merged.tasks = tasks;
  }
  const extensions: JsonObject = union(known, 'extensions', OTHER_FORM) ?? {};
  if (era === 'modern' && (hasAgents || facts.some(hasTasks))) extensions[TASKS_EXTENSION] = {};
  if (Object.keys(extensions).length > 0) merged.extensions = extensions;
  const experimental = union(known, 'experimental');
  if (experimental) merged.experimental = experimental;
  return merged;
}

const OWN_TASKS: JsonObject = { list: {}, cancel: {}, requests: { tools: { call: {} } } };

/** Whether a modern client can have tasks of this server: in the extension's form, or converted to it (`relay/tasks`). */
const hasTasks = ({ era, capabilities }: Facts): boolean =>
  era === 'modern' ? declaresTasksExtension(capabilities) : takesTaskCalls(capabilities);

/** The task operations that any legacy server supports. */
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

/** One server's own capabilities unchanged, and `listChanged` for the lists it has. `hasAgents`: its agents appear as tools. */
export function serverCapabilities(facts: Facts | undefined, era: Era, hasAgents = false): JsonObject {
  if (!facts) {
    return {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {},
    };
  }
  const capabilities: JsonObject = { ...(hasAgents ? ownOf(era) : {}), ...facts.capabilities };
  for (const list of LISTS) {
    const declared = capabilities[list];
    if (isObject(declared)) capabilities[list] = { ...declared, listChanged: true };
  }
  return facts.era === era ? capabilities : withTasksIn(era, facts, capabilities);
}

/** What the gateway adds for a server of agents: they are tools, whose calls may become tasks. */
const ownOf = (era: Era): JsonObject =>
  era === 'legacy' ? { tools: {}, tasks: OWN_TASKS } : { tools: {}, extensions: { [TASKS_EXTENSION]: {} } };

/** The capabilities with the task capability as the other era declares it. */
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

/** Bounds for one server in the merged view: declarations, and characters of one. Every client receives all of them. */
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
