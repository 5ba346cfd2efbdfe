/**
 * What happens in the gateway, as one typed stream on `node:diagnostics_channel`: channels `switchboard:request`,
 * `switchboard:finished`, … A site looks at `hasSubscribers` before it builds anything, so that a channel without
 * subscribers costs one property read.
 *
 * Durations are milliseconds with fractions. Events are published in the turn in which they happen, to all subscribers of
 * the process; `instance` tells gateways apart. No event but `concluded` holds values of arguments, and none of results.
 * @module
 */
import diagnostics from 'node:diagnostics_channel';
import type { Caller } from '../core/caller.ts';
import type { CatalogKind } from '../core/upstream.ts';
import type { Era } from '../wire/eras.ts';
import type { JsonObject, RequestId } from '../wire/jsonrpc.ts';
import type { AuditOutcome, AuditVerdict } from './audit/record.ts';

export interface OfGateway {
  /** Which gateway of the process: `gateway.instance`. */
  readonly instance: string;
}

export interface OfCall extends OfGateway {
  /** The same in all events of one request, and in no others of the process; undefined outside requests. */
  readonly call: number | undefined;
}

/** A client's request has been read. */
export interface RequestEvent extends OfCall {
  readonly method: string;
  /** The client's own id of the request. */
  readonly requestId: RequestId;
  readonly principal: string;
  readonly grant: string | undefined;
  readonly era: Era;
  /** The server whose own endpoint the client uses; undefined for the merged one. */
  readonly endpoint: string | undefined;
}

export interface OfSubject {
  readonly principal: string;
  readonly grant: string | undefined;
  readonly server: string;
  /** Section of a policy document: `tools`, `prompts`, `resources`, `agents`, `methods`. */
  readonly section: string;
  /** The server's own name for it. */
  readonly name: string;
  readonly method: string;
  /** Id of the document that decided, or `hooks`; undefined for a plain allow. */
  readonly policy: string | undefined;
  /** Pointer of the rule that decided. */
  readonly rule: string | undefined;
}

/** Policy has decided about a request. `approve`: a person has to be asked first. Only where there is a policy to ask. */
export interface DecisionEvent extends OfCall, OfSubject {
  readonly effect: 'allow' | 'deny' | 'approve';
}

/** A request found no free place at its server and waits for one. */
export interface QueuedEvent extends OfCall {
  readonly server: string;
  /** How many requests wait there now. */
  readonly waiting: number;
}

/** A request is handed to the connection of its server. Requests that are sent several times leave several times. */
export interface LeftEvent extends OfCall {
  readonly server: string;
  /** As it is sent: `tools/call`, `agents/call`, … */
  readonly method: string;
  readonly queueMs: number;
}

/** A request that was handed to a server's connection has its reply, or will have none. Builtin tools are no server's. */
export interface ReturnedEvent extends OfCall {
  readonly server: string;
  /** As it was sent. */
  readonly method: string;
  /** The server's own name of the tool, prompt or agent. */
  readonly name: string | undefined;
  /** `stdio`, `streamable-http`, … */
  readonly transport: string | undefined;
  readonly protocolVersion: string | undefined;
  readonly durationMs: number;
  /** The result of a tool says that it failed. */
  readonly toolError: boolean;
  readonly error: unknown;
}

/** A client's request has its response. */
export interface FinishedEvent extends OfCall {
  readonly principal: string;
  readonly caller: Caller;
  readonly method: string;
  /** The server it was last sent to; undefined when it was sent to none. */
  readonly server: string | undefined;
  /** The server that what it names belongs to; undefined when it names nothing that there is. */
  readonly about: string | undefined;
  /** What the client calls the tool or prompt, where there is one of that name. */
  readonly name: string | undefined;
  /** The result of a tool says that it failed. */
  readonly toolError: boolean;
  readonly durationMs: number;
  /** Time in queues, part of `durationMs`. */
  readonly queueMs: number;
  /** Undefined: there was a result, which for a tool may be an error of its own. */
  readonly error: unknown;
}

/**
 * A decision has come to its end: the request it was about was answered, refused or given up. The audit is written from
 * these. They are made for every use policy can decide about, those that no rule binds too.
 */
export interface ConcludedEvent extends OfCall, OfSubject {
  readonly requestId: RequestId | undefined;
  readonly caller: Caller;
  /** As clients of the merged endpoint know it. */
  readonly namespaced: string;
  /** As the client sent them. */
  readonly arguments: JsonObject | undefined;
  readonly verdict: AuditVerdict;
  readonly outcome: AuditOutcome;
  /** An `SWB_…` name, or the number of an upstream's JSON-RPC error. */
  readonly errorCode: string | number | undefined;
  readonly durationMs: number;
  readonly queueMs: number;
  /** Rules in shadow mode that would have denied: `<policy>#<rule>`. */
  readonly shadow: readonly string[] | undefined;
}

/** The state of a server has changed. */
export interface UpstreamEvent extends OfGateway {
  readonly server: string;
  readonly kind: string | undefined;
  readonly state: string;
  readonly transport: string | undefined;
  readonly era: Era | undefined;
  /** Why it is not ready, in a sentence that names no address. */
  readonly error: string | undefined;
  readonly connected: boolean;
  /** Whether what it last listed is kept while it is away. */
  readonly keepsLists: boolean;
  /** When it is connected again, in milliseconds; undefined where that is not planned. */
  readonly retryMs: number | undefined;
}

/** A legacy client's session has begun or ended. Modern clients have none. */
export interface SessionEvent extends OfGateway {
  readonly state: 'opened' | 'closed';
  /** The same for both events of a session. It is not the session's id, which is a credential. */
  readonly session: number;
  readonly principal: string;
  readonly grant: string | undefined;
  readonly protocolVersion: string;
  readonly client: string | undefined;
}

/** A server asks for input in the middle of a call. */
export interface AskEvent extends OfCall {
  readonly server: string | undefined;
  readonly method: string;
}

/** An approval was asked for, given, denied, used, or has expired. */
export interface ApprovalEvent extends OfGateway {
  readonly approval: string;
  readonly state: string;
  readonly principal: string;
  readonly server: string;
  readonly section: string;
  readonly name: string;
  readonly policy: string;
  readonly rule: string;
  /** Who decided. */
  readonly by: string | undefined;
}

/** An operator has changed something through the administration, has logged in or out, or was refused that. */
export interface OperatorEvent extends OfGateway {
  /** `admin` for a holder of the admin token, or issuer and subject of a person. */
  readonly principal: string;
  /** What the identity provider calls the person. */
  readonly person: string | undefined;
  /** `login`, `logout`, or the address below `/admin`: `approvals/:id/approve`, `grants/revoke`. */
  readonly action: string;
  /** What it was about: an id, or names. */
  readonly target: string | undefined;
  readonly outcome: 'ok' | 'denied' | 'error';
  /** An `SWB_…` name. */
  readonly errorCode: string | undefined;
}

/** A webhook was told how its task stands, or could not be told, once no further attempt is made. */
export interface WebhookEvent extends OfGateway {
  readonly principal: string;
  readonly grant: string | undefined;
  readonly task: string;
  /** Of the task: `working`, `input_required`, `completed`, … */
  readonly state: string;
  /** One that the operator listed. The rest of the address may be a secret. */
  readonly origin: string;
  /** Undefined: it took it. Otherwise `refused` (by the gateway), `redirect`, `status`, `timeout` or `network`. */
  readonly failure: string | undefined;
  /** Of its last answer. */
  readonly status: number | undefined;
  readonly attempts: number;
  readonly durationMs: number;
}

/** A list of a server has really changed. */
export interface ListEvent extends OfGateway {
  readonly server: string;
  readonly list: CatalogKind;
}

export interface EventMap {
  request: RequestEvent;
  decision: DecisionEvent;
  queued: QueuedEvent;
  left: LeftEvent;
  returned: ReturnedEvent;
  finished: FinishedEvent;
  concluded: ConcludedEvent;
  upstream: UpstreamEvent;
  session: SessionEvent;
  ask: AskEvent;
  approval: ApprovalEvent;
  operator: OperatorEvent;
  webhook: WebhookEvent;
  list: ListEvent;
}

export type EventName = keyof EventMap;

/** A channel of `node:diagnostics_channel` with the type of its messages. */
export interface EventChannel<T> {
  readonly hasSubscribers: boolean;
  publish(event: T): void;
}

const open = <N extends EventName>(name: N): EventChannel<EventMap[N]> => diagnostics.channel(`switchboard:${name}`);

export const CHANNELS: Readonly<{ [N in EventName]: EventChannel<EventMap[N]> }> = {
  request: open('request'),
  decision: open('decision'),
  queued: open('queued'),
  left: open('left'),
  returned: open('returned'),
  finished: open('finished'),
  concluded: open('concluded'),
  upstream: open('upstream'),
  session: open('session'),
  ask: open('ask'),
  approval: open('approval'),
  operator: open('operator'),
  webhook: open('webhook'),
  list: open('list'),
};

/**
 * Calls `listener` with each event of this name, of one gateway or of all in the process. Returns a function that ends it.
 * A listener must not throw: Node makes an uncaught exception of it.
 */
export function subscribe<N extends EventName>(
  name: N,
  listener: (event: EventMap[N]) => void,
  instance?: string,
): () => void {
  const receive = (message: unknown): void => {
    const event = message as EventMap[N];
    if (instance === undefined || event.instance === instance) listener(event);
  };
  diagnostics.subscribe(`switchboard:${name}`, receive);
  return () => void diagnostics.unsubscribe(`switchboard:${name}`, receive);
}
