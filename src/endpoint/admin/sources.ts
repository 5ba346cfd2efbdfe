/**
 * What the pages for operators show and do, beside the states of servers and approvals.
 * @module
 */
import type { Ask } from '../../core/call.ts';
import type { Identity } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import type { Federation } from '../../federation/types.ts';
import type { CallRecorder } from '../../observe/recorder.ts';
import type { ExplainRequest, Explanation } from '../../policy/explain/explanation.ts';
import type { PolicyConfig } from '../../policy/language/types.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Gate } from '../../relay/gate/gate.ts';
import type { Relay } from '../../relay/relay.ts';
import type { ReplicaId } from '../../state/replica.ts';
import type { JsonObject, Notification } from '../../wire/jsonrpc.ts';
import type { ReplicaActions } from './replica-actions.ts';
import type { SharedCalls } from './shared-calls.ts';

export interface PageSources {
  readonly instance: string;
  readonly federation: Federation;
  readonly relay: Pick<Relay, 'load'>;
  readonly policy: Policy;
  readonly gate: Gate;
  /** The calls of this replica. */
  readonly calls: CallRecorder;
  /** Those of all of them. */
  readonly shared: SharedCalls;
  /** What is done at this replica and is to hold in all of them. */
  readonly actions: ReplicaActions;
  /** Whose states and queues the pages show. */
  readonly replica: ReplicaId;
  /** How many there are, this one included. */
  replicas(): number;
  readonly log: Log;
  /** Whether clients of the endpoint need a key or a token. */
  needsKey(): boolean;
  /** Whether they can log in in place of sending a key. */
  readonly clientsLogIn: boolean;
  /** One request on the merged view: as `Gateway.call`. */
  call(method: string, params: JsonObject, options: OwnCall): Promise<JsonObject>;
  explain(request: ExplainRequest): Promise<Explanation>;
  /**
   * As {@link explain}, under another policy than the one in force. Its hooks and its lock are left out, and its limits begin with
   * nothing counted.
   */
  explainUnder(policy: PolicyConfig): Promise<{ explain: PageSources['explain']; close(): Promise<void> }>;
  /** Undefined: the gateway's configuration is in no file. */
  readonly configuration?: ConfigurationFile | undefined;
  /** Undefined: none is configured. */
  readonly lockFile: string | undefined;
}

export interface OwnCall {
  as: Identity;
  signal?: AbortSignal;
  onNotification?: (notification: Notification) => void;
  onAsk?: (ask: Ask) => Promise<JsonObject>;
  capabilities?: JsonObject;
}

/** One change of one member; `value` undefined takes it out. */
export interface ConfigurationChange {
  path: (string | number)[];
  value: unknown;
}

/** The file that the gateway was configured with. It watches the file: what is written takes effect by itself. */
export interface ConfigurationFile {
  /** Absolute. */
  readonly file: string;
  read(): Promise<string>;
  /** The text with the changes made; comments and layout stay. */
  edited(text: string, changes: readonly ConfigurationChange[]): string;
  /** The policy it holds. Rejects with `SWB_CONFIG`, a line per mistake, when it is no configuration. */
  check(text: string): Promise<PolicyConfig>;
  /** Writes `after` where the file still says `before`. Rejects with `SWB_CONFIG` where it does not. */
  replace(before: string, after: string): Promise<void>;
  /** Takes on what the file says now, where the gateway has not seen yet that it was edited. */
  reread?(): Promise<void>;
}
