/**
 * `SubscribeToTask`: a task as it stands, and what comes of it until it asks its client or is over. Where the run of the task is
 * read does not matter: another replica sends what is said, and after a restart of the gateway the run is taken up again.
 * @module
 */
import type { StreamResponse } from '@a2a-js/sdk';
import type { ServerCallContext } from '@a2a-js/sdk/server';
import { isShutdown } from '../../../core/errors.ts';
import { textPart } from './content.ts';
import {
  ANSWER,
  artifactEvent,
  artifactOf,
  FINAL,
  outcomeEvents,
  questionEvent,
  STATE,
  type StateEvent,
  statusEvent,
} from './events.ts';
import type { Sdk } from './sdk.ts';
import type { KeptTasks } from './tasks.ts';
import type { A2aUser } from './user.ts';

export async function* subscribe(
  sdk: Sdk,
  tasks: KeptTasks,
  id: string,
  context: ServerCallContext,
): AsyncGenerator<StreamResponse, void, undefined> {
  const { left } = context.user as unknown as A2aUser;
  const standing = await tasks.standing(id, context);
  if (!standing) throw new sdk.TaskNotFoundError(`Task not found: ${id}`);
  const { task, turn } = standing;
  const state = task.status?.state ?? STATE.SUBMITTED;
  if (FINAL.has(state)) {
    throw new sdk.UnsupportedOperationError(`Task ${id} is over: GetTask has what came of it.`);
  }
  let { said } = standing;
  const status = (event: StateEvent): StreamResponse => ({
    payload: { $case: 'statusUpdate', value: statusEvent(task, event) },
  });
  const artifact = (name: string, parts: Parameters<typeof artifactOf>[1], sent: boolean): StreamResponse => ({
    payload: { $case: 'artifactUpdate', value: artifactEvent(task, artifactOf(name, parts), sent) },
  });
  const leave = (): void => turn?.leave();
  left.addEventListener('abort', leave, { once: true });
  try {
    yield { payload: { $case: 'task', value: task } };
    if (!turn || left.aborted) return;
    // A client that takes up a task which waits is sent what comes of the answer, whichever client gives it.
    let waits = await turn.question();
    if (waits) await turn.pass(waits);
    for (;;) {
      const event = await turn.next();
      if (left.aborted) return;
      // The next gateway on the state goes on with it.
      if (event.type === 'failed' && isShutdown(event.error)) return;
      if (waits) {
        waits = undefined;
        said = '';
        yield status({ state: STATE.WORKING });
      }
      if (event.type === 'text') {
        yield artifact(ANSWER, [textPart(event.text)], said !== '');
        said += event.text;
        continue;
      }
      if (event.type === 'question') {
        yield status(questionEvent(event.question.params));
        return;
      }
      for (const each of outcomeEvents(event, said)) {
        yield 'artifact' in each ? artifact(each.artifact, each.parts, false) : status(each);
      }
      return;
    }
  } finally {
    left.removeEventListener('abort', leave);
    leave();
  }
}
