/**
 * Runs agents for A2A: a message starts a turn with the agent, or answers the question a task waits with; what the turn comes to
 * becomes events of the task. A turn is a run of the relay, whose id stands in the task's metadata, and belongs to its principal.
 * @module
 */
import type { Message, Part, Task } from '@a2a-js/sdk';
import type { AgentExecutor, ExecutionEventBus, RequestContext } from '@a2a-js/sdk/server';
import { isShutdown } from '../../../core/errors.ts';
import type { Route, View } from '../../../federation/types.ts';
import type { AgentRelay } from '../../../relay/relay.ts';
import { isObject } from '../../../wire/jsonrpc.ts';
import type { Kept } from '../kept.ts';
import { elicitationResult } from '../questions.ts';
import { AgentTurn, type Question } from '../turn.ts';
import { answerIn, readMessage, textPart } from './content.ts';
import {
  ANSWER,
  artifactEvent,
  artifactOf,
  failedEvent,
  newTask,
  outcomeEvents,
  questionEvent,
  RUN_META,
  runOf,
  STATE,
  type StateEvent,
  statusEvent,
  statusOf,
} from './events.ts';
import type { Pace } from './pace.ts';
import type { Sdk } from './sdk.ts';
import { rememberThread, threadFor } from './threads.ts';
import type { A2aUser } from './user.ts';

export interface ExecutorOptions {
  sdk: Sdk;
  relay: AgentRelay;
  view: View;
  route: Route;
  /** Threads that servers named, by context. */
  threads: Kept;
}

type Read = ReturnType<typeof readMessage>;

export class AgentTasks implements AgentExecutor {
  readonly #options: ExecutorOptions;
  /** Turns whose events are being published, by task. */
  readonly #followed = new Map<string, { turn: AgentTurn; pace: Pace | undefined }>();

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  execute = async (request: RequestContext, bus: ExecutionEventBus): Promise<void> => {
    const { taskId, contextId, userMessage, task } = request;
    const user = request.context.user as unknown as A2aUser;
    const shown = task ?? newTask(taskId, contextId, userMessage, user.agent);
    const publish = new Publisher(this.#options.sdk, bus, shown);
    const read = readMessage(userMessage);
    try {
      const waiting = await this.#waiting(user, task);
      if (waiting) {
        const { turn, question } = waiting;
        publish.task({ ...shown, status: statusOf(shown, STATE.WORKING) });
        publish.state({ state: STATE.WORKING });
        await this.#follow(turn, publish, user, () =>
          turn.answer(question, elicitationResult(question.params, answerIn(read))),
        );
      } else {
        const turn = await this.#begin(user, contextId, read, userMessage);
        // Before its client learns of the task.
        await turn.keep();
        publish.task({ ...shown, metadata: { ...shown.metadata, [RUN_META]: turn.id } });
        publish.state({ state: STATE.WORKING });
        await this.#follow(turn, publish, user);
      }
    } catch (error) {
      publish.failed(error);
    }
    bus.finished();
  };

  cancelTask = async (taskId: string, bus: ExecutionEventBus): Promise<void> => {
    const followed = this.#followed.get(taskId);
    if (followed) {
      // It ends in its own stream of events, whose client may not be reading.
      followed.pace?.end();
      return followed.turn.cancel('The A2A client cancelled the task.');
    }
    // The store ends the run of a task that becomes cancelled.
    const { AgentEvent } = this.#options.sdk;
    const status = { state: STATE.CANCELED, message: undefined, timestamp: new Date().toISOString() };
    bus.publish(AgentEvent.statusUpdate({ taskId, contextId: '', status, metadata: undefined }));
    bus.finished();
  };

  /** The turn of the task, where it waits for its client. */
  async #waiting({ identity }: A2aUser, task: Task | undefined) {
    const id = task && runOf(task);
    const turn = id === undefined ? undefined : await AgentTurn.find(this.#options.relay.runs, identity, 'a2a', id);
    let question: Question | undefined;
    try {
      question = await turn?.question();
      return turn && question && { turn, question };
    } finally {
      if (!question) turn?.leave();
    }
  }

  async #begin({ identity }: A2aUser, contextId: string, read: Read, message: Message): Promise<AgentTurn> {
    const { relay, view, route, threads } = this.#options;
    const { content, data } = read;
    const [input, ...more] = data;
    const blocks = [...content, ...more.map((each) => ({ type: 'text' as const, text: JSON.stringify(each) }))];
    const options =
      isObject(message.metadata) && isObject(message.metadata.options) ? message.metadata.options : undefined;
    const own = route.member.takesThreadIds?.() === true;
    const threadId = await threadFor(threads, identity.principal, contextId, own);
    const plain = blocks.length === 1 && blocks[0]?.type === 'text' ? blocks[0].text : blocks;
    return AgentTurn.begin({
      relay,
      identity,
      view,
      agent: { server: route.member.name, agent: route.original },
      params: {
        messages: blocks.length === 0 ? [] : [{ role: 'user', content: plain }],
        ...(input === undefined ? {} : { input }),
        ...(threadId === undefined ? {} : { threadId }),
        ...(options === undefined ? {} : { options }),
      },
      client: 'a2a',
    });
  }

  /** Publishes the turn's events until it waits for the client or is over. `first`: what is done with the turn before. */
  async #follow(
    turn: AgentTurn,
    publish: Publisher,
    { identity, pace }: A2aUser,
    first?: () => Promise<void>,
  ): Promise<void> {
    const { id, contextId } = publish.about;
    this.#followed.set(id, { turn, pace });
    // What is left of it is bounded, and its end is not to wait for a client that does not read.
    void turn.over?.then(() => pace?.end());
    let sent = '';
    try {
      await first?.();
      for (;;) {
        const event = await turn.next();
        if (event.type === 'text') {
          publish.artifact(ANSWER, [textPart(event.text)], sent !== '');
          sent += event.text;
          await pace?.published();
          continue;
        }
        // Another process reads the run, and a client that asks for the task gets it there.
        if (event.type === 'failed' && isShutdown(event.error)) return;
        if (event.type === 'question') return publish.state(questionEvent(event.question.params));
        const thread = event.type === 'ended' ? event.result.threadId : undefined;
        await rememberThread(this.#options.threads, identity.principal, contextId, thread);
        for (const each of outcomeEvents(event, sent)) {
          if ('artifact' in each) publish.artifact(each.artifact, each.parts, false);
          else publish.state(each);
        }
        return;
      }
    } finally {
      turn.leave();
      this.#followed.delete(id);
    }
  }
}

class Publisher {
  readonly about: Pick<Task, 'id' | 'contextId'>;
  readonly #sdk: Sdk;
  readonly #bus: ExecutionEventBus;
  readonly #first: Task;
  #begun = false;

  /** `first`: the task as it is published where nothing else was. */
  constructor(sdk: Sdk, bus: ExecutionEventBus, first: Task) {
    this.about = { id: first.id, contextId: first.contextId };
    this.#sdk = sdk;
    this.#bus = bus;
    this.#first = first;
  }

  task(task: Task): void {
    this.#begun = true;
    this.#bus.publish(this.#sdk.AgentEvent.task(task));
  }

  state(event: StateEvent): void {
    this.#bus.publish(this.#sdk.AgentEvent.statusUpdate(statusEvent(this.about, event)));
  }

  artifact(artifactId: string, parts: Part[], append: boolean): void {
    const event = artifactEvent(this.about, artifactOf(artifactId, parts), append);
    this.#bus.publish(this.#sdk.AgentEvent.artifactUpdate(event));
  }

  failed(error: unknown): void {
    if (!this.#begun) this.task(this.#first);
    this.state(failedEvent(error));
  }
}
