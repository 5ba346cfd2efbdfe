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
import { type Told, taskIn, type Webhook, type WebhookStore } from './store.ts';

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
/** How long a message with a webhook may take to become a task that is kept. */
const UNBEGUN_MS = 60 * 60_000;
/** Of a claim after its last renewal, which is just before an attempt: longer than that and the pause after it. */
const CLAIM_MS = 90_000;
/** How long followers may take to leave. */
const CLOSE_MS = 2_000;

interface Follower {
  readonly ended: AbortController;
  /** Resolves when it has left. */
  over: Promise<void>;
  /** Called when it has read what it needs for now: it tells, waits, or has left. False: another process follows the task. */
  settled(isHere: boolean): void;
  /** There may be news: it looks again before it leaves. */
  again: boolean;
  wake(): void;
}

/** What came of telling: another process tells it, or the task or the webhook has changed and is looked at anew. */
type Came = 'told' | 'changed' | 'elsewhere';

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

  /** Announces a registered webhook on the bus, for the process that reads its task's run. */
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

  /** Stops all deliveries. One that was under way is sent by the next process on the state. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#looking.close();
    this.#stopListening();
    const left = [...this.#following.values()];
    for (const { ended } of left) ended.abort();
    await within(Promise.all(left.map(({ over }) => over)), CLOSE_MS, () => undefined);
  }

  async #look(): Promise<void> {
    const elsewhere = new Set<string>();
    for (const key of await this.#options.store.keys()) {
      const task = taskIn(key);
      if (this.#following.has(key) || elsewhere.has(task)) continue;
      // One after the other: what they read may be large.
      const isHere = await new Promise<boolean>((resolve) => this.#consider(key, resolve));
      if (!isHere) elsewhere.add(task);
    }
  }

  #consider(key: string, settled = (_: boolean): void => {}): void {
    if (this.#closed) {
      settled(true);
      return;
    }
    const known = this.#following.get(key);
    if (known) {
      known.again = true;
      known.wake();
      settled(true);
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
        settled(true);
        this.#following.delete(key);
        if (follower.again) this.#consider(key);
      });
  }

  async #follow(key: string, follower: Follower): Promise<void> {
    const ended = follower.ended.signal;
    while (!ended.aborted) {
      follower.again = false;
      // What a round listens to ends with it.
      const round = new AbortController();
      const leave = (): void => round.abort();
      ended.addEventListener('abort', leave);
      const goesOn = await this.#round(key, follower, round.signal).finally(() => {
        ended.removeEventListener('abort', leave);
        round.abort();
      });
      if (!goesOn) return;
    }
  }

  /** Tells the webhook how its task stands. True once that may have changed; false: there is nothing to follow here. */
  async #round(key: string, follower: Follower, ended: AbortSignal): Promise<boolean> {
    const { store, runs } = this.#options;
    const { sdk, tasks } = await this.#options.tasks();
    const hook = await store.hook(key);
    if (!hook) return false;
    const { registration } = hook;
    const identity = identityOf(hook);
    const context = contextOf(sdk, identity);
    const kept = await tasks.kept(hook.task, context);
    const isUnbegun = !kept && Date.now() - hook.createdAt < UNBEGUN_MS;
    if (isUnbegun) return false;
    if (!kept || !this.#mayTell(hook)) return store.remove(key, registration).then(() => false);
    const run = runOf(kept);
    if (run !== undefined && !(await this.#isReadHere(run, identity))) {
      follower.settled(false);
      return false;
    }
    // Another process may have the key that opens it. What is read from here on may be large.
    if (!(await store.target(key))) return false;
    // From before it is looked at: nothing that it comes to meanwhile is missed.
    const changed = run === undefined ? undefined : runs.changed(run, Number.POSITIVE_INFINITY, ended);
    const standing = await tasks.standing(hook.task, context);
    if (!standing) return store.remove(key, registration).then(() => false);
    follower.settled(true);
    const told = await toldBy(hook, standing).finally(() => standing.turn?.leave());
    const isFinal = FINAL.has(standing.task.status?.state ?? 0);
    const live = run !== undefined && runs.live(run, identity) !== undefined ? changed : undefined;
    const came = told ? await this.#tell(key, hook, standing, told, isFinal ? undefined : live, ended) : 'told';
    if (came === 'elsewhere' || ended.aborted) return false;
    if (came === 'told' && isFinal) return store.remove(key, registration).then(() => false);
    if (runs.isClosed) return false;
    if (came === 'changed') return true;
    if (!live) return false;
    if (!follower.again) await Promise.race([live, woken(follower)]);
    return true;
  }

  #mayTell(hook: Webhook): boolean {
    return hook.grant === undefined || this.#options.mayStay(identityOf(hook));
  }

  /** Whether this process has the run, or may have it: none has one that is over. */
  async #isReadHere(run: string, identity: Identity): Promise<boolean> {
    const { runs } = this.#options;
    if (runs.live(run, identity)) return true;
    // A run whose process is gone is taken over.
    const record = await runs.find(run, callerOf(identity, 'a2a'));
    return !record || isOver(record.status) || runs.live(run, identity) !== undefined;
  }

  /** `superseded`: the task has come to something else. */
  async #tell(
    key: string,
    hook: Webhook,
    { task }: Standing,
    told: Told,
    superseded: Promise<void> | undefined,
    ended: AbortSignal,
  ): Promise<Came> {
    const { store, sender } = this.#options;
    if (isBehind(told, await store.told(key))) return 'told';
    // A claim of this process stands where the state was away as it was to be released: no other follower here has the key.
    if (!(await store.holds(key, CLAIM_MS))) return 'elsewhere';
    try {
      if (isBehind(told, await store.told(key))) return 'told';
      const target = await store.target(key);
      if (!target) return 'elsewhere';
      const over = new AbortController();
      void superseded?.then(() => over.abort());
      const signal = AbortSignal.any([ended, over.signal]);
      const began = performance.now();
      const deadline = Date.now() + sender.times.giveUpMs;
      const { sdk, tasks } = await this.#options.tasks();
      const context = contextOf(sdk, identityOf(hook));
      let isHeld = true;
      const goesOn = async (): Promise<boolean> => {
        isHeld = await store.holds(key, CLAIM_MS);
        if (!isHeld || !this.#mayTell(hook)) return false;
        // The claim may have lapsed while this waited, and another process may have told it and gone.
        if (isBehind(told, await store.told(key))) return false;
        // It may have been registered anew, for another address.
        if ((await store.hook(key))?.registration !== hook.registration) return false;
        const kept = await tasks.kept(hook.task, context);
        // A message began another run: what this one came to is no news any more.
        return kept !== undefined && (runOf(kept) ?? '') === told.run;
      };
      let last: Sent = { failure: 'refused', status: undefined, attempts: 0 };
      let failed: Sent | undefined;
      let attempts = 0;
      const isListed = addressRefusal(target.url, this.#options.origins) === undefined;
      for (const notice of isListed ? noticesOf(sdk, task, hook.version) : []) {
        last = await sender.send(target, notice, { principal: hook.principal, signal, deadline, goesOn });
        attempts += last.attempts;
        if (last.failure !== undefined) failed ??= last;
        // Where one is not sent, or leads elsewhere, so does the next one.
        if (last.failure === 'ended' || last.failure === 'refused' || last.failure === 'redirect') break;
      }
      // A delivery that stopped before its end is sent later, or a newer state has taken its place.
      if (last.failure === 'ended') return isHeld ? 'changed' : 'elsewhere';
      this.#publish(hook, task, target.url, { ...(failed ?? last), attempts }, performance.now() - began);
      await store.setTold(key, told);
      return 'told';
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
