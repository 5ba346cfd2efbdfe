/** Agents offered by A2A and the Responses API obey the policy of MCP, and belong to the principal that called them. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';
import { grant } from '../policy/grants.ts';

const ALLOW = { version: '1', default: 'allow', tools: {} };
const alice = grant({ policy: ALLOW });
const bob = grant({ policy: ALLOW });
const guest = grant({ policy: { version: '1', default: 'deny', tools: {} } });

let agent: A2aFixture;
let gateway: OwnGateway;

beforeAll(async () => {
  agent = await startA2a('1.0 JSONRPC');
  gateway = await startReadyGateway({
    servers: { remote: { url: agent.url, kind: 'a2a' } },
    gateway: { grants: { alice: alice.entry, bob: bob.entry, guest: guest.entry } },
  });
});
afterAll(async () => {
  await gateway?.close();
  await agent?.stop();
});

type Json = Record<string, unknown>;

async function send(
  path: string,
  as: typeof alice | undefined,
  body?: unknown,
): Promise<{ status: number; json: Json }> {
  const response = await fetch(gateway.at(path), {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...as?.headers,
      'a2a-version': '1.0',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as Json };
}

const A2A = '/a2a/remote/Test-Agent';

const rpc = (method: string, params: Json) => ({ jsonrpc: '2.0', id: 1, method, params });
const message = (text: string, more: Json = {}) =>
  rpc('SendMessage', { message: { messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text }], ...more } });

async function waitingTask(as: typeof alice): Promise<{ id: string; contextId: string }> {
  const { json } = await send(A2A, as, message('ask'));
  const { task } = json.result as { task: { id: string; contextId: string; status: { state: string } } };
  expect(task.status.state).toBe('TASK_STATE_INPUT_REQUIRED');
  return task;
}

describe('Agents offered by other protocols', () => {
  it('need a key where MCP does', async () => {
    for (const path of ['/a2a', `${A2A}/.well-known/agent-card.json`, '/v1/models']) {
      expect([path, (await send(path, undefined)).status]).toEqual([path, 401]);
    }
    expect((await send(A2A, undefined, message('hello'))).status).toBe(401);
    expect((await send('/v1/responses', undefined, { model: 'remote/Test-Agent', input: 'x' })).status).toBe(401);
  });

  it('say in their card that they need one', async () => {
    const { json } = await send(`${A2A}/.well-known/agent-card.json`, alice);
    expect(json).toMatchObject({ securitySchemes: { key: { scheme: 'bearer' } } });
  });

  it('that a grant may not see do not exist for it, in the words of agents that do not', async () => {
    expect((await send('/a2a', guest)).json).toEqual({ agents: [] });
    expect((await send('/v1/models', guest)).json).toMatchObject({ data: [] });
    const [hidden, missing] = [
      await send(A2A, guest, message('x')),
      await send('/a2a/remote/nobody', guest, message('x')),
    ];
    expect(hidden).toEqual(missing);
    expect(hidden.status).toBe(404);
    const started = agent.events.length;
    const refused = await send('/v1/responses', guest, { model: 'remote/Test-Agent', input: 'x' });
    const unknown = await send('/v1/responses', guest, { model: 'remote/Nobodyyyy', input: 'x' });
    expect(refused.status).toBe(404);
    expect(JSON.stringify(refused.json).replaceAll('Test-Agent', 'Nobodyyyy')).toBe(JSON.stringify(unknown.json));
    expect(agent.events.length).toBe(started);
  });

  it('keep a task from another principal: it cannot be read, answered, followed or cancelled', async () => {
    const { id, contextId } = await waitingTask(alice);
    for (const method of ['GetTask', 'CancelTask', 'SubscribeToTask']) {
      const { json } = await send(A2A, bob, rpc(method, { id }));
      expect([method, (json.error as Json)?.code]).toEqual([method, -32001]);
    }
    const stolen = await send(A2A, bob, message('mine', { taskId: id, contextId }));
    expect(stolen.json.error).toMatchObject({ code: -32001 });
    expect(((await send(A2A, bob, rpc('ListTasks', {}))).json.result as Json).totalSize).toBe(0);
    const { json } = await send(A2A, alice, message('blue', { taskId: id, contextId }));
    expect(JSON.stringify(json)).toContain('You chose blue.');
  });

  it('keep a response from another principal', async () => {
    const { json } = await send('/v1/responses', alice, { model: 'remote/Test-Agent', input: 'ask' });
    const id = String(json.id);
    expect((await send(`/v1/responses/${id}`, alice)).status).toBe(200);
    expect((await send(`/v1/responses/${id}`, bob)).status).toBe(404);
    expect((await send(`/v1/responses/${id}/cancel`, bob, {})).status).toBe(404);
    const again = { model: 'remote/Test-Agent', input: 'x', previous_response_id: id };
    expect((await send('/v1/responses', bob, again)).status).toBe(404);
  });

  it('can be switched off', async () => {
    const closed = await startReadyGateway({
      servers: { remote: { url: agent.url, kind: 'a2a' } },
      gateway: { agents: { a2a: false, responses: false } },
    });
    for (const path of ['/a2a', A2A, '/v1/models'])
      expect([path, (await fetch(closed.at(path))).status]).toEqual([path, 404]);
    await closed.close();
  });
});
