/**
 * What the relay keeps about tasks: whose they are, how they are asked after, and what waits in a client's place.
 * @module
 */
import { ClientTasks } from './client-tasks.ts';
import { TaskLanes } from './lanes.ts';
import { type QuestionLimits, TaskQuestions } from './questions.ts';
import { TaskLedger } from './task-owners.ts';

export class Tasks {
  readonly ledger = new TaskLedger();
  readonly lanes = new TaskLanes();
  readonly questions: TaskQuestions;
  readonly ofClients = new ClientTasks();

  constructor(limits?: QuestionLimits) {
    this.questions = new TaskQuestions(limits);
  }
}
