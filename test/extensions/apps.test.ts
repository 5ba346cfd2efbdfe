/** MCP Apps: a tool's user interface is found where the tool is, whatever other servers call theirs. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientKind, Clients } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { APP_URI, createV1App, startV2App } from '../fixtures/mcp/apps.ts';
import { type HttpServer, startV1Sessions } from '../fixtures/tasks/http-v1.ts';

let one: HttpServer;
let two: Awaited<ReturnType<typeof startV2App>>;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [one, two] = await Promise.all([startV1Sessions(() => createV1App('first')), startV2App('second')]);
  gateway = await startReadyGateway({ servers: { my_one: { url: one.url }, two: { url: two.url } } });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all([one?.close(), two?.close()]);
});

interface Tool {
  name: string;
  _meta: { ui?: { resourceUri: string; visibility: string[] }; 'ui/resourceUri'?: string };
}

interface Listed {
  tools: Tool[];
  resources: { uri: string }[];
  contents: { uri: string; text: string; _meta: unknown }[];
}

describe.each<ClientKind>(['v1', 'v2-modern'])('for a %s client', (kind) => {
  it('tools of the merged view lead to the interface of their own server', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    expect(client.capabilities.extensions).toMatchObject({ 'io.modelcontextprotocol/ui': {} });
    const { tools } = (await client.request('tools/list')) as unknown as Listed;
    const { resources } = (await client.request('resources/list')) as unknown as Listed;
    for (const [prefix, owner] of [
      ['my_one__', 'first'],
      ['two__', 'second'],
    ] as const) {
      const links = tools.filter(({ name }) => name.startsWith(prefix)).map(({ _meta }) => _meta);
      const uri = links[0]?.ui?.resourceUri ?? '';
      expect(links).toEqual([{ ui: { resourceUri: uri, visibility: ['model', 'app'] } }, { 'ui/resourceUri': uri }]);
      expect(uri).toMatch(/^ui:\/\/[a-z0-9-]+\+app\/view\.html$/);
      expect(resources.map((resource) => resource.uri)).toContain(uri);
      const { contents } = (await client.request('resources/read', { uri })) as unknown as Listed;
      expect(contents).toMatchObject([
        { uri, text: `<p>${owner}</p>`, _meta: { ui: { csp: { connectDomains: [] } } } },
      ]);
    }
    // A URI that both servers have resolves to neither.
    await expect(client.request('resources/read', { uri: APP_URI })).rejects.toThrow(/Unknown resource/);
  });

  it.each(['my_one', 'two'])('names are the server’s own in the view of %s', async (server) => {
    const path = `/servers/${server}/mcp`;
    const client = await clients.connect(kind, { http: gateway.at(path) });
    const { tools } = (await client.request('tools/list')) as unknown as Listed;
    expect(tools.map(({ _meta }) => _meta)).toEqual([
      { ui: { resourceUri: APP_URI, visibility: ['model', 'app'] } },
      { 'ui/resourceUri': APP_URI },
    ]);
    const { contents } = (await client.request('resources/read', { uri: APP_URI })) as unknown as Listed;
    expect(contents).toMatchObject([{ uri: APP_URI, text: server === 'two' ? '<p>second</p>' : '<p>first</p>' }]);
  });
});
