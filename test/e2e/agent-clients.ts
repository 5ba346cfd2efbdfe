/**
 * What clients of other protocols than MCP send to a gateway, and what they read of its replies: the official A2A client, and OpenAI's.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { Message, StreamResponse, Task, TaskState } from '@a2a-js/sdk';
import { type Client, ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory } from '@a2a-js/sdk/client';
import OpenAI from 'openai';
import type { Response } from 'openai/resources/responses/responses';
import type { RunningGateway } from './gateway.ts';

export const CARD = '.well-known/agent-card.json';

/** A client of A2A 1.0 over JSON-RPC. `agent` is `server/agent`; `headers` are those of its key. */
export function a2aClient(at: RunningGateway, agent: string, headers: Record<string, string> = {}): Promise<Client> {
  const fetchImpl: typeof fetch = (url, init) =>
    fetch(url, { ...init, headers: { ...(init?.headers as Record<string, string>), ...headers } });
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory({ fetchImpl })],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
  });
  return factory.createFromUrl(at.at(`/a2a/${agent}/`).href, CARD);
}

/** Params of `SendMessage`. */
export const message = (text: string, more: Partial<Message> = {}, returnImmediately = false) => ({
  tenant: '',
  metadata: undefined,
  configuration: returnImmediately
    ? { acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately }
    : undefined,
  message: {
    messageId: randomUUID(),
    contextId: '',
    taskId: '',
    role: 1,
    parts: [{ content: { $case: 'text' as const, value: text }, metadata: undefined, filename: '', mediaType: '' }],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
    ...more,
  },
});

/** Params of `GetTask`, `SubscribeToTask` and `CancelTask`. */
export const about = (id: string) => ({ id, tenant: '', metadata: undefined, historyLength: undefined });

export const textIn = (parts: Message['parts'] = []): string =>
  parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join('');

export const answerOf = ({ artifacts }: Task): string => artifacts.map(({ parts }) => textIn(parts)).join('|');

/** What a client makes of a stream: the text of the answer, and the states in its events. */
export interface Followed {
  text: string;
  states: TaskState[];
}

/** Follows a stream to its end; `each` is called after each event. */
export async function follow(
  stream: AsyncIterable<StreamResponse>,
  each: (so: Followed, event: StreamResponse) => Promise<void> | void = () => {},
): Promise<Followed> {
  const followed: Followed = { text: '', states: [] };
  for await (const event of stream) {
    const { payload } = event;
    if (payload?.$case === 'task') {
      followed.text = answerOf(payload.value);
      if (payload.value.status) followed.states.push(payload.value.status.state);
    } else if (payload?.$case === 'statusUpdate' && payload.value.status) {
      followed.states.push(payload.value.status.state);
    } else if (payload?.$case === 'artifactUpdate') {
      followed.text = (payload.value.append ? followed.text : '') + textIn(payload.value.artifact?.parts);
    }
    await each(followed, event);
  }
  return followed;
}

export const openai = (at: RunningGateway, apiKey = 'none'): OpenAI =>
  new OpenAI({ baseURL: at.at('/v1').href, apiKey, maxRetries: 0 });

/** The question that a response ends with. */
export function questionIn({ output, ...more }: Response) {
  const item = output.find(({ type }) => type === 'function_call');
  if (item?.type !== 'function_call') throw new Error(`No question: ${JSON.stringify({ ...more, output })}`);
  return item;
}

/** The request that answers it. */
export const answerTo = (response: Response, output: string) => ({
  model: response.model,
  previous_response_id: response.id,
  input: [{ type: 'function_call_output' as const, call_id: questionIn(response).call_id, output }],
});
