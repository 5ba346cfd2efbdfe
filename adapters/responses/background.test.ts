/** Responses in the background that are not read to their end, and those that an earlier process began: a scripted server in documented shapes. */
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { type FakeCall, fakeCall } from '../testing/call.ts';
import { fakeContext } from '../testing/context.ts';
import { startRawServer } from '../testing/faults.ts';
import { codeOf, resultOf, until } from '../testing/outcome.ts';
import { responsesAdapter } from './index.ts';

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

interface Scripted {
  upstream: Upstream;
  /** Lines of the requests so far. */
  lines: string[];
  cancels(): number;
}

/** `answer` writes the stream of each request that reads a response. */
async function scripted(answer: (response: ServerResponse, line: string) => void): Promise<Scripted> {
  const lines: string[] = [];
  const server = await startRawServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    lines.push(line);
    request.resume();
    if (line.endsWith('/cancel')) response.end('{}');
    else if (line === 'POST /v1/responses' || line.includes('stream=true')) answer(response, line);
    else response.writeHead(404).end(JSON.stringify({ error: { message: "Response with id 'resp_0' not found." } }));
  });
  closing.push(server);
  const target = { transport: 'http', url: `${server.origin}/v1`, headers: {} } as const;
  const models = { writer: { request: { background: true } } };
  const upstream = await responsesAdapter.connect(fakeContext(target, { options: { models }, maxReplyBytes: 4_096 }));
  closing.push(upstream);
  lines.length = 0;
  return { upstream, lines, cancels: () => lines.filter((line) => line === 'POST /v1/responses/resp_1/cancel').length };
}

let number = 0;
const sends = (response: ServerResponse, ...events: JsonObject[]): void => {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) response.write(`data: ${JSON.stringify({ sequence_number: number++, ...event })}\n\n`);
};
const CREATED = { type: 'response.created', response: { id: 'resp_1', status: 'in_progress', output: [] } };
const output = [{ type: 'message', content: [{ type: 'output_text', text: 'one two' }] }];
const COMPLETED = { type: 'response.completed', response: { id: 'resp_1', status: 'completed', output } };
const delta = (text: string): JsonObject => ({ type: 'response.output_text.delta', item_id: 'm', delta: text });

const PARAMS = { agent: 'writer', messages: [{ role: 'user', content: 'x' }], stream: true };

/** A call that outlives the gateway, and what it was told. */
function lasting(): { call: FakeCall; told: JsonObject[] } {
  const told: JsonObject[] = [];
  return {
    told,
    call: Object.assign(fakeCall({ wantsProgress: true }), { lasting: true, began: told.push.bind(told) }),
  };
}

const shuttingDown = (): Error => new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');
const saidTo = ({ notifications }: FakeCall): unknown[] => notifications.map(({ params }) => params?.message);

describe('a response in the background is cancelled by its id', () => {
  it.each<[string, (response: ServerResponse) => void, string]>([
    ['that tells of an error', (r) => sends(r, CREATED, { type: 'error', message: 'overloaded' }), 'SWB_AGENT_FAILED'],
    [
      'that sends what is no JSON',
      (r) => {
        sends(r, CREATED);
        r.write('data: <html>\n\n');
      },
      'SWB_UPSTREAM_PROTOCOL',
    ],
    ['whose event is too long', (r) => sends(r, CREATED, delta('x'.repeat(9_000))), 'SWB_REPLY_TOO_LARGE'],
  ])('%s', async (_, answer, code) => {
    const { upstream, cancels } = await scripted(answer);
    expect(codeOf(await upstream.request('agents/call', PARAMS, fakeCall()).catch((error) => error))).toBe(code);
    await until('it is cancelled', () => cancels() === 1);
  });

  it('that cannot be followed again', async () => {
    const { upstream, cancels } = await scripted((response, line) => {
      if (line.startsWith('GET')) response.writeHead(404).end('{}');
      else {
        sends(response, CREATED);
        setImmediate(() => response.destroy());
      }
    });
    expect(codeOf(await upstream.request('agents/call', PARAMS, fakeCall()).catch((error) => error))).toBe(
      'SWB_INVALID_PARAMS',
    );
    await until('it is cancelled', () => cancels() === 1);
  });

  it('whose server is disconnected, before that is done', async () => {
    const { upstream, cancels } = await scripted((response) => sends(response, CREATED));
    const { call, told } = lasting();
    const failed = upstream.request('agents/call', PARAMS, call).catch(codeOf);
    await until('its id is known', () => told.length > 0);
    await upstream.close();
    expect([await failed, cancels()]).toEqual(['SWB_UPSTREAM_UNAVAILABLE', 1]);
  });

  it.each([
    ['the client', () => new SwitchboardError('SWB_CANCELLED', 'The client left.'), 'SWB_CANCELLED'],
    ['the gateway', shuttingDown, 'SWB_SHUTTING_DOWN'],
  ])('whose id came after the end of the call by %s, which is over at once', async (_, reason, code) => {
    let begun: ServerResponse | undefined;
    const { upstream, cancels } = await scripted((response) => {
      begun = response;
    });
    const { call } = lasting();
    const failed = upstream.request('agents/call', PARAMS, call).catch(codeOf);
    await until('the request is there', () => begun !== undefined);
    call.abort(reason());
    expect(await failed).toBe(code);
    expect(cancels()).toBe(0);
    if (begun) sends(begun, CREATED);
    await until('it is cancelled', () => cancels() === 1);
  });
});

describe('a response in the background that the next process takes up', () => {
  it('goes on after the last event that was read: nothing is said twice', async () => {
    number = 0;
    let last: ServerResponse | undefined;
    const { upstream, lines, cancels } = await scripted((response, line) => {
      last = response;
      if (line.startsWith('POST')) sends(response, CREATED, delta('one '));
      else sends(response, delta('two'), COMPLETED);
      if (line.startsWith('GET')) response.end();
    });
    const { call, told } = lasting();
    const left = upstream.request('agents/call', PARAMS, call).catch(codeOf);
    await until('its first words are heard', () => call.notifications.length > 0);
    call.abort(shuttingDown());
    expect(await left).toBe('SWB_SHUTTING_DOWN');
    expect(told.at(-1)).toEqual({ responseId: 'resp_1', after: 1, sent: 1, item: 'm', continues: true });

    const next = fakeCall({ wantsProgress: true });
    const run = told.at(-1);
    const result = resultOf(await upstream.request('agents/attach', { agent: 'writer', run }, next));
    expect(result).toMatchObject({ status: 'completed', text: 'one two' });
    expect(lines.at(-1)).toBe('GET /v1/responses/resp_1?stream=true&starting_after=1');
    expect([saidTo(call), saidTo(next)]).toEqual([['one '], ['two']]);
    expect(cancels()).toBe(0);
    last?.destroy();
  });

  it('does not speak where no text is wanted', async () => {
    number = 2;
    const { upstream } = await scripted((response) => {
      sends(response, delta('two'), COMPLETED);
      response.end();
    });
    const next = fakeCall({ wantsProgress: true });
    const run = { responseId: 'resp_1', after: 1, sent: 1, item: 'm', continues: true };
    const params = { agent: 'writer', run, stream: false };
    expect(resultOf(await upstream.request('agents/attach', params, next))).toMatchObject({ text: 'one two' });
    expect(saidTo(next)).toEqual([]);
  });

  it('is read to its end where the stream broke off behind its last event', async () => {
    number = 0;
    const { upstream, lines } = await scripted((response, line) => {
      if (line.startsWith('GET')) {
        sends(response, COMPLETED);
        response.end();
        return;
      }
      sends(response, CREATED, delta('one two'), COMPLETED);
      setImmediate(() => response.destroy());
    });
    const result = resultOf(await upstream.request('agents/call', PARAMS, fakeCall()));
    expect(result).toMatchObject({ status: 'completed', text: 'one two' });
    expect(lines.at(-1)).toMatch(/starting_after=1$/);
  });
});
