/**
 * Another program in the demo: an agent's client that speaks A2A and no MCP. It is the official SDK's.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { type Task, TaskState } from '@a2a-js/sdk';
import { type Client, ClientFactory } from '@a2a-js/sdk/client';

export interface Answer {
  /** `INPUT_REQUIRED`, `COMPLETED`, … */
  state: string;
  text: string;
  task: Task;
}

export class Colleague {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  /** `url` is that of the agent at the gateway, with a slash at its end. */
  static async meet(url: string): Promise<Colleague> {
    return new Colleague(await new ClientFactory().createFromUrl(url));
  }

  async say(text: string, { id: taskId = '', contextId = '' }: Partial<Task> = {}): Promise<Answer> {
    const part = { content: { $case: 'text' as const, value: text }, metadata: undefined, filename: '', mediaType: '' };
    const message = { messageId: randomUUID(), contextId, taskId, role: 1, parts: [part], metadata: undefined };
    const result = await this.#client.sendMessage({
      tenant: '',
      configuration: undefined,
      metadata: undefined,
      message: { ...message, extensions: [], referenceTaskIds: [] },
    });
    if (!('status' in result)) throw new Error('The agent answered without a task.');
    const parts = result.status?.message?.parts ?? result.artifacts.flatMap((artifact) => artifact.parts);
    return {
      state: TaskState[result.status?.state ?? 0]?.replace('TASK_STATE_', '') ?? 'UNKNOWN',
      text: parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join(''),
      task: result,
    };
  }
}
