/** Results pass at any depth, between all eras; requests may nest as deep as what reads them can recurse. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HabitServer, playHabit } from '../habits/server.ts';
import { MODERN, type Modern } from '../habits/table.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { inSession, modernRequest, openSession, type RawReply, send } from './raw.ts';

const DEEP = `{"a":${'[{"b":'.repeat(20_000)}1${'}]'.repeat(20_000)}}`;
const reply = {
  status: 200,
  type: 'application/json',
  body: `{"jsonrpc":"2.0","id":<id>,"result":{"secret":"s","content":[{"type":"text","text":"fine"}],"structuredContent":${DEEP}}}`,
} as const;

const servers: HabitServer[] = [];
let gateway: OwnGateway;
let session: string;

beforeAll(async () => {
  const legacy = await playHabit({ reply });
  const modern = await playHabit({ reply, discover: (MODERN[0] as Modern).sends });
  servers.push(legacy, modern);
  const policy = { version: '1', default: 'allow', tools: { x: { redact: ['result.secret'] } } };
  const judging = {
    version: '1',
    default: 'allow',
    tools: { x: { redact: ['args.secret'], deny_if: [{ conditions: [{ path: 'args.k', op: 'eq', value: 'v' }] }] } },
  };
  gateway = await startReadyGateway({
    servers: {
      legacy: { kind: 'mcp', url: legacy.url },
      modern: { kind: 'mcp', url: modern.url },
      redacted: { kind: 'mcp', url: legacy.url, policy },
      judged: { kind: 'mcp', url: legacy.url, policy: judging, validateArguments: true },
    },
  });
  session = await openSession(gateway.url);
});
afterAll(async () => {
  await gateway?.close();
  for (const server of servers) await server.close();
});

const CALLS: readonly [client: string, call: (name: string, args?: object) => Promise<RawReply>][] = [
  ['modern', (name, args = {}) => send(gateway.url, modernRequest('tools/call', { name, arguments: args }))],
  ['legacy', (name, args = {}) => send(gateway.url, inSession(session, 'tools/call', { name, arguments: args }))],
];

/** Lists around a one. */
const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + 1 + ']'.repeat(levels));

describe.each(CALLS)('a %s client', (_client, call) => {
  it.each(['legacy', 'modern'])('gets a deep result of a %s server byte for byte', async (server) => {
    const { status, text } = await call(`${server}__x`);
    expect(status).toBe(200);
    expect(text.includes(`"structuredContent":${DEEP}`)).toBe(true);
  });

  it('gets an error in place of a deep result that has to be screened, and the server goes on', async () => {
    const { text, message } = await call('redacted__x');
    expect(text.includes('nested too deep to be screened')).toBe(true);
    expect(message.result).toBeUndefined();
    expect((await call('legacy__x')).text.includes('fine')).toBe(true);
  });

  it('may nest its arguments 990 levels deep', async () => {
    expect((await call('legacy__x', { deep: nested(990) })).text.includes('fine')).toBe(true);
  });

  it('may nest arguments 990 levels deep that are judged, checked and redacted', async () => {
    const { text } = await call('judged__x', { secret: 's', k: 'w', deep: nested(990) });
    expect(text.slice(0, 300)).toContain('fine');
  });

  it('learns the limit when it nests them deeper', async () => {
    const { message } = await call('legacy__x', { deep: nested(1_001) });
    expect(message.error).toMatchObject({ code: -32700, message: expect.stringContaining('1000 levels') });
  });
});
