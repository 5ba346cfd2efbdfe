import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Upstream } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import type { MastraFixture } from '../../test/fixtures/mastra.ts';
import { borrowMastra } from '../../test/fixtures/shared.ts';
import { codeOf, resultOf } from '../cases.ts';
import { type FakeCall, type FakeCallOptions, fakeCall } from '../testing/call.ts';
import { fakeContext } from '../testing/context.ts';
import { mastraAdapter } from './index.ts';
import { problems } from './tools.ts';

let server: MastraFixture;
let upstream: Upstream;

beforeAll(async () => {
  server = await borrowMastra();
  upstream = await mastraAdapter.connect(fakeContext({ transport: 'http', url: server.url, headers: {} }));
});
afterAll(async () => {
  await upstream?.close();
  await server?.stop();
});

async function callTool(
  name: string,
  args: JsonObject,
  options: FakeCallOptions = {},
): Promise<{ result: JsonObject; call: FakeCall }> {
  const call = fakeCall(options);
  return { result: resultOf(await upstream.request('tools/call', { name, arguments: args }, call)), call };
}

const textOf = (result: JsonObject): unknown => (result.content as JsonObject[])[0]?.text;

let barriers = 0;
/** What happened in the server so far. Its events come in order: once the last one is here, so are all before it. */
async function happened(): Promise<JsonObject[]> {
  const path = `/barrier/${++barriers}`;
  await callTool('delete-file', { path }, { answer: () => ({ action: 'accept', content: { approve: true } }) });
  await vi.waitFor(() => expect(server.events).toContainEqual({ event: 'deleted', path }), { interval: 5 });
  return [...server.events];
}

describe('tools of a Mastra server', () => {
  it('that suspend are an error that says where they can: Mastra asks for them within an agent alone', async () => {
    const { result } = await callTool('booking', { place: 'the harbour' });
    expect(result.isError).toBe(true);
    expect(textOf(result)).toMatch(/'booking' stopped to wait for an answer.*call an agent that has it/);
  });

  it('are listed under their ids with plain JSON Schemas and their annotations', async () => {
    const { entries } = await upstream.catalog('tools', AbortSignal.timeout(30_000));
    const tools = Object.fromEntries(entries.map(({ key, value }) => [key, value]));
    expect(tools.add).toMatchObject({
      name: 'add',
      description: 'Adds two numbers',
      inputSchema: {
        type: 'object',
        properties: { a: { type: 'number' }, b: { type: 'number' } },
        required: ['a', 'b'],
      },
      outputSchema: { type: 'object', properties: { sum: { type: 'number' } } },
      annotations: { title: 'Add', readOnlyHint: true, openWorldHint: false },
    });
    expect(tools.nothing).toEqual({
      name: 'nothing',
      description: 'Takes nothing and returns nothing',
      inputSchema: { type: 'object' },
    });
  });

  it('give an object as structured content and as text', async () => {
    const { result } = await callTool('add', { a: 2, b: 3 });
    expect(result).toEqual({ content: [{ type: 'text', text: '{"sum":5}' }], structuredContent: { sum: 5 } });
  });

  it('give a string as text, and nothing as nothing', async () => {
    expect((await callTool('shout', { text: 'hi', times: 2 })).result).toEqual({
      content: [{ type: 'text', text: 'HIHI' }],
    });
    expect((await callTool('nothing', {})).result).toEqual({ content: [] });
  });

  it('say which arguments are wrong', async () => {
    const { result } = await callTool('add', { a: 'two' });
    expect(result.isError).toBe(true);
    expect(textOf(result)).toMatch(/^Invalid arguments for 'add': a: .*expected number.*; b: .*expected number/);
  });

  it('that throw give an error result without paths and keys', async () => {
    const { result } = await callTool('broken', {});
    expect(result).toEqual({
      content: [{ type: 'text', text: "The tool 'broken' failed: The printer is on fire ([secret] in [path])" }],
      isError: true,
    });
  });

  it('that do not exist are an error, whatever their name tries to reach', async () => {
    for (const name of ['nonexistent', '../agents/echo/generate', 'add/execute?x=']) {
      const failure = await callTool(name, {}).catch((error: unknown) => error);
      expect(codeOf(failure), name).toBe('SWB_UNKNOWN_TOOL');
    }
    const failure = await callTool('..', {}).catch((error: unknown) => error);
    expect(codeOf(failure)).toBe('SWB_INVALID_PARAMS');
  });
});

describe('a tool that wants approval', () => {
  const answering = (action: string, content?: JsonObject): FakeCallOptions => ({
    answer: () => (content ? { action, content } : { action }),
  });

  it('is not run for a client that cannot be asked', async () => {
    const { result, call } = await callTool('delete-file', { path: '/unasked' });
    expect(result.isError).toBe(true);
    expect(textOf(result)).toMatch(/needs a person's approval.*does not support elicitation/);
    expect(call.asks).toEqual([]);
    expect(await happened()).not.toContainEqual({ event: 'deleted', path: '/unasked' });
  });

  it('is run once a person has approved it with its arguments in view', async () => {
    const { result, call } = await callTool('delete-file', { path: '/yes' }, answering('accept', { approve: true }));
    expect(result.structuredContent).toEqual({ deleted: '/yes' });
    expect(call.asks).toHaveLength(1);
    expect(call.asks[0]?.params?.message).toBe(
      `Server 'fixture' wants to run the tool 'delete-file' with {"path":"/yes"}. Approve?`,
    );
    expect(call.asks[0]?.params?.requestedSchema).toMatchObject({
      properties: { approve: { type: 'boolean' } },
      required: ['approve'],
    });
    expect(await happened()).toContainEqual({ event: 'deleted', path: '/yes' });
  });

  it.each([
    ['declines', answering('decline'), /declined/],
    ['says no in the form', answering('accept', { approve: false }), /declined/],
    ['leaves the form empty', answering('accept', {}), /declined/],
    ['answers with something else', answering('accept', { approve: 'true' }), /declined/],
    ['closes the question', answering('cancel'), /without an answer/],
  ])('is not run when the person %s', async (_what, options, says) => {
    const { result } = await callTool('delete-file', { path: '/no' }, options);
    expect(result.isError).toBe(true);
    expect(textOf(result)).toMatch(says);
    expect(await happened()).not.toContainEqual({ event: 'deleted', path: '/no' });
  });

  it('is asked for as well when the server does not report the rule, which is a function', async () => {
    const { result } = await callTool('transfer', { amount: 1 });
    expect(result.isError).toBe(true);
    expect(await happened()).not.toContainEqual({ event: 'transferred', amount: 1 });
    const approved = await callTool('transfer', { amount: 7 }, answering('accept', { approve: true }));
    expect(approved.result.structuredContent).toEqual({ transferred: 7 });
  });

  it('is not run when the call is aborted while the person thinks', async () => {
    const call = fakeCall({
      answer: () => {
        call.abort();
        throw call.signal.reason;
      },
    });
    const params = { name: 'delete-file', arguments: { path: '/late' } };
    const failure = await upstream.request('tools/call', params, call).catch((error: unknown) => error);
    expect(failure).toBe(call.signal.reason);
    expect(await happened()).not.toContainEqual({ event: 'deleted', path: '/late' });
  });
});

describe('problems', () => {
  it('names nested fields and stops after ten', () => {
    const fields = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [`f${i}`, { errors: [`bad ${i}`], fields: {} }]),
    );
    expect(
      problems({ errors: ['all wrong'], fields: { a: { errors: [], fields: { b: { errors: ['too long'] } } } } }),
    ).toEqual(['arguments: all wrong', 'a.b: too long']);
    expect(problems({ fields })).toHaveLength(10);
  });
});
