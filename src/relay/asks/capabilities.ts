/**
 * Compares asks with the capabilities a client declared. A client is never asked for what it did not declare (2025-11-25
 * client/elicitation, client/sampling, client/roots; 2026-07-28 basic/patterns/mrtr, server requirement 6).
 * @module
 */
import type { Ask, AskMethod } from '../../core/call.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

type Requirement = Pick<Ask, 'method' | 'params'>;

interface Capability {
  isDeclared(capabilities: JsonObject, params: JsonObject): boolean;
  /** In the shape of `data.requiredCapabilities` (-32021). */
  required(params: JsonObject): JsonObject;
  /** What servers on the official SDK say to a client that did not declare it. */
  unsupported(params: JsonObject): string;
}

const wantsTools = ({ tools, toolChoice }: JsonObject): boolean => tools !== undefined || toolChoice !== undefined;

const tasks = (area?: 'list' | 'cancel'): Capability => ({
  isDeclared: (capabilities) =>
    isObject(capabilities.tasks) && (area === undefined || isObject(capabilities.tasks[area])),
  required: () => ({ tasks: area === undefined ? {} : { [area]: {} } }),
  unsupported: () => 'Tasks not supported',
});

const CAPABILITIES: Readonly<Record<AskMethod, Capability>> = {
  'roots/list': {
    isDeclared: ({ roots }) => isObject(roots),
    required: () => ({ roots: {} }),
    unsupported: () => 'Client does not support listing roots (required for roots/list)',
  },
  'sampling/createMessage': {
    isDeclared: ({ sampling }, params) => isObject(sampling) && (!wantsTools(params) || isObject(sampling.tools)),
    required: ({ tools }) => ({ sampling: tools === undefined ? {} : { tools: {} } }),
    unsupported: ({ tools }) =>
      tools === undefined
        ? 'Client does not support sampling (required for sampling/createMessage)'
        : 'Client does not support sampling tools capability.',
  },
  'elicitation/create': {
    isDeclared({ elicitation }, { mode }) {
      if (!isObject(elicitation)) return false;
      // An empty object means form mode: revisions before 2025-11-25 knew no other.
      return mode === 'url' ? isObject(elicitation.url) : isObject(elicitation.form) || !isObject(elicitation.url);
    },
    required: ({ mode }) => ({ elicitation: mode === 'url' ? { url: {} } : {} }),
    unsupported: ({ mode }) => `Client does not support ${mode === 'url' ? 'url' : 'form'} elicitation.`,
  },
  'tasks/list': tasks('list'),
  'tasks/cancel': tasks('cancel'),
  'tasks/get': tasks(),
  'tasks/result': tasks(),
};

export const declares = (capabilities: JsonObject, { method, params = {} }: Requirement): boolean =>
  CAPABILITIES[method].isDeclared(capabilities, params);

/** The capabilities an ask needs, as `data.requiredCapabilities` (-32021). */
export const requiredFor = ({ method, params = {} }: Requirement): JsonObject => CAPABILITIES[method].required(params);

/** That the client does not support an ask, in the words of the official SDK. */
export const unsupported = ({ method, params = {} }: Requirement): string => CAPABILITIES[method].unsupported(params);

/** Whether a client can be asked for any input. */
export const declaresAny = ({ elicitation, sampling, roots }: JsonObject): boolean =>
  isObject(elicitation) || isObject(sampling) || isObject(roots);

/**
 * The ask without `task` for a client that makes no tasks of such asks (`tasks.requests.<area>.<request>`). The server may
 * serve others that do in the same session.
 */
export function asDeclared(capabilities: JsonObject, ask: Ask): Ask {
  if (ask.params?.task === undefined) return ask;
  const [area = '', request = ''] = ask.method.split('/');
  const requests = isObject(capabilities.tasks) ? capabilities.tasks.requests : undefined;
  const declared = isObject(requests) ? requests[area] : undefined;
  if (isObject(declared) && declared[request] !== undefined) return ask;
  const { task: _, ...params } = ask.params;
  return { ...ask, params };
}
