/**
 * The webhooks that clients have registered for tasks, kept with the gateway's state: address and credentials are encrypted there, and
 * belong to the principal that registered them. What each was told last stands beside it, and who is telling it something now.
 * @module
 */
import { hash, randomUUID } from 'node:crypto';
import type { TaskPushNotificationConfig } from '@a2a-js/sdk';
import type { PushNotificationStore, ServerCallContext } from '@a2a-js/sdk/server';
import type { VaultKeys } from '../../../../auth/upstream/vault-keys.ts';
import type { Identity } from '../../../../core/identity.ts';
import type { JsonValue, KeyValue } from '../../../../state/state.ts';
import { isObject } from '../../../../wire/jsonrpc.ts';
import type { A2aUser } from '../user.ts';
import { webhookRefusal } from './address.ts';

/** The version of A2A that a webhook was registered by, in whose form it is told. */
export type Version = '1.0' | '0.3';

export interface Webhook {
  readonly principal: string;
  readonly grant: string | undefined;
  readonly task: string;
  readonly id: string;
  readonly version: Version;
  /** Another one each time that it is registered. */
  readonly registration: string;
  /** In milliseconds since the epoch. */
  readonly createdAt: number;
}

/** Where it is, and what lets the gateway in there. */
export interface Target {
  readonly url: string;
  readonly token: string;
  readonly authentication?: { readonly scheme: string; readonly credentials: string } | undefined;
}

/** A state of a task, as far as it tells one from another that comes later. */
export interface Told {
  /** Of the webhook that was told it. */
  readonly registration: string;
  readonly run: string;
  /** Grows while the run goes on. */
  readonly rank: number;
  /** Tells questions apart that are open at one time. */
  readonly key: string;
}

export interface WebhookStoreOptions {
  kv: KeyValue;
  keys: VaultKeys;
  origins: ReadonlySet<string>;
  /** This process, in what says who is telling a webhook something. */
  replica: string;
  keepMs: number;
  /** Rejects with the protocol's error for parameters. */
  refuse(message: string): Promise<never>;
  /** Rejects where a task takes no webhook. */
  admit(task: string, context: ServerCallContext): Promise<void>;
  onSaved(key: string): void;
  onDeleted(key: string): void;
}

const HOOKS = 'a2a-webhooks';
const TOLD = 'a2a-webhooks-told';
const CLAIMS = 'a2a-webhooks-claims';
const MAX_OF_TASK = 8;
const MAX_OF_PRINCIPAL = 64;

export class WebhookStore implements PushNotificationStore {
  readonly #options: WebhookStoreOptions;
  /** One is counted and saved after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: WebhookStoreOptions) {
    this.#options = options;
  }

  async save(task: string, context: ServerCallContext, config: TaskPushNotificationConfig): Promise<void> {
    const { origins, refuse, admit } = this.#options;
    const version: Version = context.requestedVersion === '0.3' ? '0.3' : '1.0';
    // In 0.3 a task has one without an id, and the next one takes its place.
    if (config.id === '') config.id = version === '0.3' ? task : randomUUID();
    const refusal = webhookRefusal(config, origins);
    if (refusal !== undefined) await refuse(refusal);
    await admit(task, context);
    const saved = this.#turn.then(() => this.#save(task, context, config, version));
    this.#turn = saved.catch(() => {});
    await saved;
  }

  async #save(
    task: string,
    context: ServerCallContext,
    { id, url, token, authentication }: TaskPushNotificationConfig,
    version: Version,
  ): Promise<void> {
    const { kv, keys, keepMs, refuse, onSaved } = this.#options;
    const { identity } = context.user as unknown as A2aUser;
    const key = keyOf(identity, task, id);
    const own = (await kv.entries(HOOKS, prefixOf(identity))).filter(([other]) => other !== key);
    if (own.length >= MAX_OF_PRINCIPAL) {
      await refuse(`There are ${own.length} webhooks of tasks that go on, the most there may be.`);
    }
    const ofTask = own.filter(([other]) => other.startsWith(prefixOf(identity, task)));
    if (ofTask.length >= MAX_OF_TASK) await refuse(`The task has ${ofTask.length} webhooks, the most it may have.`);
    const target: Target = { url, token, ...(authentication ? { authentication } : {}) };
    const { principal, grant } = identity;
    const hook: Webhook = { principal, grant, task, id, version, registration: randomUUID(), createdAt: Date.now() };
    const sealed = keys.seal(JSON.stringify(target), `${HOOKS}/${key}`);
    await kv.set(HOOKS, key, { ...definedIn(hook), sealed }, keepMs);
    onSaved(key);
  }

  /** Without their credentials: those are read by nobody. */
  async load(task: string, context: ServerCallContext): Promise<TaskPushNotificationConfig[]> {
    const { identity } = context.user as unknown as A2aUser;
    const found = await this.#options.kv.entries(HOOKS, prefixOf(identity, task));
    return found.flatMap(([key, value]) => {
      const hook = hookIn(value);
      const target = hook && this.#open(key, value);
      if (!hook || !target) return [];
      const { url, token, authentication } = target;
      return [
        {
          tenant: '',
          id: hook.id,
          taskId: task,
          url,
          token,
          authentication: authentication && { ...authentication, credentials: '' },
        },
      ];
    });
  }

  async delete(task: string, context: ServerCallContext, id = task): Promise<void> {
    const { identity } = context.user as unknown as A2aUser;
    await this.remove(keyOf(identity, task, id));
  }

  /** It is told nothing from now on. */
  async remove(key: string): Promise<void> {
    const { kv, onDeleted } = this.#options;
    await kv.delete(HOOKS, key);
    onDeleted(key);
    await kv.delete(TOLD, key);
  }

  /** Those of one task, or all of them. */
  async keys(of?: { identity: Pick<Identity, 'principal'>; task: string }): Promise<string[]> {
    const entries = await this.#options.kv.entries(HOOKS, of && prefixOf(of.identity, of.task));
    return entries.map(([key]) => key);
  }

  async hook(key: string): Promise<Webhook | undefined> {
    const hook = hookIn(await this.#options.kv.get(HOOKS, key));
    // What says whose it is stands there unencrypted: it counts at its own place alone.
    return hook && keyOf(hook, hook.task, hook.id) === key ? hook : undefined;
  }

  /** Undefined where it is gone, or no key opens it. */
  async target(key: string): Promise<Target | undefined> {
    const value = await this.#options.kv.get(HOOKS, key);
    return value === undefined ? undefined : this.#open(key, value);
  }

  #open(key: string, value: JsonValue): Target | undefined {
    if (!isObject(value) || typeof value.sealed !== 'string') return undefined;
    const opened = this.#options.keys.open(value.sealed, `${HOOKS}/${key}`);
    return opened && (JSON.parse(opened.text) as Target);
  }

  async told(key: string): Promise<Told | undefined> {
    const value = await this.#options.kv.get(TOLD, key);
    return isObject(value) ? (value as unknown as Told) : undefined;
  }

  async setTold(key: string, told: Told): Promise<void> {
    const { kv, keepMs } = this.#options;
    await kv.set(TOLD, key, { ...told }, keepMs);
  }

  /** True to one process alone, which may tell the webhook something for as long as it {@link holds} it, and `ms` afterwards. */
  claim(key: string, ms: number): Promise<boolean> {
    const { kv, replica } = this.#options;
    return kv.setIfAbsent(CLAIMS, key, replica, ms);
  }

  async holds(key: string, ms: number): Promise<void> {
    const { kv, replica } = this.#options;
    await kv.set(CLAIMS, key, replica, ms);
  }

  async release(key: string): Promise<void> {
    await this.#options.kv.delete(CLAIMS, key);
  }
}

function hookIn(value: JsonValue | undefined): Webhook | undefined {
  const isHook = isObject(value) && typeof value.principal === 'string' && typeof value.task === 'string';
  return isHook ? (value as unknown as Webhook) : undefined;
}

/** The state keeps JSON. */
const definedIn = ({ grant, ...hook }: Webhook): Record<string, JsonValue> => ({
  ...hook,
  ...(grant === undefined ? {} : { grant }),
});

/** Principals and ids are texts of any length, and keys of the state are not. */
const digest = (text: string): string => hash('sha256', text, 'base64url').slice(0, 22);

const prefixOf = ({ principal }: Pick<Identity, 'principal'>, task?: string): string =>
  `${digest(principal)}:${task === undefined ? '' : `${digest(task)}:`}`;

const keyOf = (identity: Pick<Identity, 'principal'>, task: string, id: string): string =>
  prefixOf(identity, task) + digest(id);
