import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { afterEach, describe, expect, it } from 'vitest';
import { ADAPTERS } from '../../adapters/index.ts';
import { fakeCall } from '../../adapters/testing/call.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { builtinTools } from './index.ts';
import { type Rig, type RigOptions, rig } from './testing/rig.ts';

let current: Rig | undefined;
const setUp = async (options?: RigOptions): Promise<Rig> => {
  current = await rig(options);
  return current;
};

afterEach(async () => {
  await current?.close();
  current = undefined;
});

const upstreamOf = ({ federation }: Rig) => federation.member('switchboard')?.require();

async function declarations(at: Rig): Promise<JsonObject[]> {
  const catalog = await upstreamOf(at)?.catalog('tools', AbortSignal.timeout(1_000));
  return (catalog?.entries ?? []).map((entry) => entry.value);
}

describe('the list of tools', () => {
  it('matches the recorded declarations', async () => {
    expect(await declarations(await setUp())).toMatchSnapshot();
  });

  it('is in the merged view under plain names, in this order', async () => {
    const { federation } = await setUp();
    expect(federation.all.routes('tools').map((route) => route.exposed)).toEqual([
      'connectServer',
      'disconnectServer',
      'listServers',
      'listAgents',
      'describeAgent',
      'callAgent',
      'getRun',
      'cancelRun',
      'listThreads',
      'changeThread',
    ]);
  });

  it('has schemas every client can use: object roots, no combinators there, and compilable', async () => {
    const validator = new AjvJsonSchemaValidator();
    for (const tool of await declarations(await setUp())) {
      for (const schema of [tool.inputSchema, tool.outputSchema] as JsonObject[]) {
        expect(schema.type).toBe('object');
        expect(schema.additionalProperties).toBe(false);
        expect(Object.keys(schema)).not.toEqual(expect.arrayContaining(['anyOf', 'oneOf', 'allOf', '$ref', '$schema']));
        expect(validator.getValidator(schema)({ unheardOf: 1 }).valid).toBe(false);
      }
    }
  });

  it('states facts and never tells a model to act', async () => {
    const texts = JSON.stringify(await declarations(await setUp()));
    expect(texts).not.toMatch(
      /autonom|immediately|automatically connect|without asking|permission|you (must|should)|always call/i,
    );
  });

  it('sets every annotation hint', async () => {
    for (const { annotations } of builtinTools(ADAPTERS)) {
      expect(Object.values(annotations).every((hint) => typeof hint === 'boolean')).toBe(true);
      expect(Object.keys(annotations)).toHaveLength(4);
    }
  });
});

describe('a call of a builtin tool', () => {
  it('with arguments that do not fit is a tool error that says where, what and what is allowed', async () => {
    const at = await setUp();
    const result = await at.call('callAgent', {
      agent: 7,
      messages: [{ role: 'robot', content: 'hi' }, 'hello'],
      interactionType: 'strem',
      colour: 'red',
      mesage: 'hi',
      options: [],
    });
    expect(result.isError).toBe(true);
    expect(result.text.split('\n')).toEqual([
      'The arguments of callAgent do not fit. Nothing was called.',
      '- agent: found number; allowed: string',
      '- messages[0].role: found "robot"; allowed: "user", "assistant", "system", "tool"',
      '- messages[1]: found string; allowed: object',
      '- options: found array; allowed: object',
      '- interactionType: found "strem"; allowed: "generate", "stream"',
      '- colour: found an unknown argument; allowed: agent, message, messages, input, threadId, resourceId, stream, background, idempotencyKey, lend, options',
      '- mesage: found an unknown argument; allowed: message, most likely',
    ]);
    expect(result._meta?.['switchboard/error']).toMatchObject({
      code: 'SWB_INVALID_PARAMS',
      problems: expect.arrayContaining([{ path: 'agent', problem: 'found number; allowed: string' }]),
    });
    expect(at.reached).toEqual([]);
  });

  it('never repeats values that may be secrets', async () => {
    const at = await setUp();
    const result = await at.call('connectServer', {
      url: 'https://a.example',
      headers: { 'x-key': 'hidden\nvalue', Host: 'b.example', 'bad name': 'hidden', Authorization: 5 },
    });
    expect(result.isError).toBe(true);
    expect(result.text).toContain('- headers.Authorization: found number; allowed: string');
    expect(result.text).not.toContain('hidden');
    const again = await at.call('connectServer', {
      url: 'https://a.example',
      headers: { 'x-key': 'hidden\nvalue', Host: 'b.example', 'bad name': 'hidden' },
    });
    expect(
      again.text
        .split('\n')
        .slice(1)
        .map((each) => each.split(':')[0]),
    ).toEqual(['- headers.x-key', '- headers.Host', '- headers.bad name']);
    expect(again.text).not.toContain('hidden');
    expect(at.connects).toEqual([]);
  });

  it('without arguments is a call with none', async () => {
    const at = await setUp();
    const reply = await upstreamOf(at)?.request('tools/call', { name: 'listServers' }, fakeCall());
    expect(reply).toMatchObject({ value: { structuredContent: { servers: [] } } });
  });

  it.each([
    ['tools/call', { name: 'nothing' }, 'SWB_UNKNOWN_TOOL'],
    ['tools/call', {}, 'SWB_UNKNOWN_TOOL'],
    ['tools/call', { name: 'toString' }, 'SWB_UNKNOWN_TOOL'],
    ['tools/call', { name: 'listServers', arguments: [] }, 'SWB_INVALID_PARAMS'],
    ['prompts/get', { name: 'listServers' }, 'SWB_METHOD_NOT_FOUND'],
  ])('%s %j is a protocol error', async (method, params, code) => {
    const at = await setUp();
    await expect(upstreamOf(at)?.request(method, params, fakeCall())).rejects.toMatchObject({ code });
  });

  it('that fails unexpectedly shows the client no details', async () => {
    const bug = new TypeError('cannot read secret of undefined');
    const at = await setUp({
      configured: { m: { kind: 'mastra', url: 'http://m.example', agents: [{ key: 'a' }] } },
      deps: { callAgent: () => Promise.reject(bug) },
    });
    await expect(at.call('callAgent', { agent: 'a', message: 'hi' })).rejects.toBe(bug);
    await expect(at.call('describeAgent', { agent: 'a' })).rejects.toBe(bug);
  });

  it('goes through the relay like a call of any server', async () => {
    const at = await setUp({
      configured: {
        m: {
          kind: 'mastra',
          url: 'http://m.example',
          agents: [{ key: 'a' }],
          answer: () => ({ status: 'completed', text: 'Hello.' }),
        },
      },
    });
    const { result: answer } = at.relay.handle({
      caller: fakeCall().caller,
      view: at.federation.all,
      request: {
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'callAgent', arguments: { agent: 'm/a', message: 'hi' } },
      },
      channel: { notify() {} },
    });
    expect(await answer).toMatchObject({ value: { content: [{ type: 'text', text: 'Hello.' }] } });
    const refused = at.relay.handle({
      caller: fakeCall().caller,
      view: at.federation.all,
      request: {
        jsonrpc: '2.0',
        id: 2,
        method: 'tools/call',
        params: { name: 'callAgent', arguments: { agent: 'x' } },
      },
      channel: { notify() {} },
    });
    expect(await refused.result).toMatchObject({ value: { isError: true } });
  });

  it('is not offered on the endpoint of one server', async () => {
    const at = await setUp({ configured: { m: { kind: 'mcp', url: 'http://m.example', tools: ['t'] } } });
    expect(at.federation.view('m')?.resolve('tools', 'callAgent')).toBeUndefined();
    expect(at.federation.all.resolve('tools', 'callAgent')?.member.builtin).toBe(true);
  });
});
