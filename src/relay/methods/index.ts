/**
 * Which method means what, in which era. Methods of the other era are unknown, exactly as in a server of one era.
 * @module
 */
import type { Era } from '../../wire/eras.ts';
import type { Method } from '../request-context.ts';
import { listTasks } from '../tasks/listing.ts';
import { cancelTask, getTask, taskResult, updateTask } from '../tasks/methods.ts';
import { callTool, complete, getPrompt, readResource } from './calls.ts';
import { discover, initialize, ping, setLevel } from './lifecycle.ts';
import { listPrompts, listResources, listTemplates, listTools } from './lists.ts';
import { passThrough } from './pass-through.ts';
import { listen, subscribe, unsubscribe } from './subscriptions.ts';

const BOTH: Readonly<Record<string, Method>> = {
  'tools/list': listTools,
  'tools/call': callTool,
  'prompts/list': listPrompts,
  'prompts/get': getPrompt,
  'resources/list': listResources,
  'resources/templates/list': listTemplates,
  'resources/read': readResource,
  'completion/complete': complete,
  'tasks/get': getTask,
  'tasks/cancel': cancelTask,
};

const LEGACY_ONLY: Readonly<Record<string, Method>> = {
  initialize,
  ping,
  'logging/setLevel': setLevel,
  'resources/subscribe': subscribe,
  'resources/unsubscribe': unsubscribe,
  'tasks/list': listTasks,
  'tasks/result': taskResult,
};

const MODERN_ONLY: Readonly<Record<string, Method>> = {
  'server/discover': discover,
  'subscriptions/listen': listen,
  'tasks/update': updateTask,
};

const TABLES: Readonly<Record<Era, ReadonlyMap<string, Method>>> = {
  legacy: new Map(Object.entries({ ...BOTH, ...LEGACY_ONLY })),
  modern: new Map(Object.entries({ ...BOTH, ...MODERN_ONLY })),
};

const KNOWN: ReadonlySet<string> = new Set(Object.keys({ ...BOTH, ...LEGACY_ONLY, ...MODERN_ONLY }));

/** The method, or `undefined` where the caller's era has none of that name. */
export function methodFor(name: string, era: Era): Method | undefined {
  return TABLES[era].get(name) ?? (KNOWN.has(name) ? undefined : passThrough);
}
