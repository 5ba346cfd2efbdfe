/**
 * The bodies that a webhook receives about a task: in 1.0 the events of a stream, whole artifacts first and the state last; in 0.3 the task.
 * @module
 */
import type { Artifact, StreamResponse, Task, TaskStatus } from '@a2a-js/sdk';
import { textPart } from '../content.ts';
import { artifactEvent, artifactOf, FINAL, STATE, statusOf } from '../events.ts';
import type { Sdk } from '../sdk.ts';
import type { Version } from './store.ts';

/** The body of one POST. */
export interface Notice {
  body: string;
  contentType: string;
}

/** Of one body, in bytes. What makes it longer is left out, and a word says so: `GetTask` has it. */
const MAX_BODY = 1024 * 1024;

const TOO_LONG = textPart('This is over 1 MiB, too long for a push notification: GetTask has it.');

export function noticesOf(sdk: Sdk, task: Task, version: Version): Notice[] {
  return version === '0.3' ? [taskNotice(sdk, task)] : eventNotices(sdk, task);
}

function eventNotices(sdk: Sdk, task: Task): Notice[] {
  const { id, contextId, status, artifacts } = task;
  const state = status?.state ?? STATE.SUBMITTED;
  // While the agent works, what it says is not whole.
  const whole = state === STATE.WORKING ? [] : artifacts;
  const serializer = new sdk.V1PushNotificationSerializer();
  const noticeOf = (payload: StreamResponse['payload']): Notice => serializer.serialize({ payload });
  const artifactNotice = (artifact: Artifact): Notice =>
    noticeOf({
      $case: 'artifactUpdate',
      value: { ...artifactEvent(task, artifact, false), lastChunk: FINAL.has(state) },
    });
  const stateNotice = (more: Pick<Task, 'status' | 'metadata'>): Notice =>
    noticeOf({ $case: 'statusUpdate', value: { taskId: id, contextId, ...more } });
  const shown = stateNotice({ status, metadata: task.metadata });
  // A state is always told, and what the agent says of it where there is room.
  const short = (): Notice => stateNotice({ status: shortStatus(task), metadata: undefined });
  return [
    ...whole.map((artifact) => {
      const notice = artifactNotice(artifact);
      return isShort(notice) ? notice : artifactNotice(artifactOf(artifact.artifactId, [TOO_LONG]));
    }),
    isShort(shown) ? shown : short(),
  ];
}

function taskNotice(sdk: Sdk, task: Task): Notice {
  const serializer = new sdk.V03PushNotificationSerializer();
  const noticeOf = (value: Task): Notice => serializer.serialize({ payload: { $case: 'task', value } }, value);
  const bare: Task = { ...task, history: [], artifacts: [] };
  const shorter: Task[] = [
    task,
    { ...task, history: [] },
    bare,
    { ...bare, status: shortStatus(task), metadata: undefined },
  ];
  const notices = shorter.map(noticeOf);
  return notices.find(isShort) ?? (notices.at(-1) as Notice);
}

/** The state, without what the agent says of it. */
function shortStatus(task: Task): TaskStatus {
  const { state = STATE.SUBMITTED, timestamp } = task.status ?? {};
  return { ...statusOf(task, state, [TOO_LONG]), timestamp };
}

const isShort = ({ body }: Notice): boolean => Buffer.byteLength(body) <= MAX_BODY;
