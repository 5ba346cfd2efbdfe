/**
 * The client of SDK v1 with its tasks of 2025-11-25, with the notifications and requests it received.
 * @module
 */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryTaskMessageQueue, InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CallToolResultSchema, ElicitRequestSchema, type ElicitResult } from '@modelcontextprotocol/sdk/types.js';

export type Way = { http: string | URL } | { stdio: { command: string; args: string[] } };

export interface Heard {
  method: string;
  params: Record<string, unknown>;
}

export interface V1Client {
  client: Client;
  tasks: Client['experimental']['tasks'];
  /** Params of questions, in order. */
  asked: Record<string, unknown>[];
  heard: Heard[];
  /** Runs the tool as a task to its end, as the SDK does it. */
  run(tool: string, args: Record<string, unknown>): Promise<Run>;
  close(): Promise<void>;
}

export interface Run {
  taskId: string;
  /** As seen in polls, without repetitions. */
  statuses: string[];
  text: string;
  meta: Record<string, unknown> | undefined;
}

export interface V1Options {
  /** What the person says to a question; without it the client cannot be asked. */
  answer?: Record<string, unknown>;
  /** Answers questions as tasks of its own. */
  ownTasks?: boolean;
}

export async function connectV1(way: Way, { answer, ownTasks }: V1Options = {}): Promise<V1Client> {
  const store = new InMemoryTaskStore();
  const client = new Client(
    { name: 'extensions-v1', version: '1.0.0' },
    {
      capabilities: {
        ...(answer ? { elicitation: { form: {}, url: {} } } : {}),
        ...(ownTasks ? { tasks: { list: {}, cancel: {}, requests: { elicitation: { create: {} } } } } : {}),
      },
      ...(ownTasks ? { taskStore: store, taskMessageQueue: new InMemoryTaskMessageQueue() } : {}),
    },
  );
  const asked: Record<string, unknown>[] = [];
  const heard: Heard[] = [];
  if (answer) {
    client.setRequestHandler(ElicitRequestSchema, async ({ params }, extra) => {
      asked.push({ ...params });
      const result = { action: 'accept', content: answer } as ElicitResult;
      if (!params.task || !extra.taskStore) return result;
      const task = await extra.taskStore.createTask({ ttl: 60_000, pollInterval: 50 });
      await extra.taskStore.storeTaskResult(task.taskId, 'completed', result);
      return { task } as unknown as ElicitResult;
    });
  }
  client.fallbackNotificationHandler = async ({ method, params }) => {
    heard.push({ method, params: { ...params } });
  };
  const transport =
    'stdio' in way
      ? new StdioClientTransport({ ...way.stdio, stderr: 'ignore' })
      : (new StreamableHTTPClientTransport(new URL(way.http)) as Transport);
  await client.connect(transport);
  const { tasks } = client.experimental;
  return {
    client,
    tasks,
    asked,
    heard,
    async run(tool, args) {
      const found: Run = { taskId: '', statuses: [], text: '', meta: undefined };
      const stream = tasks.callToolStream({ name: tool, arguments: args }, CallToolResultSchema, {
        task: { ttl: 60_000 },
        timeout: 30_000,
      });
      for await (const message of stream) {
        if (message.type === 'error') throw message.error;
        if (message.type === 'taskCreated') found.taskId = message.task.taskId;
        if (message.type === 'taskStatus' && found.statuses.at(-1) !== message.task.status) {
          found.statuses.push(message.task.status);
        }
        if (message.type === 'result') {
          const { content, _meta } = message.result;
          found.text = content[0]?.type === 'text' ? content[0].text : '';
          found.meta = _meta;
        }
      }
      return found;
    },
    async close() {
      store.cleanup();
      await client.close();
    },
  };
}
