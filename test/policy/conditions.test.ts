/** `require`, `deny_if` and `redact` on what clients really send and servers really answer. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { denialOf } from './gateway.ts';

const policy = {
  version: '1',
  default: 'allow',
  tools: {
    add: {
      require: [{ name: 'whole', conditions: [{ path: 'args.a', op: 'regex', value: '^[0-9]+$' }] }],
      deny_if: [
        { path: 'args.a', op: 'gt', value: 100, on_deny: 'At most 100.' },
        {
          name: 'both',
          conditions: [
            { path: 'args.a', op: 'eq', value: 7 },
            { path: 'args.b', op: 'in', value: [7, 8] },
          ],
        },
      ],
      redact: ['result.structuredContent.sum', 'result.content.*.text'],
    },
    echo: { redact: ['args.text'] },
    slow: { require: [{ path: 'args.ms', op: 'exists', value: true }] },
  },
  prompts: { greet: { redact: ['result.messages.*.content.text'] } },
  resources: { 'fixture://readme': { redact: ['result.contents.*.text'] } },
};

let v1: HttpFixture;
let v2: HttpFixture;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  gateway = await startReadyGateway({ servers: { v1: { url: v1.url, policy }, v2: { url: v2.url, policy } } });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v1?.close(), v2?.close()]);
});

const kinds: readonly ClientKind[] = ['v1', 'v2-legacy', 'v2-modern'];

describe.each(kinds.flatMap((kind) => ['v1', 'v2'].map((server) => [kind, server] as const)))(
  'for a %s client of server %s',
  (kind, server) => {
    const connect = () => clients.connect(kind, { http: gateway.url });

    it('conditions decide on the arguments', async () => {
      const client = await connect();
      const add = async (a: unknown, b: unknown) => denialOf(await client.call(`${server}__add`, { a, b }))?.rule;
      expect(await add(1, 2)).toBeUndefined();
      expect(await add(101, 2)).toBe('/tools/add/deny_if/args.a-gt');
      expect(await add(-1, 2)).toBe('/tools/add/require/whole');
      expect(await add(undefined, 2)).toBe('/tools/add/require/whole');
      expect(await add(7, 7)).toBe('/tools/add/deny_if/both');
      expect(await add(7, 9)).toBeUndefined();
      const started = (server === 'v1' ? v1 : v2).ledger.count('slow:started');
      expect(denialOf(await client.call(`${server}__slow`))?.rule).toBe('/tools/slow/require/args.ms-exists');
      expect((server === 'v1' ? v1 : v2).ledger.count('slow:started')).toBe(started);
    });

    it('the server never sees a redacted argument, the client no redacted part of a result', async () => {
      const client = await connect();
      expect(textOf(await client.call(`${server}__echo`, { text: 'secret' }))).not.toContain('secret');
      const sum = await client.request('tools/call', { name: `${server}__add`, arguments: { a: 20, b: 22 } });
      expect(JSON.stringify(sum)).not.toContain('42');
      expect(sum.structuredContent).toHaveProperty('sum');
      const prompt = await client.request('prompts/get', { name: `${server}__greet`, arguments: { name: 'Ada' } });
      expect(JSON.stringify(prompt)).not.toContain('Ada');
      expect(prompt.messages).toMatchObject([{ role: 'user', content: { type: 'text' } }]);
      const read = await client.request('resources/read', { uri: `${server}+fixture://readme` });
      expect(JSON.stringify(read)).not.toContain('Read me.');
      expect(read.contents).toMatchObject([{ uri: `${server}+fixture://readme` }]);
    });
  },
);
