/**
 * In which replica a task was created. It knows who created it and what of its outcome is hidden, and has the session with the
 * server that runs it: requests about the task are served there, for as long as that replica lives.
 * @module
 */
import { sha256 } from '../../core/hash.ts';
import type { Log } from '../../core/log.ts';
import type { Member } from '../../federation/types.ts';
import type { ReplicaId } from '../../state/replica.ts';
import type { State } from '../../state/state.ts';

const NAMESPACE = 'task-places';
/** Longer than clients poll a task. */
const KEEP_MS = 12 * 3_600_000;

export class TaskPlaces {
  readonly #state: Pick<State, 'kv' | 'replica'>;
  readonly #log: Log;

  constructor(state: Pick<State, 'kv' | 'replica'>, log: Log) {
    this.#state = state;
    this.#log = log;
  }

  /** Never rejects: a task without a place is still found in this replica. */
  async note(member: Member, taskId: string): Promise<void> {
    try {
      await this.#state.kv.set(NAMESPACE, keyOf(member, taskId), this.#state.replica, KEEP_MS);
    } catch (error) {
      this.#log.warn({ err: error, server: member.name }, 'Other replicas do not know where this task is.');
    }
  }

  async find(member: Member, taskId: string): Promise<ReplicaId | undefined> {
    const place = await this.#state.kv.get(NAMESPACE, keyOf(member, taskId));
    return typeof place === 'string' ? place : undefined;
  }
}

/** Servers choose ids of any length. */
const keyOf = ({ name }: Member, taskId: string): string => sha256(JSON.stringify([name, taskId]));
