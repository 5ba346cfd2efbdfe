/**
 * The methods of MCP by name: which era has which, and what answers it. A method of the other era is unknown, as in a
 * server of one era; a method of no era is an extension's.
 * @module
 */
import type { CatalogKind } from '../../core/upstream.ts';
import type { Federation } from '../../federation/types.ts';
import type { Era } from '../../wire/eras.ts';
import type { PathOf } from '../agents/path.ts';
import type { Dispatcher } from '../dispatch.ts';
import type { Gate } from '../gate/gate.ts';
import { type Method, optionalString } from '../request-context.ts';
import type { Runs } from '../runs/runs.ts';
import type { ClientSessions } from '../sessions.ts';
import { taskMethods } from '../tasks/methods.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { type Names, requireList } from '../unknown-names.ts';
import { callMethods } from './calls.ts';
import { discover, initialize, ping, setLevel } from './lifecycle.ts';
import { passThrough } from './pass-through.ts';
import { subscriptionMethods } from './subscriptions.ts';

const ERAS = {
  initialize: 'legacy',
  'server/discover': 'modern',
  ping: 'legacy',
  'logging/setLevel': 'legacy',
  'tools/list': 'both',
  'tools/call': 'both',
  'prompts/list': 'both',
  'prompts/get': 'both',
  'resources/list': 'both',
  'resources/templates/list': 'both',
  'resources/read': 'both',
  'resources/subscribe': 'legacy',
  'resources/unsubscribe': 'legacy',
  'subscriptions/listen': 'modern',
  'completion/complete': 'both',
  'tasks/get': 'both',
  'tasks/cancel': 'both',
  'tasks/list': 'legacy',
  'tasks/result': 'legacy',
  'tasks/update': 'modern',
} as const satisfies Record<string, Era | 'both'>;

type MethodName = keyof typeof ERAS;

/** Whether MCP defines a request of this name, in either era. Others are extensions. */
export const isDefined = (name: string): name is MethodName => Object.hasOwn(ERAS, name);

export interface MethodDependencies {
  federation: Federation;
  dispatcher: Dispatcher;
  sessions: ClientSessions;
  names: Names;
  tasks: Tasks;
  runs: Runs;
  pathOf: PathOf;
  gate: Gate | undefined;
  /** How the gateway names itself towards servers. */
  instance: string | undefined;
  /** Called when the gateway shuts down. Returns a way to stop listening. */
  onClosing(listener: () => void): () => void;
}

/** The method; undefined where the caller's era has none of that name. */
export type MethodTable = (name: string, era: Era) => Method | undefined;

/** A page of a list, serialised beforehand. */
const listOf =
  (federation: Federation) =>
  (kind: Exclude<CatalogKind, 'agents'>): Method =>
  (context) => {
    const { view, caller, params } = context;
    requireList(context, federation.members(), kind);
    return { raw: view.page(kind, caller.era, optionalString(params, 'cursor')).result };
  };

export function createMethods(dependencies: MethodDependencies): MethodTable {
  const { federation, dispatcher, instance } = dependencies;
  const list = listOf(federation);
  const calls = callMethods(dependencies);
  const subscriptions = subscriptionMethods(dependencies);
  const tasks = taskMethods(dependencies);
  const methods: Record<MethodName, Method> = {
    initialize: initialize(instance),
    'server/discover': discover(instance),
    ping,
    'logging/setLevel': setLevel,
    'tools/list': list('tools'),
    'tools/call': calls.callTool,
    'prompts/list': list('prompts'),
    'prompts/get': calls.getPrompt,
    'resources/list': list('resources'),
    'resources/templates/list': list('templates'),
    'resources/read': calls.readResource,
    'resources/subscribe': subscriptions.subscribe,
    'resources/unsubscribe': subscriptions.unsubscribe,
    'subscriptions/listen': subscriptions.listen,
    'completion/complete': calls.complete,
    'tasks/get': tasks.get,
    'tasks/cancel': tasks.cancel,
    'tasks/list': tasks.list,
    'tasks/result': tasks.result,
    'tasks/update': tasks.update,
  };
  const extension = passThrough(federation, dispatcher);
  return (name, era) => {
    if (!isDefined(name)) return extension;
    return ERAS[name] === 'both' || ERAS[name] === era ? methods[name] : undefined;
  };
}
