/**
 * Compares asks with the capabilities a client declared. A client is never asked for what it did not declare (2025-11-25
 * client/elicitation, client/sampling, client/roots; 2026-07-28 basic/patterns/mrtr, server requirement 6).
 * @module
 */
import type { Ask } from '../../core/call.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

export function declares(capabilities: JsonObject, ask: Pick<Ask, 'method' | 'params'>): boolean {
  switch (ask.method) {
    case 'roots/list':
      return isObject(capabilities.roots);
    case 'sampling/createMessage': {
      if (!isObject(capabilities.sampling)) return false;
      const wantsTools = ask.params?.tools !== undefined || ask.params?.toolChoice !== undefined;
      return !wantsTools || isObject(capabilities.sampling.tools);
    }
    case 'elicitation/create': {
      const elicitation = capabilities.elicitation;
      if (!isObject(elicitation)) return false;
      if (ask.params?.mode === 'url') return isObject(elicitation.url);
      // An empty object means form mode: revisions before 2025-11-25 knew no other.
      return isObject(elicitation.form) || !isObject(elicitation.url);
    }
    case 'tasks/list':
      return isObject(capabilities.tasks) && isObject(capabilities.tasks.list);
    case 'tasks/cancel':
      return isObject(capabilities.tasks) && isObject(capabilities.tasks.cancel);
    case 'tasks/get':
    case 'tasks/result':
      return isObject(capabilities.tasks);
  }
}

/** The members of `tasks.requests` that stand for a method. */
const TASK_REQUEST: Readonly<Record<string, readonly [string, string]>> = {
  'sampling/createMessage': ['sampling', 'createMessage'],
  'elicitation/create': ['elicitation', 'create'],
};

/**
 * The ask without `task` for a client that makes no tasks of such asks. The server may serve others that do in the same
 * session.
 */
export function asDeclared(capabilities: JsonObject, ask: Ask): Ask {
  if (ask.params?.task === undefined) return ask;
  const [area, request] = TASK_REQUEST[ask.method] ?? ['', ''];
  const tasks = isObject(capabilities.tasks) ? capabilities.tasks : {};
  const declared = isObject(tasks.requests) ? tasks.requests[area] : undefined;
  if (isObject(declared) && declared[request] !== undefined) return ask;
  const { task: _, ...params } = ask.params;
  return { ...ask, params };
}

/** Whether a client can be asked for any input. */
export const declaresAny = (capabilities: JsonObject): boolean =>
  isObject(capabilities.elicitation) || isObject(capabilities.sampling) || isObject(capabilities.roots);

/** The capabilities an ask needs, as `data.requiredCapabilities` (-32021). */
export function requiredFor(ask: Pick<Ask, 'method' | 'params'>): JsonObject {
  switch (ask.method) {
    case 'roots/list':
      return { roots: {} };
    case 'sampling/createMessage':
      return { sampling: ask.params?.tools === undefined ? {} : { tools: {} } };
    case 'elicitation/create':
      return { elicitation: ask.params?.mode === 'url' ? { url: {} } : {} };
    case 'tasks/list':
      return { tasks: { list: {} } };
    case 'tasks/cancel':
      return { tasks: { cancel: {} } };
    case 'tasks/get':
    case 'tasks/result':
      return { tasks: {} };
  }
}
