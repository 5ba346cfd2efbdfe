/** Arguments reach every server as their client spelled them, over all transports and in both eras. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import {
  legacyHttpClient,
  modernHttpClient,
  paramsOf,
  sseClient,
  startVerbatim,
  stdioClient,
  type VerbatimClient,
  type VerbatimServer,
  verbatimChild,
} from './verbatim.ts';

const SERVERS = ['http-modern', 'http-legacy', 'sse', 'stdio-modern', 'stdio-legacy'] as const;
const CLIENTS = ['http-modern', 'http-legacy', 'sse', 'stdio-modern', 'stdio-legacy'] as const;

const http: VerbatimServer[] = [];
const clients: Partial<Record<(typeof CLIENTS)[number], VerbatimClient>> = {};
let gateway: OwnGateway;
let judging: OwnGateway;

beforeAll(async () => {
  http.push(await startVerbatim('modern'), await startVerbatim('legacy'), await startVerbatim('legacy', true));
  const servers = {
    'http-modern': { url: http[0]?.url },
    'http-legacy': { url: http[1]?.url },
    sse: { url: http[2]?.url },
    'stdio-modern': verbatimChild('modern'),
    'stdio-legacy': verbatimChild('legacy'),
  };
  // Nothing judges these arguments.
  gateway = await startReadyGateway({ servers });
  judging = await startReadyGateway({
    servers: { 'http-modern': { url: http[0]?.url } },
    gateway: { validateArguments: true },
  });
  clients['http-modern'] = modernHttpClient(gateway);
  clients['http-legacy'] = await legacyHttpClient(gateway);
  clients.sse = await sseClient(gateway);
  clients['stdio-modern'] = await stdioClient(gateway, 'modern');
  clients['stdio-legacy'] = await stdioClient(gateway, 'legacy');
});

afterAll(async () => {
  for (const client of Object.values(clients)) client.close();
  await gateway?.close();
  await judging?.close();
  for (const server of http) await server.close();
});

const clientOf = (name: (typeof CLIENTS)[number]): VerbatimClient => clients[name] as VerbatimClient;

/** JSON text that a parser and a writer do not give back as it was. */
const number = fc.constantFrom(
  '1.0',
  '1e400',
  '-0',
  '-0.0',
  '9007199254740993',
  '12345678901234567890',
  '1E+2',
  '0.10',
  '7',
);
const string = fc.oneof(
  fc.constantFrom('"\\u0041"', '"\\/"', '"\\ud800"', '"é\\u00e9"', '"\\"\\\\"', '"__proto__"', '"𝄞"'),
  fc.string().map((text) => JSON.stringify(text)),
  fc.nat(9_000).map((length) => `"${'long \\" '.repeat(length / 7)}"`),
);
const key = fc.constantFrom('"10"', '"2"', '"a"', '"\\u0061"', '"__proto__"', '"_meta"', '"name"', '"é"');
const space = fc.constantFrom('', ' ', '\n', '\r\n\t');
const { value, object } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, number, string, fc.constantFrom('null', 'true'), tie('object'), tie('array')),
  array: fc
    .tuple(fc.array(tie('value'), { maxLength: 4 }), space)
    .map(([items, gap]) => `[${gap}${items.join(`,${gap}`)}]`),
  // Keys may be repeated.
  object: fc
    .tuple(fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }), space)
    .map(([members, gap]) => `{${gap}${members.map(([name, text]) => `${name}${gap}:${gap}${text}`).join(`,${gap}`)}}`),
}));

/** Between tokens, where alone a line may break, one kind of space is as good as another. */
const onOneLine = (text: string | undefined): string | undefined => text?.replaceAll(/[\r\n]/g, ' ');

describe.each(CLIENTS)('a client over %s', (from) => {
  it.each(SERVERS)('has its arguments reach a server over %s as they were sent', async (to) => {
    const name = `${to}__verbatim`;
    await fc.assert(
      fc.asyncProperty(object, value, async (args, meta) => {
        const members = `"name":"${name}","arguments":${args}`;
        const got = await clientOf(from).reached('tools/call', name, members);
        expect(onOneLine(paramsOf(got).get('arguments'))).toBe(onOneLine(args));
        const prompt = await clientOf(from).reached('prompts/get', name, `${members},"x":${meta}`);
        expect(onOneLine(paramsOf(prompt).get('arguments'))).toBe(onOneLine(args));
        expect(onOneLine(paramsOf(prompt).get('x'))).toBe(onOneLine(meta));
      }),
      { numRuns: 12 },
    );
  });
});

describe('arguments and a result of many chunks', () => {
  it.each(CLIENTS)('of a client over %s arrive as they were sent', async (from) => {
    const args = `{"text":"${'é\\u00e9 \\"quoted\\" '.repeat(20_000)}","n":[${'1.0,'.repeat(2_000)}9007199254740993]}`;
    for (const to of SERVERS) {
      const name = `${to}__verbatim`;
      const got = await clientOf(from).reached('tools/call', name, `"name":"${name}","arguments":${args}`);
      expect(paramsOf(got).get('arguments') === args, `to a server over ${to}`).toBe(true);
    }
  });
});

describe('params of a method the gateway does not know', () => {
  it.each(['http-modern', 'http-legacy'] as const)(
    'reach a server of a client over %s as they were sent',
    async (from) => {
      await fc.assert(
        fc.asyncProperty(object, value, async (first, second) => {
          const members = `"10":${first},"2":${second},"__proto__":${first}`;
          for (const server of ['http-modern', 'http-legacy', 'stdio-legacy']) {
            const got = await clientOf(from).reached('vendor/do', '', members, `/servers/${server}/mcp`);
            expect([...paramsOf(got).keys()].filter((name) => name !== '_meta')).toEqual(['10', '2', '__proto__']);
            for (const [name, text] of [
              ['10', first],
              ['2', second],
              ['__proto__', first],
            ] as const) {
              expect(onOneLine(paramsOf(got).get(name))).toBe(onOneLine(text));
            }
          }
        }),
        { numRuns: 12 },
      );
    },
  );
});

describe('members of _meta that are the client’s own', () => {
  it('reach the server as they were sent, beside what the era requires', async () => {
    for (const server of SERVERS) {
      const name = `${server}__verbatim`;
      const members = `"name":"${name}","arguments":{},"_meta":{"x.example/n":9007199254740993,"x.example/o":{"2":1.0,"1":[]}}`;
      const got = await clientOf('http-legacy').reached('tools/call', name, members);
      expect(paramsOf(got).get('_meta')).toContain('"x.example/n":9007199254740993,"x.example/o":{"2":1.0,"1":[]}');
    }
  });
});

describe('arguments that nothing judges', () => {
  it('reach the server as bytes although an object in them names a member twice', async () => {
    const args = '{"a":[{"b":1,"\\u0062":2}],"a":1}';
    const members = `"name":"http-modern__verbatim","arguments":${args}`;
    for (const name of CLIENTS) {
      const got = await clientOf(name).reached('tools/call', 'http-modern__verbatim', members);
      expect(paramsOf(got).get('arguments')).toBe(args);
    }
  });
});

describe('arguments that policy judges', () => {
  it('reach the server as they were sent, numbers that a double does not hold included', async () => {
    const args = '{"id": 9007199254740993, "10":1.0,"2":1e400, "text":"\\u0041"}';
    const members = `"name":"http-modern__verbatim","arguments":${args}`;
    for (const client of [modernHttpClient(judging), await legacyHttpClient(judging)]) {
      const got = await client.reached('tools/call', 'http-modern__verbatim', members);
      expect(paramsOf(got).get('arguments')).toBe(args);
    }
  });

  it('are refused when an object in them names a member twice', async () => {
    const members = '"name":"http-modern__verbatim","arguments":{"a":[{"b":1,"\\u0062":2}]}';
    for (const client of [
      modernHttpClient(judging),
      await legacyHttpClient(judging),
      await stdioClient(judging, 'modern'),
      await stdioClient(judging, 'legacy'),
    ]) {
      const { error } = await client.ask('tools/call', 'http-modern__verbatim', members);
      expect(error).toMatchObject({ code: -32602, data: { code: 'SWB_DUPLICATE_KEY', key: 'b' } });
      expect(error?.message).toContain('"b" twice');
      client.close();
    }
  });
});
