/** What a denial looks like for everything that is no tool: a JSON-RPC error that names policy and rule. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { type Json, rawCallers } from './gateway.ts';

const policy = {
  version: '1',
  default: 'deny',
  tools: { echo: {} },
  prompts: { greet: { require: [{ path: 'args.name', op: 'neq', value: 'Eve', on_deny: 'Not Eve.' }] } },
  resources: { 'fixture://notes/{id}': {}, 'fixture://notes/9*': { action: 'deny', reason: 'Not the nineties.' } },
  methods: { 'fixture/allowed': {} },
};

let v1: HttpFixture;
let v2: HttpFixture;
let gateway: OwnGateway;

beforeAll(async () => {
  [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  gateway = await startReadyGateway({ servers: { v1: { url: v1.url, policy }, v2: { url: v2.url, policy } } });
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v1?.close(), v2?.close()]);
});

const byDefault = (server: string) => ({ code: 'SWB_DENIED', policy: `server:${server}`, rule: '(default deny)' });

describe.each(['v1', 'v2'])('default deny for server %s:', (server) => {
  it('prompts, resources and methods are denied with an error that names the rule', async () => {
    for (const { era, ask } of await rawCallers(gateway.at(`/servers/${server}/mcp`))) {
      for (const [method, params] of [
        ['prompts/get', { name: 'broken' }],
        ['resources/read', { uri: 'fixture://counter' }],
        ['resources/read', { uri: 'fixture://never/seen' }],
        ['completion/complete', { ref: { type: 'ref/prompt', name: 'broken' }, argument: { name: 'a', value: '' } }],
        ['fixture/unknown', {}],
      ] as [string, Json][]) {
        const { error, result } = await ask(method, params);
        expect(result, `${era} ${method}`).toBeUndefined();
        expect(error?.data, `${era} ${method}`).toMatchObject(byDefault(server));
      }
      const tool = await ask('tools/call', { name: 'add', arguments: { a: 1, b: 2 } });
      expect(tool.result).toMatchObject({ isError: true, _meta: { 'switchboard/denial': byDefault(server) } });
    }
  });

  it('lists show what is allowed, and it can be read', async () => {
    for (const { era, ask } of await rawCallers(gateway.at(`/servers/${server}/mcp`))) {
      const namesIn = async (method: string, key: string, name: string): Promise<unknown[]> =>
        (((await ask(method)).result as Json)[key] as Json[]).map((entry) => entry[name]);
      expect(await namesIn('tools/list', 'tools', 'name')).toEqual(['echo']);
      expect(await namesIn('prompts/list', 'prompts', 'name')).toEqual(['greet']);
      expect(await namesIn('resources/list', 'resources', 'uri')).toEqual([]);
      expect(await namesIn('resources/templates/list', 'resourceTemplates', 'uriTemplate')).toEqual([
        'fixture://notes/{id}',
      ]);
      const read = await ask('resources/read', { uri: 'fixture://notes/7' });
      expect(read.result?.contents, era).toMatchObject([{ text: 'Note 7' }]);
      const greeting = await ask('prompts/get', { name: 'greet', arguments: { name: 'Ada' } });
      expect(JSON.stringify(greeting.result)).toContain('Hello, Ada.');
    }
  });

  it('a rule for a URI goes before the one for its template', async () => {
    for (const { ask } of await rawCallers(gateway.url)) {
      const read = await ask('resources/read', { uri: `${server}+fixture://notes/97` });
      expect(read.error).toMatchObject({
        message: 'Not the nineties.',
        data: { rule: '/resources/fixture:~1~1notes~19*/action' },
      });
    }
  });

  it('conditions see the arguments of a prompt', async () => {
    for (const { ask } of await rawCallers(gateway.url)) {
      const { error } = await ask('prompts/get', { name: `${server}__greet`, arguments: { name: 'Eve' } });
      expect(error).toMatchObject({ message: 'Not Eve.', data: { rule: '/prompts/greet/require/args.name-neq' } });
    }
  });

  it('a resource that is denied cannot be subscribed to', async () => {
    const [legacy] = await rawCallers(gateway.url);
    const { error } = (await legacy?.ask('resources/subscribe', { uri: `${server}+fixture://counter` })) ?? {};
    expect(error?.data).toMatchObject(byDefault(server));
  });
});
