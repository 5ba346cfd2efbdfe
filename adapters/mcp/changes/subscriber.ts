/**
 * Changes of a legacy upstream: list changes arrive on their own, resources are subscribed to one by one on the gatewaySession
 * session, and again on the one that replaces it.
 * Source: 2025-11-25 server/resources, "Subscriptions".
 * @module
 */
import { SwitchboardError, UpstreamError } from '../../../src/core/errors.ts';
import type { Log } from '../../../src/core/log.ts';
import { isObject, type JsonObject } from '../../../src/wire/jsonrpc.ts';
import type { ListKind } from '../catalog.ts';
import type { Wanted } from './hub.ts';

const AGAIN_AFTER_MS = 30_000;
const REQUEST_TIMEOUT_MS = 10_000;

export interface SubscriberContext {
  readonly name: string;
  readonly log: Log;
  readonly capabilities: JsonObject;
  wanted(): Wanted;
  /** One request on the gateway's own session. */
  ask(method: string, params: JsonObject, signal: AbortSignal): Promise<Buffer>;
  /** Whether the server can send messages outside requests. */
  listens(): boolean;
}

/** Lists with `listChanged` in the server's capabilities. */
export function announcedLists(capabilities: JsonObject): Set<ListKind> {
  const announces = (name: string): boolean => {
    const capability = capabilities[name];
    return isObject(capability) && capability.listChanged === true;
  };
  const kinds = new Set<ListKind>();
  if (announces('tools')) kinds.add('tools');
  if (announces('prompts')) kinds.add('prompts');
  if (announces('resources')) kinds.add('resources').add('templates');
  return kinds;
}

export const offersSubscriptions = ({ resources }: JsonObject): boolean =>
  isObject(resources) && resources.subscribe === true;

export class ResourceSubscriber {
  readonly #context: SubscriberContext;
  readonly #subscribed = new Set<string>();
  /** URIs the server does not let be subscribed to. */
  readonly #refused = new Set<string>();
  #running = false;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(context: SubscriberContext) {
    this.#context = context;
  }

  /** Lists whose changes the server announces. */
  covered(): Set<ListKind> {
    return this.#context.listens() ? announcedLists(this.#context.capabilities) : new Set();
  }

  /** What is wanted may have changed. */
  update(): void {
    if (this.#closed || !offersSubscriptions(this.#context.capabilities)) return;
    this.#again = true;
    if (!this.#running) void this.#run();
  }

  /** A new session: the server knows of no subscription any more. */
  renewed(): void {
    this.#subscribed.clear();
    this.update();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** One pass at a time, so that a subscribe and an unsubscribe of one URI cannot overtake each other. */
  async #run(): Promise<void> {
    this.#running = true;
    let failed = false;
    while (this.#again && !this.#closed) {
      this.#again = false;
      failed = !(await this.#pass());
    }
    this.#running = false;
    if (failed && !this.#closed) this.#timer = setTimeout(() => this.update(), AGAIN_AFTER_MS).unref();
  }

  async #pass(): Promise<boolean> {
    const wanted = new Set(this.#context.wanted().resources);
    let good = true;
    for (const uri of wanted) {
      if (this.#subscribed.has(uri) || this.#refused.has(uri)) continue;
      const verdict = await this.#tell('resources/subscribe', uri);
      if (verdict === 'done') this.#subscribed.add(uri);
      else if (verdict === 'refused') this.#refused.add(uri);
      else good = false;
    }
    for (const uri of [...this.#subscribed]) {
      if (wanted.has(uri)) continue;
      this.#subscribed.delete(uri);
      await this.#tell('resources/unsubscribe', uri);
    }
    for (const uri of this.#refused) if (!wanted.has(uri)) this.#refused.delete(uri);
    return good;
  }

  async #tell(method: string, uri: string): Promise<'done' | 'refused' | 'failed'> {
    try {
      await this.#context.ask(method, { uri }, AbortSignal.timeout(REQUEST_TIMEOUT_MS));
      return 'done';
    } catch (error) {
      const { name, log } = this.#context;
      if (error instanceof UpstreamError) {
        log.debug({ server: name, method, code: error.rpcCode }, 'the server refuses a subscription');
        return 'refused';
      }
      if (!(error instanceof SwitchboardError))
        log.debug({ server: name, method, err: error }, 'a subscription failed');
      return 'failed';
    }
  }
}
