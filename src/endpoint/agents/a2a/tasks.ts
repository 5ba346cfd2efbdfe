/**
 * Tasks of A2A clients, by principal: another principal's task does not exist. A task is in the state from its beginning, and again
 * when it asks or is over, so any replica finds it, also after a restart. How it stands meanwhile, and what its agent has said, is asked
 * of its run, whichever process reads that.
 * @module
 */
import type { ListTasksRequest, ListTasksResponse, Task } from '@a2a-js/sdk';
import type { ServerCallContext, TaskStore } from '@a2a-js/sdk/server';
import { isOver } from '../../../relay/runs/stored-runs.ts';
import type { JsonValue } from '../../../state/state.ts';
import { isObject } from '../../../wire/jsonrpc.ts';
import type { Kept } from '../kept.ts';
import { type AgentRuns, AgentTurn, outcomeOf } from '../turn.ts';
import { textPart } from './content.ts';
import {
  ANSWER,
  artifactOf,
  FINAL,
  isOf,
  outcomeEvents,
  questionEvent,
  runOf,
  STATE,
  statusOf,
  withArtifact,
} from './events.ts';
import type { Sdk } from './sdk.ts';
import { rememberThread } from './threads.ts';
import type { A2aUser } from './user.ts';

const MAX_PAGE = 100;
/** Tasks that are followed here, of all principals. Runs are bounded by principal. */
const MAX_FOLLOWED = 5_000;

/** A task as it stands. */
export interface Standing {
  task: Task;
  /** What its run comes to next, where that goes on: it follows on what the task shows. The reader leaves it. */
  turn: AgentTurn | undefined;
  /** The text of the agent that the task shows. */
  said: string;
}

export class KeptTasks implements TaskStore {
  readonly #sdk: Sdk;
  readonly #kept: Kept;
  readonly #runs: AgentRuns;
  readonly #threads: Kept;
  /** What the SDK makes of tasks whose messages are being answered. */
  readonly #followed = new Map<string, Task>();

  /** `threads`: those that servers named, by context. */
  constructor(sdk: Sdk, { kept, runs, threads }: { kept: Kept; runs: AgentRuns; threads: Kept }) {
    this.#sdk = sdk;
    this.#kept = kept;
    this.#runs = runs;
    this.#threads = threads;
  }

  async save(task: Task, context: ServerCallContext): Promise<void> {
    const { userName } = userOf(context);
    const key = `${userName}\n${task.id}`;
    const state = task.status?.state ?? STATE.SUBMITTED;
    const changedAt = Date.now();
    const isMoving = state === STATE.WORKING || state === STATE.SUBMITTED;
    const isFollowed = this.#followed.has(key);
    const copy = structuredClone(task);
    if (isFollowed || (isMoving && this.#followed.size < MAX_FOLLOWED)) this.#followed.set(key, copy);
    // Pieces of text come often: they are in memory until the task asks or is over.
    if (isMoving && isFollowed) return;
    await this.#keep(userName, copy, changedAt);
    if (!isMoving) this.#followed.delete(key);
    // The SDK cancels tasks that it does not follow here without calling the executor.
    if (state === STATE.CANCELED) await this.#cancelRun(task, context);
  }

  async load(id: string, context: ServerCallContext): Promise<Task | undefined> {
    const user = userOf(context);
    const followed = user.sends && this.#followed.get(`${user.userName}\n${id}`);
    if (followed) return isOf(user.agent, followed) ? structuredClone(followed) : undefined;
    const found = await this.standing(id, context);
    found?.turn?.leave();
    return found?.task;
  }

  async standing(id: string, context: ServerCallContext): Promise<Standing | undefined> {
    const task = await this.kept(id, context);
    return task && this.#asItStands(task, userOf(context));
  }

  /** The task as it was when it last began, asked or ended. */
  async kept(id: string, context: ServerCallContext): Promise<Task | undefined> {
    const { userName, agent } = userOf(context);
    const task = this.#read(await this.#kept.get(userName, id))?.task;
    return task && isOf(agent, task) ? task : undefined;
  }

  async list(request: ListTasksRequest, context: ServerCallContext): Promise<ListTasksResponse> {
    const { contextId, status, pageSize = 50, pageToken } = request;
    const user = userOf(context);
    const after = request.statusTimestampAfter === undefined ? 0 : Date.parse(request.statusTimestampAfter);
    const found = new Map<string, { task: Task; changedAt: number }>();
    const kept = (await this.#kept.all(user.userName)).flatMap((value) => {
      const read = this.#read(value);
      return read && isOf(user.agent, read.task) ? [read] : [];
    });
    const standing = await Promise.all(
      kept.map(async ({ task }) => {
        const stands = await this.#asItStands(task, user);
        stands.turn?.leave();
        return stands.task;
      }),
    );
    for (const [index, task] of standing.entries()) {
      found.set(task.id, { task, changedAt: kept[index]?.changedAt ?? 0 });
    }
    const all = [...found.values()]
      .sort((a, b) => b.changedAt - a.changedAt)
      .filter(({ task, changedAt }) => {
        if (contextId !== '' && task.contextId !== contextId) return false;
        if (status !== 0 && task.status?.state !== status) return false;
        return changedAt >= after;
      });
    const size = Math.min(Math.max(pageSize, 1), MAX_PAGE);
    const from = Math.max(0, Number.parseInt(pageToken, 10) || 0);
    const page = all.slice(from, from + size);
    return {
      tasks: page.map(({ task }) => structuredClone(task)),
      nextPageToken: from + size < all.length ? String(from + size) : '',
      pageSize: size,
      totalSize: all.length,
    };
  }

  #keep(principal: string, task: Task, changedAt: number): Promise<void> {
    const encode = (shown: Task): JsonValue => ({ task: this.#sdk.Task.toJSON(shown) as JsonValue, changedAt });
    const short = (bytes: number): JsonValue => {
      const says = `The answer has ${bytes} bytes: too long to be kept beyond the process that received it.`;
      return encode({ ...task, history: [], artifacts: [artifactOf(ANSWER, [textPart(says)])] });
    };
    return this.#kept.set(principal, task.id, encode(task), short);
  }

  #read(value: JsonValue | undefined): { task: Task; changedAt: number } | undefined {
    if (!isObject(value) || !isObject(value.task)) return undefined;
    return { task: this.#sdk.Task.fromJSON(value.task), changedAt: Number(value.changedAt) };
  }

  /** The task with what its run has come to, and with what was said of an answer that is being made. */
  async #asItStands(task: Task, user: A2aUser): Promise<Standing> {
    const id = runOf(task);
    if (id === undefined || FINAL.has(task.status?.state ?? 0)) return { task, turn: undefined, said: '' };
    const turn = await AgentTurn.find(this.#runs, user.identity, 'a2a', id);
    let goesOn = false;
    try {
      const standing = await this.#withTurn(task, user, turn);
      goesOn = standing.turn !== undefined;
      return standing;
    } finally {
      if (!goesOn) turn?.leave();
    }
  }

  async #withTurn(task: Task, { userName }: A2aUser, turn: AgentTurn | undefined): Promise<Standing> {
    const stands = (shown: Task): Standing => ({ task: shown, turn: undefined, said: '' });
    const pieces = (await turn?.soFar()) ?? [];
    const record = await turn?.record();
    if (!turn || !record) {
      // What ended as interrupted waits for a message, and not for its run.
      if (task.status?.state === STATE.INPUT_REQUIRED) return stands(task);
      const lost = textPart('What became of this task is not known any more.');
      return stands({ ...task, status: statusOf(task, STATE.FAILED, [lost]) });
    }
    const question = await turn.question();
    if (question || !isOver(record.status)) {
      const said = pieces.length === 0 ? task.artifacts : withArtifact(task, artifactOf(ANSWER, pieces.map(textPart)));
      const { state, parts } = question ? questionEvent(question.params) : { state: STATE.WORKING, parts: undefined };
      const status = task.status?.state === state ? task.status : statusOf(task, state, parts);
      return { task: { ...task, artifacts: said, status }, turn, said: pieces.join('') };
    }
    const outcome = outcomeOf(record);
    if (outcome.type !== 'ended' && outcome.type !== 'failed') return stands(task);
    if (
      task.status?.state === STATE.INPUT_REQUIRED &&
      outcome.type === 'ended' &&
      outcome.result.status === 'interrupted'
    ) {
      return stands(task);
    }
    const ended = structuredClone(task);
    for (const event of outcomeEvents(outcome, '')) {
      if ('artifact' in event) ended.artifacts = withArtifact(ended, artifactOf(event.artifact, event.parts));
      else ended.status = statusOf(task, event.state, event.parts);
    }
    await this.#keep(userName, ended, record.updatedAt);
    const thread = outcome.type === 'ended' ? outcome.result.threadId : undefined;
    await rememberThread(this.#threads, userName, task.contextId, thread);
    return stands(ended);
  }

  async #cancelRun(task: Task, context: ServerCallContext): Promise<void> {
    const id = runOf(task);
    const turn = id && (await AgentTurn.find(this.#runs, userOf(context).identity, 'a2a', id));
    if (!turn) return;
    await turn.cancel('The A2A client cancelled the task.').finally(() => turn.leave());
  }
}

const userOf = ({ user }: ServerCallContext): A2aUser => user as unknown as A2aUser;
