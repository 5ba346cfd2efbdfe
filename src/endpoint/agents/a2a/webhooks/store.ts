/**
 * The webhooks that clients have registered for tasks, kept with the gateway's state: address and credentials are encrypted there, and
 * belong to the principal that registered them. What each was told last stands beside it, and who is telling it something now.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { TaskPushNotificationConfig } from '@a2a-js/sdk';
import type { PushNotificationStore, ServerCallContext } from '@a2a-js/sdk/server';
import type { VaultKeys } from '../../../../auth/upstream/vault-keys.ts';
import type { Identity } from '../../../../core/identity.ts';
import type { Log } from '../../../../core/log.ts';
import type { JsonValue, KeyValue } from '../../../../state/state.ts';
import { isObject } from '../../../../wire/jsonrpc.ts';
import { digest } from '../../kept.ts';
import type { A2aUser } from '../user.ts';
import { webhookRefusal } from './address.ts';

/** The version of A2A that a webhook was registered by. Its bodies have the form of that version. */
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
  log: Log;
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
/** Of what is encrypted, as text. The state has one bound for all principals. */
const MAX_BYTES_OF_PRINCIPAL = 256 * 1024;

export class WebhookStore implements PushNotificationStore {
  readonly #options: WebhookStoreOptions;
  /** Those of one principal are counted and saved one after the other, in this process. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #hasWarned = false;

  constructor(options: WebhookStoreOptions) {
    this.#options = options;
  }

  async save(task: string, context: ServerCallContext, config: TaskPushNotificationConfig): Promise<void> {
    const version = versionOf(context);
    // In 0.3 a task has one without an id, and the next one takes its place.
    if (config.id === '') config.id = version === '0.3' ? task : randomUUID();
    await this.#refuseUnfit(config);
    await this.#options.admit(task, context);
    const { principal } = identityIn(context);
    const before = this.#turns.get(principal) ?? Promise.resolve();
    const saved = before.then(() => this.#save(task, context, config, version));
    const settled = saved.catch(() => {});
    this.#turns.set(principal, settled);
    await saved.finally(() => {
      if (this.#turns.get(principal) === settled) this.#turns.delete(principal);
    });
  }

  /**
   * Rejects where the webhook that comes with a message will not be saved, before anything is done with the message. `task`: of the
   * message, `''` where it begins one.
   */
  async check(task: string, context: ServerCallContext, config: TaskPushNotificationConfig): Promise<void> {
    await this.#refuseUnfit(config);
    const id = config.id === '' && versionOf(context) === '0.3' ? task : config.id;
    await this.#refuseMore(identityIn(context), task, id, config);
  }

  async #refuseUnfit(config: TaskPushNotificationConfig): Promise<void> {
    const refusal = webhookRefusal(config, this.#options.origins);
    if (refusal !== undefined) await this.#options.refuse(refusal);
  }

  /** Those that the principal has leave no room for this one. */
  async #refuseMore(identity: Identity, task: string, id: string, config: TaskPushNotificationConfig): Promise<void> {
    const { kv, refuse } = this.#options;
    const key = keyOf(identity, task, id);
    const own = (await kv.entries(HOOKS, prefixOf(identity))).filter(([other]) => other !== key);
    if (own.length >= MAX_OF_PRINCIPAL) {
      await refuse(`There are ${own.length} webhooks of tasks that go on, the most there may be.`);
    }
    const ofTask = own.filter(([other]) => other.startsWith(prefixOf(identity, task)));
    if (ofTask.length >= MAX_OF_TASK) await refuse(`The task has ${ofTask.length} webhooks, the most it may have.`);
    const bytes = own.reduce((sum, [, value]) => sum + sealedIn(value).length, JSON.stringify(targetOf(config)).length);
    if (bytes > MAX_BYTES_OF_PRINCIPAL)
      await refuse('The addresses and credentials of the webhooks of tasks that go on are too long together.');
  }

  async #save(
    task: string,
    context: ServerCallContext,
    config: TaskPushNotificationConfig,
    version: Version,
  ): Promise<void> {
    const { kv, keys, keepMs, onSaved } = this.#options;
    const identity = identityIn(context);
    const { id } = config;
    const key = keyOf(identity, task, id);
    await this.#refuseMore(identity, task, id, config);
    const { principal, grant } = identity;
    const hook: Webhook = { principal, grant, task, id, version, registration: randomUUID(), createdAt: Date.now() };
    const sealed = keys.seal(JSON.stringify(targetOf(config)), placeOf(key));
    await kv.set(HOOKS, key, { ...definedIn(hook), sealed }, keepMs);
    onSaved(key);
  }

  /** Without their credentials, which no client can read back. */
  async load(task: string, context: ServerCallContext): Promise<TaskPushNotificationConfig[]> {
    const identity = identityIn(context);
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
    await this.remove(keyOf(identityIn(context), task, id));
  }

  /** It is told nothing from now on. `registration`: unless it was registered anew. */
  async remove(key: string, registration?: string): Promise<void> {
    const { kv, onDeleted } = this.#options;
    if (registration !== undefined && (await this.hook(key))?.registration !== registration) return;
    await kv.delete(HOOKS, key);
    onDeleted(key);
    await kv.delete(TOLD, key);
  }

  /** Those of one task, or all of them, which are then encrypted with the first key. */
  async keys(of?: { identity: Pick<Identity, 'principal'>; task: string }): Promise<string[]> {
    const entries = await this.#options.kv.entries(HOOKS, of && prefixOf(of.identity, of.task));
    if (!of) for (const [key, value] of entries) await this.#sealAnew(key, value);
    return entries.map(([key]) => key);
  }

  async hook(key: string): Promise<Webhook | undefined> {
    const hook = hookIn(await this.#options.kv.get(HOOKS, key));
    // What says whose it is stands there unencrypted: it counts at its own place alone.
    return hook && keyOf(hook, hook.task, hook.id) === key ? hook : undefined;
  }

  /** Undefined where it is gone, or no key of this process opens it, which the log says. */
  async target(key: string): Promise<Target | undefined> {
    const value = await this.#options.kv.get(HOOKS, key);
    return value === undefined ? undefined : this.#open(key, value);
  }

  #open(key: string, value: JsonValue): Target | undefined {
    const opened = this.#options.keys.open(sealedIn(value), placeOf(key));
    if (opened) return JSON.parse(opened.text) as Target;
    if (!this.#hasWarned) {
      this.#hasWarned = true;
      this.#options.log.warn(
        {},
        'A webhook of an A2A client does not open with the keys of the vault there are: it is told nothing until one opens it.',
      );
    }
    return undefined;
  }

  /** After a change of keys: nothing needs the old ones. */
  async #sealAnew(key: string, value: JsonValue): Promise<void> {
    const { kv, keys, keepMs } = this.#options;
    const opened = keys.open(sealedIn(value), placeOf(key));
    const hook = hookIn(value);
    if (!opened?.byOldKey || !hook) return;
    // It may have been registered anew or deleted meanwhile.
    if (sealedIn(await kv.get(HOOKS, key)) !== sealedIn(value)) return;
    const sealed = keys.seal(opened.text, placeOf(key));
    const leftMs = Math.max(hook.createdAt + keepMs - Date.now(), 1);
    await kv.set(HOOKS, key, { ...definedIn(hook), sealed }, leftMs);
  }

  async told(key: string): Promise<Told | undefined> {
    const value = await this.#options.kv.get(TOLD, key);
    return isObject(value) ? (value as unknown as Told) : undefined;
  }

  async setTold(key: string, told: Told): Promise<void> {
    const { kv, keepMs } = this.#options;
    await kv.set(TOLD, key, { ...told }, keepMs);
  }

  /** Claims it or renews the claim: true to one process alone, which may tell the webhook something for `ms`. */
  async holds(key: string, ms: number): Promise<boolean> {
    const { kv, replica } = this.#options;
    const holder = await kv.get(CLAIMS, key);
    if (holder === undefined) return kv.setIfAbsent(CLAIMS, key, replica, ms);
    if (holder !== replica) return false;
    await kv.set(CLAIMS, key, replica, ms);
    return true;
  }

  async release(key: string): Promise<void> {
    const { kv, replica } = this.#options;
    if ((await kv.get(CLAIMS, key)) === replica) await kv.delete(CLAIMS, key);
  }
}

function hookIn(value: JsonValue | undefined): Webhook | undefined {
  const isHook = isObject(value) && typeof value.principal === 'string' && typeof value.task === 'string';
  return isHook ? (value as unknown as Webhook) : undefined;
}

const sealedIn = (value: JsonValue | undefined): string =>
  isObject(value) && typeof value.sealed === 'string' ? value.sealed : '';

/** What the encrypted text is bound to. */
const placeOf = (key: string): string => `${HOOKS}/${key}`;

const targetOf = ({ url, token, authentication }: TaskPushNotificationConfig): Target => ({
  ...{ url, token },
  ...(authentication ? { authentication } : {}),
});

const identityIn = ({ user }: ServerCallContext): Identity => (user as unknown as A2aUser).identity;

const versionOf = ({ requestedVersion }: ServerCallContext): Version => (requestedVersion === '0.3' ? '0.3' : '1.0');

/** The state keeps JSON. */
const definedIn = ({ grant, ...hook }: Webhook): Record<string, JsonValue> => ({
  ...hook,
  ...(grant === undefined ? {} : { grant }),
});

const prefixOf = ({ principal }: Pick<Identity, 'principal'>, task?: string): string =>
  `${digest(principal)}:${task === undefined ? '' : `${digest(task)}:`}`;

const keyOf = (identity: Pick<Identity, 'principal'>, task: string, id: string): string =>
  prefixOf(identity, task) + digest(id);

/** The same for all webhooks of one task. */
export const taskIn = (key: string): string => key.slice(0, key.lastIndexOf(':'));
