/**
 * Push notifications of A2A: the webhooks that clients register for their tasks, as the SDK's request handler wants them, and those
 * who tell them.
 * @module
 */
import type { PushNotificationSender } from '@a2a-js/sdk/server';
import type { VaultKeys } from '../../../../auth/upstream/vault-keys.ts';
import type { NetworkGuard } from '../../../../core/adapter.ts';
import type { Identity } from '../../../../core/identity.ts';
import type { Log } from '../../../../core/log.ts';
import type { State } from '../../../../state/state.ts';
import { type AgentRuns, callerOf, keptFor } from '../../turn.ts';
import { FINAL, runOf } from '../events.ts';
import type { Sdk } from '../sdk.ts';
import type { KeptTasks } from '../tasks.ts';
import type { A2aUser } from '../user.ts';
import { Followers } from './followers.ts';
import { Places } from './places.ts';
import { SEND_TIMES, Sender, type SendTimes } from './send.ts';
import { WebhookStore } from './store.ts';

/** What the gateway gives. */
export interface WebhookParts {
  instance: string;
  state: Pick<State, 'kv' | 'bus' | 'replica'>;
  /** Origins that are sent to, as the configuration lists them. */
  origins: readonly string[];
  /** They encrypt addresses and credentials. */
  keys: VaultKeys;
  /** A guard for one request. */
  guard(): NetworkGuard;
  /** Whether what this identity has begun may go on. */
  mayStay(identity: Identity): boolean;
  times?: Partial<SendTimes>;
}

export interface WebhooksOptions extends WebhookParts {
  runs: AgentRuns;
  log: Log;
  tasks(): Promise<{ sdk: Sdk; tasks: KeptTasks }>;
}

/** Requests to webhooks at one time. */
const PLACES = { most: 64, ofPrincipal: 8 };

export class Webhooks {
  readonly store: WebhookStore;
  /** Sends nothing itself: a task may go on in another process than the one that the SDK tells of it. */
  readonly sender: PushNotificationSender;
  readonly #followers: Followers;

  constructor({ state, keys, guard, times, ...options }: WebhooksOptions) {
    const { runs, log, tasks } = options;
    const origins = new Set(options.origins);
    const store = new WebhookStore({
      ...{ kv: state.kv, keys, origins, replica: String(state.replica), keepMs: keptFor(runs), log },
      refuse: async (message) => {
        const { sdk } = await tasks();
        throw new sdk.RequestMalformedError(message);
      },
      admit: async (id, context) => {
        const { sdk, tasks: known } = await tasks();
        const task = await known.load(id, context);
        if (FINAL.has(task?.status?.state ?? 0))
          throw new sdk.UnsupportedOperationError(`Task ${id} is over: GetTask has what came of it.`);
        const { identity, sends } = context.user as unknown as A2aUser;
        const run = task && runOf(task);
        // A message with a webhook goes on with a run of its own grant, or begins one.
        if (sends || run === undefined || (await runs.find(run, callerOf(identity, 'a2a')))) return;
        throw new sdk.UnsupportedOperationError(`What becomes of task ${id} is not known to the key of this request.`);
      },
      onSaved: (key) => this.#followers.registered(key),
      onDeleted: (key) => this.#followers.forgotten(key),
    });
    const sender = new Sender({ guard, places: new Places(PLACES), times: { ...SEND_TIMES, ...times } });
    this.#followers = new Followers({ ...options, origins, store, sender, bus: state.bus });
    this.store = store;
    this.sender = {
      send: async ({ payload }, { user }) => {
        const isNews = payload?.$case === 'task' || payload?.$case === 'statusUpdate';
        if (!isNews) return;
        const { identity } = user as unknown as A2aUser;
        const id = payload.$case === 'task' ? payload.value.id : payload.value.taskId;
        await this.#followers.stirred(identity, id).catch((error: unknown) => {
          log.debug({ err: error }, 'Webhooks could not be looked for.');
        });
      },
    };
  }

  close(): Promise<void> {
    return this.#followers.close();
  }
}
