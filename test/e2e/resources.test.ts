/** Resources, templates, prompts and completion under merged names, for clients and servers of both eras. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { type ClientKind, Clients, type TestClient } from './clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { until } from './until.ts';
import { EVERYTHING } from './upstreams/everything.ts';

let v1: HttpFixture;
let v2: HttpFixture;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  gateway = await startReadyGateway({ servers: { everything: EVERYTHING, v1: { url: v1.url }, v2: { url: v2.url } } });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v1?.close(), v2?.close()]);
});

interface Listed {
  resources: { uri: string; name: string }[];
  resourceTemplates: { uriTemplate: string }[];
  prompts: { name: string }[];
}

interface Contents {
  contents: { uri: string; text?: string; blob?: string }[];
}

const read = async (client: TestClient, uri: string): Promise<Contents['contents'][number] | undefined> =>
  ((await client.request('resources/read', { uri })) as unknown as Contents).contents[0];

const UPDATED = 'notifications/resources/updated';

describe.each<ClientKind>(['v1', 'v2-modern'])('a %s client', (kind) => {
  it('lists and reads resources of every server under its own URIs', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    const { resources } = (await client.request('resources/list')) as unknown as Listed;
    const uris = resources.map(({ uri }) => uri);
    expect(uris).toEqual(
      expect.arrayContaining(['v1+fixture://readme', 'v2+fixture://readme', 'v1+fixture://counter']),
    );
    expect(new Set(uris).size).toBe(uris.length);
    for (const uri of uris) {
      const contents = await read(client, uri);
      expect(contents?.uri).toBe(uri);
      expect(contents?.text ?? contents?.blob, uri).toBeTruthy();
    }
  });

  it('reads by the original URI where one server owns it, and never guesses where two do', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    const { resources } = (await client.request('resources/list')) as unknown as Listed;
    const only = resources.find(({ uri }) => uri.startsWith('everything+'))?.uri.slice('everything+'.length) ?? '';
    expect((await read(client, only))?.uri).toBe(only);
    const error = await read(client, 'fixture://readme').catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: kind === 'v1' ? -32002 : -32602 });
  });

  it('expands templates of every server', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    const { resourceTemplates } = (await client.request('resources/templates/list')) as unknown as Listed;
    const templates = resourceTemplates.map(({ uriTemplate }) => uriTemplate);
    expect(templates).toEqual(expect.arrayContaining(['v1+fixture://notes/{id}', 'v2+fixture://notes/{id}']));
    for (const server of ['v1', 'v2']) {
      expect(await read(client, `${server}+fixture://notes/7`)).toEqual({
        uri: `${server}+fixture://notes/7`,
        mimeType: 'text/plain',
        text: 'Note 7',
      });
    }
  });

  it('reads the resources that tools and prompts link to', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    const linked = await client.call('everything__get-resource-links', { count: 4 });
    const links = linked.content.filter(({ type }) => type === 'resource_link').map(({ uri }) => uri as string);
    expect(links).toHaveLength(4);
    for (const uri of links) {
      expect(uri).toMatch(/^everything\+/);
      const contents = await read(client, uri);
      expect(contents?.text ?? contents?.blob, uri).toBeTruthy();
    }
    const embedded = await client.call('everything__get-resource-reference', { resourceType: 'Text', resourceId: 3 });
    const block = embedded.content.find(({ type }) => type === 'resource') as
      | { resource?: { uri: string } }
      | undefined;
    expect((await read(client, block?.resource?.uri ?? ''))?.uri).toBe(block?.resource?.uri);
    const prompt = (await client.request('prompts/get', {
      name: 'everything__resource-prompt',
      arguments: { resourceType: 'Text', resourceId: '2' },
    })) as { messages: { content: { type: string; resource?: { uri: string } } }[] };
    const inPrompt = prompt.messages.map(({ content }) => content.resource?.uri).find((uri) => uri !== undefined);
    expect(inPrompt).toMatch(/^everything\+/);
    expect((await read(client, inPrompt ?? ''))?.uri).toBe(inPrompt);
  });

  it('lists and gets prompts', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    const { prompts } = (await client.request('prompts/list')) as unknown as Listed;
    expect(prompts.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['everything__args-prompt', 'v1__greet', 'v2__greet']),
    );
    for (const server of ['v1', 'v2']) {
      const got = await client.request('prompts/get', { name: `${server}__greet`, arguments: { name: 'Ada' } });
      expect(got).toMatchObject({ messages: [{ role: 'user', content: { type: 'text', text: 'Hello, Ada.' } }] });
    }
    await expect(client.request('prompts/get', { name: 'v1__nope' })).rejects.toMatchObject({ code: -32602 });
    await expect(client.request('prompts/get', { name: 'v1__broken' })).rejects.toThrow(/broken/);
  });

  it('completes arguments of prompts and templates', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    const argument = { name: 'name', value: 'A' };
    for (const server of ['v1', 'v2']) {
      const ref = { type: 'ref/prompt', name: `${server}__greet` };
      expect(await client.request('completion/complete', { ref, argument })).toMatchObject({
        completion: { values: ['Ada', 'Alan'] },
      });
    }
    const { resourceTemplates } = (await client.request('resources/templates/list')) as unknown as Listed;
    const template = resourceTemplates.find(({ uriTemplate }) => uriTemplate.startsWith('everything+'));
    const completed = await client.request('completion/complete', {
      ref: { type: 'ref/resource', uri: template?.uriTemplate },
      argument: { name: 'resourceId', value: '1' },
    });
    expect(completed).toMatchObject({ completion: { values: expect.any(Array) } });
  });

  it.each(['v1', 'v2'])('is notified that a resource of %s changed, under the URI it subscribed to', async (server) => {
    const client = await clients.connect(kind, { http: gateway.url });
    const uri = `${server}+fixture://counter`;
    await client.listen([uri]);
    const { world } = server === 'v1' ? v1 : v2;
    await until(async () => {
      // A change before the upstream subscription exists reaches no client.
      world.touch();
      return client.heard(UPDATED).length > 0;
    }, 'an update');
    const heard = client.heard(UPDATED);
    expect(new Set(heard.map((params) => params.uri))).toEqual(new Set([uri]));
    expect(Number((await read(client, uri))?.text)).toBe(world.counter);
  });
});
