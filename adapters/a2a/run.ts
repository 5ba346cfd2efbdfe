/**
 * One task of an A2A agent, from the message that starts or continues it until it is over or waits for its client.
 *
 * Invariants: a message is sent once; a task whose stream is lost is taken up again by its id; a task that is not seen to
 * its end is cancelled, because closing its stream does not stop it (measured), unless its call outlives the gateway, which ends; the
 * promise settles at once when the call is aborted.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from '../../src/core/call.ts';
import { isShutdown, SwitchboardError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import type { HttpExchange } from '../shared/origin.ts';
import type { A2aApi } from './api.ts';
import type { AgentInterface } from './card.ts';
import { isTaskNotFound, notA2a } from './failure.ts';
import {
  type A2aEvent,
  type Artifact,
  isInterrupted,
  isTerminal,
  type Message,
  readEvent,
  readTask,
  type Status,
  type Task,
} from './messages.ts';
import { type A2aRequest, cancelTask, getTask, subscribeToTask } from './requests.ts';

/** How often a task is asked for where the agent does not stream: first and longest interval. */
const POLL_MS = 250;
const MAX_POLL_MS = 2_000;
/** Attempts in a row to reach an agent that has a task of the call, with growing pauses: 3.75 s in all. */
const MAX_ATTEMPTS = 4;
const CONTROL_TIMEOUT_MS = 5_000;
/** How long the stream of a task that is over may take to end. */
const END_MS = 500;

export interface RunOptions {
  api: A2aApi;
  to: AgentInterface;
  streaming: boolean;
  log: Log;
  call: Call;
  /** Receives each event in order, for progress. */
  onEvent(event: A2aEvent): void;
}

/** How the task stands, or the message the agent answered with in place of one. */
export type RunEnd =
  | { message: Message }
  | { taskId: string; contextId: string | undefined; status: Status; artifacts: Artifact[] };

export class TaskRun {
  readonly #options: RunOptions;
  readonly #ended = Promise.withResolvers<RunEnd>();
  readonly #stop = new AbortController();
  #exchange: HttpExchange | undefined;
  #taskId: string | undefined;
  #contextId: string | undefined;
  #status: Status | undefined;
  #artifacts = new Map<string, Artifact>();
  #bytes = 0;
  #attempts = 0;
  /** The message answers a task that waits: the first event may be the task as it was before. */
  #resuming = false;
  #settled = false;
  #abandoning: Promise<void> | undefined;
  /** The call is over, and the task is to be cancelled as soon as its id is known. */
  #cancelling: PromiseWithResolvers<void> | undefined;
  #ending: NodeJS.Timeout | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  /** Sends a message. `taskId` is that of the task it continues. */
  send(request: A2aRequest, taskId: string | undefined): Promise<RunEnd> {
    this.#taskId = taskId;
    this.#resuming = taskId !== undefined;
    if (taskId !== undefined) this.#began(taskId);
    return this.#run(() => this.#open(request, () => this.#options.call.left?.()));
  }

  /** Follows a task that exists. */
  follow(taskId: string): Promise<RunEnd> {
    this.#taskId = taskId;
    return this.#run(() => void this.#reattach());
  }

  async #run(begin: () => void): Promise<RunEnd> {
    const { call } = this.#options;
    if (call.aborted) throw call.signal.reason;
    const off = call.onAbort((reason) => void (isShutdown(reason) ? this.#release(reason) : this.abandon(reason)));
    try {
      begin();
      return await this.#ended.promise;
    } finally {
      off();
      clearTimeout(this.#ending);
    }
  }

  /** The gateway ends: the next process finds the task of a lasting call by its id. Any other is cancelled. */
  async #release(reason: Error): Promise<void> {
    if (!this.#options.call.lasting || this.#taskId === undefined) return this.abandon(reason);
    this.#fail(reason);
    this.#stop.abort(reason);
    this.#exchange?.abort(reason);
  }

  /** Rejects the run with this error at once, then cancels the task at the agent. Resolves when that is done. */
  async abandon(reason: Error): Promise<void> {
    if (!this.#settled) this.#abandoning = this.#abandon(reason);
    await this.#abandoning;
  }

  /** Resolves when nothing of it is left to be done at the agent. */
  get over(): Promise<void> {
    return this.#abandoning ?? Promise.resolve();
  }

  async #abandon(reason: Error): Promise<void> {
    this.#fail(reason);
    const cancelling = Promise.withResolvers<void>();
    this.#cancelling = cancelling;
    this.#stop.abort(reason);
    if (this.#taskId !== undefined) await this.#cancel();
    else {
      // The id comes with the first event: until then there is nothing to name in a request to cancel.
      const timer = setTimeout(cancelling.resolve, CONTROL_TIMEOUT_MS);
      await cancelling.promise;
      clearTimeout(timer);
    }
    this.#exchange?.abort(reason);
  }

  async #cancel(): Promise<void> {
    const { api, to, call, log } = this.#options;
    const id = this.#taskId;
    if (id === undefined) return;
    const signal = AbortSignal.timeout(CONTROL_TIMEOUT_MS);
    try {
      await api.result(to, cancelTask(to, id), call.caller.identity, signal);
    } catch (error) {
      log.debug({ server: api.name, task: id, error }, 'cancelling a task failed');
    } finally {
      this.#cancelling?.resolve();
    }
  }

  #open(request: A2aRequest, left: () => void = () => {}): void {
    const { api, to, call } = this.#options;
    this.#exchange = api.stream(to, request, call.caller.identity, {
      event: (value) => this.#receive(value),
      end: () => this.#broken(undefined),
      failed: (error) => this.#broken(error),
      left,
    });
  }

  #receive(value: unknown): void {
    const event = readEvent(value) ?? taskOf(value);
    if (!event) throw notA2a(this.#options.api.name);
    this.#attempts = 0;
    this.#learn(event);
    if (this.#settled) return;
    this.#options.call.alive?.();
    this.#options.onEvent(event);
    switch (event.type) {
      case 'message':
        this.#settle({ message: event.message });
        return;
      case 'task':
        this.#artifacts = new Map();
        this.#bytes = 0;
        for (const artifact of event.task.artifacts) this.#addArtifact(artifact, false);
        if (this.#resuming && isInterrupted(event.task.status.state)) this.#status = event.task.status;
        else this.#standing(event.task.status);
        this.#resuming = false;
        return;
      case 'status':
        this.#standing(event.status);
        return;
      case 'artifact':
        this.#addArtifact(event.artifact, event.append);
    }
  }

  /** Notes the ids of an event, and cancels a task that was only waited for to be cancelled. */
  #learn(event: A2aEvent): void {
    const ids = event.type === 'task' ? { taskId: event.task.id, contextId: event.task.contextId } : idsOf(event);
    this.#contextId = ids.contextId ?? this.#contextId;
    if (ids.taskId === undefined || ids.taskId === this.#taskId) return;
    const first = this.#taskId === undefined;
    this.#taskId = ids.taskId;
    this.#began(ids.taskId);
    if (first && this.#cancelling) void this.#cancel();
  }

  /** So it is known to the next process, where the call outlives this one. */
  #began(taskId: string): void {
    const { call } = this.#options;
    const contextId = this.#contextId;
    if (call.lasting) call.began?.({ taskId, ...(contextId === undefined ? {} : { contextId }) });
  }

  #addArtifact(artifact: Artifact, append: boolean): void {
    const { api } = this.#options;
    this.#bytes += sizeOf(artifact);
    if (this.#bytes > api.maxReplyBytes) {
      const message = `The agent's artifacts are over ${api.maxReplyBytes} bytes.`;
      throw new SwitchboardError('SWB_REPLY_TOO_LARGE', message);
    }
    const known = append ? this.#artifacts.get(artifact.id) : undefined;
    if (known) known.parts.push(...artifact.parts);
    else this.#artifacts.set(artifact.id === '' ? `#${this.#artifacts.size}` : artifact.id, artifact);
  }

  #standing(status: Status): void {
    this.#status = status;
    if (isInterrupted(status.state)) this.#settle(this.#end(status));
    else if (isTerminal(status.state)) {
      // Artifacts may still follow; the stream ends right behind them.
      this.#ending ??= setTimeout(() => this.#settle(this.#end(status)), END_MS);
    }
  }

  #end(status: Status): RunEnd {
    return {
      taskId: this.#taskId ?? '',
      contextId: this.#contextId,
      status,
      artifacts: [...this.#artifacts.values()],
    };
  }

  /** The stream ended or broke off. The task may go on without it. */
  #broken(error: Error | undefined): void {
    if (this.#settled) {
      this.#cancelling?.resolve();
      return;
    }
    const status = this.#status;
    const waits = error === undefined && status !== undefined && isInterrupted(status.state);
    if (status && (waits || isTerminal(status.state))) {
      this.#settle(this.#end(status));
      return;
    }
    const lost =
      error === undefined || (error instanceof SwitchboardError && error.code === 'SWB_UPSTREAM_UNAVAILABLE');
    if (this.#taskId !== undefined && this.#status !== undefined && lost) {
      void this.#reattach();
      return;
    }
    // A message that was refused started nothing; what else may be running is cancelled.
    const reason = error ?? notA2a(this.#options.api.name);
    if (this.#status === undefined && this.#taskId === undefined) this.#fail(reason);
    else void this.abandon(reason);
  }

  /** Takes up the task again: by its stream where there is one, else by asking for it. */
  async #reattach(): Promise<void> {
    const { to, streaming } = this.#options;
    const id = this.#taskId ?? '';
    try {
      for (let pause = POLL_MS; ; pause = Math.min(pause * 2, MAX_POLL_MS)) {
        await sleep(this.#status === undefined && this.#attempts === 0 ? 0 : pause, undefined, {
          signal: this.#stop.signal,
        });
        const task = await this.#ask(id);
        if (this.#settled) return;
        if (!task) continue;
        this.#receive({ task: task.raw });
        if (this.#settled || isTerminal(task.task.status.state)) return this.#finish();
        if (streaming) break;
      }
    } catch (error) {
      if (!this.#settled) await this.abandon(error as Error);
      return;
    }
    if (!this.#settled) this.#open(subscribeToTask(to, id));
  }

  #finish(): void {
    const status = this.#status;
    if (!this.#settled && status) this.#settle(this.#end(status));
  }

  /** The task as the agent has it. Undefined when it could not be reached this time. */
  async #ask(id: string): Promise<{ task: Task; raw: unknown } | undefined> {
    const { api, to, call } = this.#options;
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(CONTROL_TIMEOUT_MS)]);
    try {
      const raw = await api.result(to, getTask(to, id), call.caller.identity, signal);
      const task = readTask(raw);
      if (!task) throw notA2a(api.name);
      return { task, raw };
    } catch (error) {
      if (isTaskNotFound(error)) throw error;
      const away = error instanceof SwitchboardError ? error.code === 'SWB_UPSTREAM_UNAVAILABLE' : true;
      this.#attempts++;
      if (!away || this.#attempts >= MAX_ATTEMPTS || this.#stop.signal.aborted) throw unavailable(api.name, error);
      return undefined;
    }
  }

  #settle(end: RunEnd): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#ended.resolve(end);
    this.#exchange?.abort(new SwitchboardError('SWB_CANCELLED', 'The task needs no stream any more.'));
  }

  #fail(error: Error): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#ended.reject(error);
  }
}

/** A reply that is a bare task: what 0.3 over HTTP+JSON gives in some servers. */
function taskOf(value: unknown): A2aEvent | undefined {
  const task = readTask(value);
  return task && { type: 'task', task };
}

function idsOf(event: Exclude<A2aEvent, { type: 'task' }>): {
  taskId: string | undefined;
  contextId: string | undefined;
} {
  return event.type === 'message'
    ? { taskId: event.message.taskId, contextId: event.message.contextId }
    : { taskId: event.taskId, contextId: event.contextId };
}

function sizeOf({ parts }: Artifact): number {
  let bytes = 0;
  for (const part of parts) {
    if ('text' in part) bytes += part.text.length;
    else if ('bytes' in part) bytes += part.bytes.length;
    else if ('url' in part) bytes += part.url.length;
    else bytes += JSON.stringify(part.data)?.length ?? 0;
  }
  return bytes;
}

function unavailable(name: string, error: unknown): Error {
  if (error instanceof SwitchboardError) return error;
  return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${name}' does not answer in time.`, {
    cause: error,
  });
}
