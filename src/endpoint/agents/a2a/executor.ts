/**
 * Runs agents for A2A: a message starts a turn with the agent, or answers the question a task waits with; what the turn comes to
 * becomes events of the task. Turns are in memory and belong to their principal.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { Message, Part, Task, TaskState } from '@a2a-js/sdk';
import type { AgentExecutor, ExecutionEventBus, RequestContext } from '@a2a-js/sdk/server';
import type { AgentCallResult } from '../../../core/agent-call.ts';
import { SwitchboardError, toRpcError } from '../../../core/errors.ts';
import type { Identity } from '../../../core/identity.ts';
import type { Route, View } from '../../../federation/types.ts';
import type { EndpointRelay } from '../../../relay/relay.ts';
import { isObject, type JsonObject } from '../../../wire/jsonrpc.ts';
import { elicitationResult } from '../questions.ts';
import { AgentTurn } from '../turn.ts';
import { answerIn, answerParts, dataPart, readMessage, textPart } from './content.ts';
import type { Sdk } from './sdk.ts';

/** Turns of one principal at one time. */
const MAX_TURNS = 50;
const MAX_CONTEXTS = 10_000;
const ANSWER = 'answer';

/** The user of a call, as the SDK hands it through. */
export interface A2aUser {
  readonly isAuthenticated: boolean;
  readonly userName: string;
  readonly identity: Identity;
}

export interface ExecutorOptions {
  sdk: Sdk;
  relay: EndpointRelay;
  view: View;
  route: Route;
  askTimeoutMs: number;
}

interface Live {
  turn: AgentTurn;
  principal: string;
  /** Params of the question that waits. */
  question: JsonObject | undefined;
  /** What was sent of the answer's text. */
  sent: string;
  /** Events of the turn are being published. */
  published: boolean;
}

export class AgentTasks implements AgentExecutor {
  readonly #options: ExecutorOptions;
  readonly #live = new Map<string, Live>();
  /** Threads that servers named, by principal and context. */
  readonly #threads = new Map<string, string>();

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  execute = async (request: RequestContext, bus: ExecutionEventBus): Promise<void> => {
    const { taskId, contextId, userMessage, task } = request;
    const { identity } = request.context.user as unknown as A2aUser;
    const publish = this.#publisher(bus, taskId, contextId);
    publish.task(task ?? newTask(taskId, contextId, userMessage));
    const waiting = this.#live.get(taskId);
    const message = readMessage(userMessage);
    if (waiting?.question && waiting.principal === identity.principal) {
      const { question } = waiting;
      waiting.question = undefined;
      publish.state('WORKING');
      waiting.turn.answer(elicitationResult(question, answerIn(message)));
      await this.#follow(taskId, contextId, waiting, publish);
    } else {
      try {
        const live = this.#begin(identity, contextId, message, userMessage);
        this.#live.set(taskId, live);
        publish.state('WORKING');
        await this.#follow(taskId, contextId, live, publish);
      } catch (error) {
        publish.failed(error);
      }
    }
    bus.finished();
  };

  cancelTask = async (taskId: string, bus: ExecutionEventBus): Promise<void> => {
    const live = this.#live.get(taskId);
    this.#live.delete(taskId);
    live?.turn.cancel('The A2A client cancelled the task.');
    // A turn that is followed ends in its own stream of events.
    if (live?.published) return;
    const { AgentEvent } = this.#options.sdk;
    const status = { state: STATE.CANCELED, message: undefined, timestamp: new Date().toISOString() };
    bus.publish(AgentEvent.statusUpdate({ taskId, contextId: '', status, metadata: undefined }));
    bus.finished();
  };

  #begin(identity: Identity, contextId: string, read: ReturnType<typeof readMessage>, message: Message): Live {
    const { relay, view, route, askTimeoutMs } = this.#options;
    let running = 0;
    for (const each of this.#live.values()) if (each.principal === identity.principal) running++;
    if (running >= MAX_TURNS) {
      throw new SwitchboardError(
        'SWB_QUEUE_FULL',
        `At most ${MAX_TURNS} tasks run at one time. Wait for one, or cancel it.`,
      );
    }
    const { content, data } = read;
    const [input, ...more] = data;
    const blocks = [...content, ...more.map((each) => ({ type: 'text' as const, text: JSON.stringify(each) }))];
    const taskData =
      isObject(message.metadata) && isObject(message.metadata.options) ? message.metadata.options : undefined;
    const thread = this.#threads.get(keyOf(identity, contextId));
    const threadId = thread ?? (route.member.takesThreadIds?.() ? contextId : undefined);
    const plain = blocks.length === 1 && blocks[0]?.type === 'text' ? blocks[0].text : blocks;
    const turn = new AgentTurn({
      relay,
      identity,
      view,
      agent: { server: route.member.name, agent: route.original },
      params: {
        messages: blocks.length === 0 ? [] : [{ role: 'user', content: plain }],
        ...(input === undefined ? {} : { input }),
        ...(threadId === undefined ? {} : { threadId }),
        ...(taskData === undefined ? {} : { options: taskData }),
      },
      client: 'a2a',
      asks: true,
      askTimeoutMs,
    });
    return { turn, principal: identity.principal, question: undefined, sent: '', published: false };
  }

  /** Publishes the turn's events until it waits for the client or is over. */
  async #follow(taskId: string, contextId: string, live: Live, publish: Publisher): Promise<void> {
    live.published = true;
    for (;;) {
      const event = await live.turn.next();
      switch (event.type) {
        case 'text':
          publish.artifact(ANSWER, [textPart(event.text)], live.sent !== '');
          live.sent += event.text;
          break;
        case 'question':
          live.question = event.params;
          live.published = false;
          publish.state(event.params.mode === 'url' ? 'AUTH_REQUIRED' : 'INPUT_REQUIRED', questionParts(event.params));
          return;
        case 'ended':
          this.#live.delete(taskId);
          this.#remember(live.principal, contextId, event.result.threadId);
          publish.ended(event.result, live.sent);
          return;
        case 'failed':
          this.#live.delete(taskId);
          publish.failed(event.error);
          return;
      }
    }
  }

  #remember(principal: string, contextId: string, thread: string | undefined): void {
    if (thread === undefined || thread === contextId) return;
    for (const key of this.#threads.keys()) {
      if (this.#threads.size < MAX_CONTEXTS) break;
      this.#threads.delete(key);
    }
    this.#threads.set(keyOf({ principal }, contextId), thread);
  }

  #publisher(bus: ExecutionEventBus, taskId: string, contextId: string): Publisher {
    const { AgentEvent } = this.#options.sdk;
    return new Publisher(taskId, contextId, {
      task: (task) => bus.publish(AgentEvent.task(task)),
      status: (state, message) => {
        const status = { state, message, timestamp: new Date().toISOString() };
        bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status, metadata: undefined }));
      },
      artifact: (artifactId, parts, append) => {
        const artifact = { artifactId, name: '', description: '', parts, metadata: undefined, extensions: [] };
        const event = { taskId, contextId, artifact, append, lastChunk: false, metadata: undefined };
        bus.publish(AgentEvent.artifactUpdate(event));
      },
    });
  }
}

const keyOf = ({ principal }: Pick<Identity, 'principal'>, contextId: string): string => `${principal}\n${contextId}`;

/** `TaskState` of the SDK; its own enumeration is loaded with it. */
const STATE = {
  SUBMITTED: 1,
  WORKING: 2,
  COMPLETED: 3,
  FAILED: 4,
  CANCELED: 5,
  INPUT_REQUIRED: 6,
  REJECTED: 7,
  AUTH_REQUIRED: 8,
} as const satisfies Record<string, TaskState>;

interface Bus {
  task(task: Task): void;
  status(state: TaskState, message: Message | undefined): void;
  artifact(id: string, parts: Part[], append: boolean): void;
}

class Publisher {
  readonly #taskId: string;
  readonly #contextId: string;
  readonly #bus: Bus;

  constructor(taskId: string, contextId: string, bus: Bus) {
    this.#taskId = taskId;
    this.#contextId = contextId;
    this.#bus = bus;
  }

  task(task: Task): void {
    this.#bus.task(task);
  }

  state(state: keyof typeof STATE, parts?: Part[]): void {
    this.#bus.status(STATE[state], parts && this.#message(parts));
  }

  artifact(id: string, parts: Part[], append: boolean): void {
    this.#bus.artifact(id, parts, append);
  }

  /** What was streamed stands, unless the agent's answer is another text. */
  ended(result: AgentCallResult, sent: string): void {
    const { status, text, interrupts } = result;
    if (status === 'interrupted') {
      this.state('INPUT_REQUIRED', [textPart(text), ...(interrupts ? [dataPart({ interrupts })] : [])]);
      return;
    }
    const parts = answerParts(result);
    if (text !== '' && text !== sent) this.artifact(ANSWER, [textPart(text)], false);
    if (parts.length > 0) this.artifact('attachments', parts, false);
    this.state('COMPLETED');
  }

  failed(error: unknown): void {
    const { message } = toRpcError(error, 'legacy');
    const code = error instanceof SwitchboardError ? error.code : undefined;
    if (code === 'SWB_CANCELLED') this.state('CANCELED');
    else this.state(code === 'SWB_DENIED' ? 'REJECTED' : 'FAILED', [textPart(message)]);
  }

  #message(parts: Part[]): Message {
    return {
      messageId: randomUUID(),
      contextId: this.#contextId,
      taskId: this.#taskId,
      role: 2,
      parts,
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    };
  }
}

function newTask(id: string, contextId: string, message: Message): Task {
  const status = { state: STATE.SUBMITTED, message: undefined, timestamp: new Date().toISOString() };
  return { id, contextId, status, artifacts: [], history: [message], metadata: undefined };
}

/** The question in words, and its form as data. */
function questionParts({ message, requestedSchema, mode, url }: JsonObject): Part[] {
  const parts = [textPart(typeof message === 'string' ? message : 'The agent has a question.')];
  if (mode === 'url' && typeof url === 'string') parts.push(dataPart({ url }));
  else if (isObject(requestedSchema)) parts.push(dataPart({ requestedSchema }));
  return parts;
}
