/** A client of A2A that does not read the stream of its task. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';

let remote: A2aFixture;
let gateway: OwnGateway;

beforeAll(async () => {
  remote = await startA2a('1.0 JSONRPC');
  gateway = await startReadyGateway({ servers: { remote: { url: remote.url, kind: 'a2a' } } });
});
afterAll(async () => {
  await gateway?.close();
  await remote?.stop();
});

const headers = { 'content-type': 'application/json', 'a2a-version': '1.0' };
const rpc = (method: string, params: object): string => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });

/** Sends a message for a stream; what comes is left with the kernel. */
async function unreadStream(text: string): Promise<IncomingMessage> {
  const sent = request(gateway.at('/a2a/remote/Test-Agent'), { method: 'POST', agent: false, headers });
  sent.end(rpc('SendStreamingMessage', { message: { messageId: 'm', role: 'ROLE_USER', parts: [{ text }] } }));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function whole(method: string, params: object): Promise<string> {
  const body = rpc(method, params);
  return (await fetch(gateway.at('/a2a/remote/Test-Agent'), { method: 'POST', headers, body })).text();
}

async function ask(method: string, params: object) {
  const { result } = JSON.parse(await whole(method, params));
  return result as { tasks: { id: string }[]; status: { state: string } };
}

it('a task whose stream is not read is cancelled by another request', async () => {
  const stream = await unreadStream('flood 100');
  try {
    const id = await until(async () => (await ask('ListTasks', {})).tasks[0]?.id, 'the task');
    await until(async () => (await whole('GetTask', { id })).includes('All is said.'), 'the agent to have said all');
    const cancelled = await ask('CancelTask', { id });
    expect(cancelled.status.state).toBe('TASK_STATE_CANCELED');
    await until(() => remote.events.some(({ event }) => event === 'cancelled'), 'the agent to be cancelled');
    expect((await ask('GetTask', { id })).status.state).toBe('TASK_STATE_CANCELED');
  } finally {
    stream.destroy();
  }
});
