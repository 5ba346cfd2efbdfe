/**
 * What a webhook is told of a task: in 1.0 the events of a stream, whole artifacts first and the state last; in 0.3 the task.
 * @module
 */
import type { StreamResponse, Task } from '@a2a-js/sdk';
import { artifactEvent, FINAL, STATE } from '../events.ts';
import type { Sdk } from '../sdk.ts';
import type { Version } from './store.ts';

/** The body of one POST. */
export interface Notice {
  body: string;
  contentType: string;
}

/** Of one body, in bytes. What is longer is left out: `GetTask` has it. */
export const MAX_BODY = 1024 * 1024;

export function noticesOf(sdk: Sdk, task: Task, version: Version): Notice[] {
  return version === '0.3' ? [taskNotice(sdk, task)] : eventNotices(sdk, task);
}

function eventNotices(sdk: Sdk, task: Task): Notice[] {
  const { id, contextId, status, artifacts } = task;
  const state = status?.state ?? STATE.SUBMITTED;
  // While the agent works, what it says is not whole.
  const whole = state === STATE.WORKING ? [] : artifacts;
  const events: StreamResponse[] = whole.map((artifact) => ({
    payload: {
      $case: 'artifactUpdate',
      value: { ...artifactEvent(task, artifact, false), lastChunk: FINAL.has(state) },
    },
  }));
  events.push({
    payload: { $case: 'statusUpdate', value: { taskId: id, contextId, status, metadata: task.metadata } },
  });
  const serializer = new sdk.V1PushNotificationSerializer();
  return events.map((event) => serializer.serialize(event)).filter(isShort);
}

function taskNotice(sdk: Sdk, task: Task): Notice {
  const serializer = new sdk.V03PushNotificationSerializer();
  const noticeOf = (value: Task): Notice => serializer.serialize({ payload: { $case: 'task', value } }, value);
  const shorter: Task[] = [task, { ...task, history: [] }, { ...task, history: [], artifacts: [] }];
  const notices = shorter.map(noticeOf);
  return notices.find(isShort) ?? (notices.at(-1) as Notice);
}

const isShort = ({ body }: Notice): boolean => Buffer.byteLength(body) <= MAX_BODY;
