/**
 * Follows the tasks that have webhooks, one follower for each webhook, and tells it every state that the task comes to until the task
 * is over. The process that reads the task's run follows it. What a process leaves behind that ends, the others find by looking at
 * all webhooks now and then; a claim in the state lets one of them tell.
 * @module
 */
import type { ServerCallContext } from '@a2a-js/sdk/server';
import { within } from '../../../../core/deadline.ts';
import type { Identity } from '../../../../core/identity.ts';
import type { Log } from '../../../../core/log.ts';
import { repeat } from '../../../../core/repeat.ts';
import { CHANNELS } from '../../../../observe/events.ts';
import { isOver } from '../../../../relay/runs/stored-runs.ts';
import type { Bus } from '../../../../state/state.ts';
import { isObject } from '../../../../wire/jsonrpc.ts';
import { type AgentRuns, callerOf } from '../../turn.ts';
import { FINAL, runOf, STATE } from '../events.ts';
import type { Sdk } from '../sdk.ts';
import type { KeptTasks, Standing } from '../tasks.ts';
import type { A2aUser } from '../user.ts';
import { addressRefusal } from './address.ts';
import { noticesOf } from './payload.ts';
import type { Sender, Sent } from './send.ts';
import type { Told, Webhook, WebhookStore } from './store.ts';

export interface FollowersOptions {
  instance: string;
  runs: AgentRuns;
  bus: Bus;
  log: Log;
  origins: ReadonlySet<string>;
  store: WebhookStore;
  sender: Sender;
  /** Loaded with the first webhook. */
  tasks(): Promise<{ sdk: Sdk; tasks: KeptTasks }>;
  /** Whether what this identity has begun may go on. */
  mayStay(identity: Identity): boolean;
  /** How often all webhooks are looked at, in milliseconds: soon after the start, and then ever less often up to this. */
  lookEveryMs?: number;
}

const TOPIC = 'a2a-webhooks';
const LOOK_EVERY_MS = 10_000;
const FIRST_LOOK_MS = 500;
/** How long a message with a webhook may take to become a task: somebody may have to approve it. */
const UNBEGUN_MS = 60 * 60_000;
/** Of a claim after its last renewal: longer than an attempt and the pause before it. */
const CLAIM_MS = 90_000;
/** How long followers may take to leave. */
const CLOSE_MS = 2_000;

interface Follower {
  readonly ended: AbortController;
  /** Resolves when it has left. */
  over: Promise<void>;
  /** Calls when it has read what it needs for now: it tells, waits, or has left. */
  settled(): void;
  /** There may be news: it looks again before it leaves. */
  again: boolean;
  wake(): void;
}

export class Followers {
  readonly #options: FollowersOptions;
  readonly #following = new Map<string, Follower>();
  readonly #looking: { close(): void };
  readonly #stopListening: () => void;
  #looks = 0;
  #closed = false;

  constructor(options: FollowersOptions) {
    this.#options = options;
    const every = options.lookEveryMs ?? LOOK_EVERY_MS;
    this.#stopListening = options.bus.subscribe(TOPIC, (message) => {
      if (isObject(message) && typeof message.key === 'string') this.#consider(message.key);
    });
    this.#looking = repeat(
      () => Math.min(every, FIRST_LOOK_MS * 2 ** Math.min(this.#looks++, 10)),
      async () => this.#look(),
    );
  }

  /** A webhook was registered. The process that reads its task's run hears of it. */
  registered(key: string): void {
    this.#options.bus.publish(TOPIC, { key });
  }

  /** A task of this process has come to something: a follower may begin. */
  async stirred(identity: Identity, task: string): Promise<void> {
    for (const key of await this.#options.store.keys({ identity, task })) this.#consider(key);
  }

  forgotten(key: string): void {
    this.#following.get(key)?.ended.abort();
  }

  /** Tells nothing more. What is being told is told by the next process on the state. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#looking.close();
    this.#stopListening();
    const left = [...this.#following.values()];
    for (const { ended } of left) ended.abort();
    await within(Promise.all(left.map(({ over }) => over)), CLOSE_MS, () => undefined);
  }

  async #look(): Promise<void> {
    for (const key of await this.#options.store.keys()) {
      if (this.#following.has(key)) continue;
      // One after the other: what they read may be large.
      await new Promise<void>((resolve) => this.#consider(key, resolve));
    }
  }

  #consider(key: string, settled = (): void => {}): void {
    if (this.#closed) {
      settled();
      return;
    }
    const known = this.#following.get(key);
    if (known) {
      known.again = true;
      known.wake();
      settled();
      return;
    }
    const follower: Follower = {
      ended: new AbortController(),
      over: Promise.resolve(),
      again: false,
      settled,
      wake() {},
    };
    this.#following.set(key, follower);
    follower.over = this.#follow(key, follower)
      // The state is away: the webhook is looked at again.
      .catch((error: unknown) => this.#options.log.debug({ err: error }, 'A webhook could not be looked after.'))
      .then(() => {
        settled();
        this.#following.delete(key);
        if (follower.again) this.#consider(key);
      });
  }

  async #follow(key: string, follower: Follower): Promise<void> {
    const { store, runs, mayStay } = this.#options;
    const ended = follower.ended.signal;
    const { sdk, tasks } = await this.#options.tasks();
    while (!ended.aborted) {
      follower.again = false;
      const hook = await store.hook(key);
      if (!hook) return;
      const identity = identityOf(hook);
      const context = contextOf(sdk, identity);
      const kept = await tasks.kept(hook.task, context);
      const isUnbegun = !kept && Date.now() - hook.createdAt < UNBEGUN_MS;
      if (isUnbegun) return;
      if (!kept || (hook.grant !== undefined && !mayStay(identity))) return store.remove(key);
      const run = runOf(kept);
      if (run !== undefined && !(await this.#isReadHere(run, identity))) return;
      // From before it is looked at: nothing that it comes to meanwhile is missed.
      const changed = run === undefined ? undefined : runs.changed(run, this.#options.sender.times.giveUpMs);
      const standing = await tasks.standing(hook.task, context);
      if (!standing) return store.remove(key);
      follower.settled();
      const told = await toldBy(hook, standing).finally(() => standing.turn?.leave());
      const isFinal = FINAL.has(standing.task.status?.state ?? 0);
      const live = run !== undefined && runs.live(run, identity) !== undefined ? changed : undefined;
      if (told && !(await this.#tell(key, hook, standing, told, isFinal ? undefined : live, ended))) return;
      if (ended.aborted) return;
      if (isFinal) return store.remove(key);
      if (!live || runs.isClosed) return;
      if (!follower.again) await Promise.race([live, aborted(ended), woken(follower)]);
    }
  }

  /** Whether this process has the run, or may have it: none has one that is over. */
  async #isReadHere(run: string, identity: Identity): Promise<boolean> {
    const { runs } = this.#options;
    if (runs.live(run, identity)) return true;
    // A run whose process is gone is taken over.
    const record = await runs.find(run, callerOf(identity, 'a2a'));
    return !record || isOver(record.status) || runs.live(run, identity) !== undefined;
  }

  /** False: another process tells it. `superseded`: the task has come to something else. */
  async #tell(
    key: string,
    hook: Webhook,
    { task }: Standing,
    told: Told,
    superseded: Promise<void> | undefined,
    ended: AbortSignal,
  ): Promise<boolean> {
    const { store, sender } = this.#options;
    if (isBehind(told, await store.told(key))) return true;
    if (!(await store.claim(key, CLAIM_MS))) return false;
    try {
      if (isBehind(told, await store.told(key))) return true;
      const target = await store.target(key);
      if (!target) {
        await store.remove(key);
        return true;
      }
      const over = new AbortController();
      void superseded?.then(() => over.abort());
      const signal = AbortSignal.any([ended, over.signal]);
      const began = performance.now();
      const deadline = Date.now() + sender.times.giveUpMs;
      const goesOn = async (): Promise<boolean> => {
        await store.holds(key, CLAIM_MS);
        // It may have been registered anew, for another address.
        return (await store.hook(key))?.registration === hook.registration;
      };
      const { sdk } = await this.#options.tasks();
      let sent: Sent = { failure: 'refused', status: undefined, attempts: 0 };
      let attempts = 0;
      const isListed = addressRefusal(target.url, this.#options.origins) === undefined;
      for (const notice of isListed ? noticesOf(sdk, task, hook.version) : []) {
        sent = await sender.send(target, notice, { principal: hook.principal, signal, deadline, goesOn });
        attempts += sent.attempts;
        // Where one is not sent, or leads elsewhere, so does the next one.
        if (sent.failure === 'ended' || sent.failure === 'refused' || sent.failure === 'redirect') break;
      }
      // What was not told to its end is told later, or was overtaken.
      if (sent.failure === 'ended') return true;
      this.#publish(hook, task, target.url, { ...sent, attempts }, performance.now() - began);
      await store.setTold(key, told);
      return true;
    } finally {
      await store.release(key);
    }
  }

  #publish({ principal, grant }: Webhook, task: Standing['task'], url: string, sent: Sent, durationMs: number): void {
    if (!CHANNELS.webhook.hasSubscribers) return;
    const { failure, status, attempts } = sent;
    CHANNELS.webhook.publish({
      instance: this.#options.instance,
      principal,
      grant,
      task: task.id,
      state: nameOf(task.status?.state),
      // Of the operator's own list. The rest of the address may be a secret.
      origin: new URL(url).origin,
      ...{ failure, status, attempts, durationMs },
    });
  }
}

/** What a task has come to, where that is news to a webhook. */
async function toldBy({ registration }: Webhook, { task, turn }: Standing): Promise<Told | undefined> {
  const state = task.status?.state ?? STATE.SUBMITTED;
  const run = runOf(task) ?? '';
  if (FINAL.has(state)) return { registration, run, rank: Number.MAX_SAFE_INTEGER, key: '' };
  if (state === STATE.SUBMITTED) return undefined;
  const asks = state !== STATE.WORKING;
  const [section, question] = turn ? await Promise.all([turn.current(), turn.question()]) : [0, undefined];
  return { registration, run, rank: 2 * section + (asks ? 1 : 0), key: asks ? (question?.key ?? '') : '' };
}

/** It was told this, or what comes after it: a run that is taken over works again until it asks what it asked. */
const isBehind = (now: Told, told: Told | undefined): boolean =>
  told !== undefined &&
  told.registration === now.registration &&
  told.run === now.run &&
  (now.rank < told.rank || (now.rank === told.rank && now.key === told.key));

const identityOf = ({ principal, grant }: Webhook): Identity => ({ principal, grant, claims: {} });

function contextOf(sdk: Sdk, identity: Identity): ServerCallContext {
  const { signal: left } = new AbortController();
  const { principal: userName } = identity;
  const user: A2aUser = { isAuthenticated: true, userName, identity, left, sends: false, pace: undefined };
  return new sdk.ServerCallContext({ user, requestedVersion: '1.0' });
}

const NAMES = new Map<number | undefined, string>(
  Object.entries(STATE).map(([name, state]) => [state, name.toLowerCase()]),
);

const nameOf = (state: number | undefined): string => NAMES.get(state) ?? 'unknown';

const woken = (follower: Follower): Promise<void> =>
  new Promise((resolve) => {
    follower.wake = resolve;
  });

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
