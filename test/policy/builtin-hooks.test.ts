/** The hooks that come with the gateway, configured as people do, in front of real servers. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, type TestClient, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { denialOf, type Json } from './gateway.ts';

const TOKEN = `ghp_${'a1B2'.repeat(9)}`;

const hooks = [
  {
    use: 'rewrite-arguments',
    options: {
      rules: [
        { tools: ['slow'], set: { ms: 1 } },
        { tools: ['add'], rename: { left: 'a' }, default: { b: 2 } },
      ],
    },
  },
  {
    use: 'redact-secrets',
    servers: ['legacy', 'modern'],
    options: { patterns: [{ name: 'NOTE', pattern: 'Read me|a warning message' }] },
  },
  { use: 'redact-secrets', name: 'strict', servers: ['strict*'], options: { onArguments: 'deny' } },
  { use: 'cap-result', options: { maxBytes: 2_000, names: ['big'] } },
];

let upstreams: HttpFixture[];
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  const [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  upstreams = [v1, v2];
  gateway = await startReadyGateway({
    servers: {
      legacy: { url: v1.url },
      modern: { url: v2.url },
      strictlegacy: { url: v1.url },
      strictmodern: { url: v2.url },
    },
    gateway: { hooks, validateArguments: false },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all((upstreams ?? []).map((upstream) => upstream.close()));
});

const KINDS = ['v1', 'v2-legacy', 'v2-modern'] as const satisfies ClientKind[];

describe.each(KINDS.flatMap((kind) => ['legacy', 'modern'].map((server) => [kind, server] as const)))(
  'for a %s client of a %s server',
  (kind, server) => {
    let client: TestClient;
    beforeEach(async () => {
      client = await clients.connect(kind, { http: gateway.url });
    });
    const call = (name: string, args: Json = {}) => client.call(`${server}__${name}`, args);

    it('redact-secrets keeps credentials from servers and from clients', async () => {
      expect(textOf(await call('echo', { text: `key ${TOKEN}` }))).toBe('key <GITHUB_TOKEN>');
      const read = await client.request('resources/read', { uri: `${server}+fixture://readme` });
      expect(read.contents).toMatchObject([{ text: '<NOTE>.' }]);
      const prompt = await client.request('prompts/get', { name: `${server}__greet`, arguments: { name: TOKEN } });
      expect(JSON.stringify(prompt)).toContain('Hello, <GITHUB_TOKEN>.');
      expect(JSON.stringify(prompt)).not.toContain(TOKEN);
    });

    it('redact-secrets refuses credentials with onArguments deny, without repeating them', async () => {
      const refused = await client.call(`strict${server}__echo`, { text: TOKEN });
      expect(denialOf(refused)).toMatchObject({ policy: 'hooks', rule: expect.stringContaining('(hook strict)') });
      expect(JSON.stringify(refused)).not.toContain(TOKEN);
    });

    it('cap-result cuts what is too large and says so', async () => {
      const text = textOf(await call('big', { bytes: 50_000 }));
      expect(text.length).toBeLessThan(2_500);
      expect(text).toMatch(/more bytes left out/);
      expect(textOf(await call('big', { bytes: 100 }))).toBe('x'.repeat(100));
      expect(textOf(await call('echo', { text: 'y'.repeat(5_000) }))).toBe('y'.repeat(5_000));
    });

    it('rewrite-arguments sets, renames and fills in, also where there were none', async () => {
      expect(textOf(await call('slow', { ms: 60_000 }))).toBe('done');
      expect(await client.request('tools/call', { name: `${server}__slow` })).toMatchObject({
        content: [{ text: 'done' }],
      });
      expect(textOf(await call('add', { left: 40 }))).toBe('42');
    });
  },
);

describe.each(['v1', 'v2-legacy'] satisfies ClientKind[])('for a %s client', (kind) => {
  it.each(['legacy', 'modern'])('redact-secrets sees log messages of a call of a %s server', async (server) => {
    const client = await clients.connect(kind, { http: gateway.url });
    await client.request('logging/setLevel', { level: 'debug' });
    await client.call(`${server}__log`);
    await until(() => client.heard('notifications/message').length > 1, 'log messages');
    expect(client.heard('notifications/message').map(({ data }) => data)).toEqual(['a debug message', '<NOTE>']);
  });
});
