/** Questions of servers in the middle of a call: every sort of client is asked in its own way, and only if it can be. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, startV1Http, startV1Sse, startV2Http } from '../fixtures/mcp/http.ts';
import { stdioFixture } from '../fixtures/mcp/stdio.ts';
import { type ClientKind, Clients, type Person, type TestClient, textOf, type Way } from './clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { modernRequest, send } from './raw.ts';
import { EVERYTHING, type EverythingServer, startEverything } from './upstreams/everything.ts';

let legacy: HttpFixture;
let modern: HttpFixture;
let old: HttpFixture;
let everything: EverythingServer;
const child = stdioFixture('v1');
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [legacy, modern, old, everything] = await Promise.all([
    startV1Http(),
    startV2Http('modern'),
    startV1Sse(),
    startEverything(),
  ]);
  const { command, args, env } = child.target;
  gateway = await startReadyGateway({
    servers: {
      legacy: { url: legacy.url },
      modern: { url: modern.url },
      old: { url: old.url },
      child: { command, args, env },
      everything: EVERYTHING,
      web: { url: everything.url },
    },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  child.close();
  await Promise.all([legacy?.close(), modern?.close(), old?.close(), everything?.kill()]);
});

const MODEL = { model: 'scripted', role: 'assistant', content: { type: 'text', text: 'Hello from the client.' } };

/** Accepts everything under this name, and keeps what was asked. */
function person(name: string): Person & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    elicit: ({ message }) => {
      asked.push(String(message));
      return { action: 'accept', content: { name } };
    },
    sample: () => {
      asked.push('sampling');
      return MODEL;
    },
    roots: [{ uri: 'file:///home/ada/project', name: 'project' }],
  };
}

const WAYS: [label: string, kind: ClientKind, way: () => Way][] = [
  ['a legacy client', 'v1', () => ({ http: gateway.url })],
  ['a legacy client over the old HTTP+SSE', 'v1', () => ({ sse: gateway.at('/sse') })],
  ['a modern client', 'v2-modern', () => ({ http: gateway.url })],
];

describe.each(WAYS)('%s', (_, kind, way) => {
  it.each(['legacy', 'modern', 'old', 'child'])('is asked by the server %s', async (server) => {
    const ada = person('Ada');
    const client = await clients.connect(kind, way(), ada);
    expect(textOf(await client.call(`${server}__ask`))).toBe('accept: {"name":"Ada"}');
    expect(textOf(await client.call(`${server}__sample`))).toContain('Hello from the client.');
    expect(textOf(await client.call(`${server}__roots`))).toContain('file:///home/ada/project');
    expect(ada.asked).toEqual(['What is your name?', 'sampling']);
  });

  it.each(['everything', 'web'])('is asked by the reference server: %s', async (server) => {
    const ada = person('Ada');
    const client = await clients.connect(kind, way(), ada);
    const elicited = await client.call(`${server}__trigger-elicitation-request`);
    expect(JSON.stringify(elicited.content)).toContain('Name: Ada');
    const sampled = await client.call(`${server}__trigger-sampling-request`, { prompt: 'Say hello.', maxTokens: 10 });
    expect(textOf(sampled)).toContain('Hello from the client.');
    expect(textOf(await client.call(`${server}__get-roots-list`))).toContain('file:///home/ada/project');
    expect(ada.asked).toEqual(['Please provide inputs for the following fields:', 'sampling']);
  });

  it('receives what the person declined', async () => {
    const client = await clients.connect(kind, way(), { elicit: () => ({ action: 'decline' }) });
    for (const server of ['legacy', 'modern', 'child']) {
      expect(textOf(await client.call(`${server}__ask`)), server).toMatch(/^decline: /);
    }
  });

  it('without elicitation gets a result at once', async () => {
    const client = await clients.connect(kind, way());
    for (const server of ['legacy', 'modern', 'old', 'child']) {
      const outcome = await client.call(`${server}__ask`).catch((error: Error) => error);
      const said = outcome instanceof Error ? outcome.message : textOf(outcome);
      // What the server makes of the refusal, or the precise error of one that insists; no person declined anything.
      expect(said, server).toMatch(/elicitation|declare|Method not found/i);
      expect(said, server).not.toMatch(/decline/);
    }
  });
});

describe('several clients at one time', () => {
  it('are each asked their own question', async () => {
    const names = ['Ada', 'Alan', 'Grace', 'Edsger'];
    const all: [TestClient, string][] = [];
    for (const [index, name] of names.entries()) {
      const kind = index % 2 === 0 ? 'v1' : 'v2-modern';
      // Modern clients have no session: with one server session per caller they share the local user's.
      all.push([await clients.connect(kind, { http: gateway.url }, person(name)), name]);
    }
    for (const server of ['legacy', 'modern']) {
      const answers = await Promise.all(all.map(([client]) => client.call(`${server}__ask`)));
      expect(answers.map(textOf)).toEqual(names.map((name) => `accept: {"name":"${name}"}`));
    }
  });
});

describe('a modern client on the wire', () => {
  const capabilities = { elicitation: { form: {} } };

  it.each(['legacy', 'modern', 'child'])('gets input_required from %s and the answer on its retry', async (server) => {
    const name = `${server}__ask`;
    const first = await send(gateway.url, modernRequest('tools/call', { name }, { capabilities }));
    expect(first.status).toBe(200);
    expect(first.message.result).toMatchObject({ resultType: 'input_required' });
    const { inputRequests, requestState } = first.message.result as {
      inputRequests: Record<string, { method: string; params: Record<string, unknown> }>;
      requestState: string;
    };
    const [key, request] = Object.entries(inputRequests)[0] ?? [];
    expect(request).toMatchObject({ method: 'elicitation/create', params: { message: 'What is your name?' } });

    const inputResponses = { [key as string]: { action: 'accept', content: { name: 'Ada' } } };
    const retry = { name, inputResponses, requestState };
    const second = await send(gateway.url, modernRequest('tools/call', retry, { id: 2, capabilities }));
    expect(second.message.result).toMatchObject({
      resultType: 'complete',
      content: [{ type: 'text', text: 'accept: {"name":"Ada"}' }],
    });
  });

  it('cannot answer with a state that is not its own', async () => {
    const name = 'legacy__ask';
    const first = await send(gateway.url, modernRequest('tools/call', { name }, { capabilities }));
    const { requestState } = first.message.result as { requestState: string };
    const inputResponses = { any: { action: 'accept', content: { name: 'Eve' } } };
    const middle = Math.floor(requestState.length / 2);
    const flipped = requestState[middle] === 'A' ? 'B' : 'A';
    const tampered = requestState.slice(0, middle) + flipped + requestState.slice(middle + 1);
    for (const [what, params] of [
      ['tampered', { name, inputResponses, requestState: tampered }],
      ['of another call', { name: 'child__ask', inputResponses, requestState }],
      ['of other arguments', { name, arguments: { aside: true }, inputResponses, requestState }],
    ] as const) {
      const refused = await send(gateway.url, modernRequest('tools/call', params, { id: 2, capabilities }));
      expect(refused.message.error, what).toMatchObject({ code: -32602 });
    }
  });
});
