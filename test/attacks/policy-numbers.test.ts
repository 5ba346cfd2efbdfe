/** Numbers that no double holds: rules judge the digits that reach the server, at both endpoints, in both eras. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type RawReply, send } from '../e2e/raw.ts';
import { grant } from '../policy/grants.ts';
import { type RecordingUpstream, startRecording } from './recording-upstream.ts';
import { denialOf, legacy, modernText } from './talk.ts';

const ID = '9007199254740993';
const NEXT = '9007199254740992';
const key = grant({
  policy: {
    version: '1',
    default: 'deny',
    tools: {
      v__only: { require: [{ path: 'args.id', op: 'eq', value: ID }] },
      v__listed: { require: [{ path: 'args.id', op: 'in', value: [ID, 'x'] }] },
      v__not: { deny_if: [{ path: 'args.id', op: 'eq', value: ID }] },
      v__most: { require: [{ path: 'args.id', op: 'lte', value: 100 }] },
      v__spend: {
        limits: [{ counter: 'spent', window: 'day', max: 100, increment_from: 'args.id' }],
      },
      v__approve: { approve: true, approver: 'operator' },
    },
  },
});

let v: RecordingUpstream;
let gateway: OwnGateway;

beforeAll(async () => {
  v = await startRecording({ tools: ['only', 'listed', 'not', 'most', 'spend', 'approve'] });
  gateway = await startReadyGateway({
    servers: { v: { url: v.url, kind: 'mcp' } },
    gateway: { grants: { key: key.entry } },
  });
});
beforeEach(() => {
  v.heard.length = 0;
});
afterAll(async () => {
  await gateway?.close();
  await v?.close();
});

type Ask = (tool: string, id: string) => Promise<RawReply>;

/** A client that sends the argument `id` as this text. */
async function asking(era: 'legacy' | 'modern', endpoint: 'merged' | 'own'): Promise<Ask> {
  const url = endpoint === 'merged' ? gateway.url : gateway.at('/servers/v/mcp');
  const named = (tool: string): string => (endpoint === 'merged' ? `v__${tool}` : tool);
  const params = (tool: string, id: string) => `"name":"${named(tool)}","arguments":{"id":${id}}`;
  if (era === 'modern') return (tool, id) => modernText(url, key, 'tools/call', named(tool), params(tool, id));
  const session = await legacy(url, key);
  return (tool, id) =>
    send(url, {
      headers: { 'mcp-session-id': session.id, 'mcp-protocol-version': '2025-11-25', ...key.headers },
      body: `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{${params(tool, id)}}}`,
    });
}

const ways = (['legacy', 'modern'] as const).flatMap((era) =>
  (['merged', 'own'] as const).map((endpoint) => [era, endpoint] as const),
);

describe.each(ways)('a number of a %s client at the %s endpoint', (era, endpoint) => {
  it.each([
    ['only', ID, 'allow'],
    ['only', `"${ID}"`, 'allow'],
    ['only', `${ID}.0`, 'allow'],
    ['only', NEXT, 'deny'],
    ['only', '1e400', 'broken'],
    ['listed', ID, 'allow'],
    ['listed', '9007199254740995', 'deny'],
    ['not', ID, 'deny'],
    ['not', `${ID}e0`, 'deny'],
    ['not', NEXT, 'allow'],
    ['not', '9007199254740992.5', 'broken'],
    ['not', '1', 'allow'],
    ['most', '99.9', 'allow'],
    ['most', '100.0', 'allow'],
    ['most', '100.00000000000000000001', 'broken'],
    ['most', '1e2', 'allow'],
    ['most', '-1e400', 'broken'],
    ['spend', '100.00000000000000000001', 'limit'],
    ['spend', '1e400', 'deny'],
    ['spend', '-1e-400', 'deny'],
  ])('%s of %s: %s', async (tool, id, outcome) => {
    const reply = await (await asking(era, endpoint))(tool, id);
    const denial = denialOf(reply);
    if (outcome === 'allow') {
      expect(denial, reply.text).toBeUndefined();
      expect(v.calls(tool)).toHaveLength(1);
      return;
    }
    expect(denial?.code, reply.text).toBe(outcome === 'limit' ? 'SWB_RATE_LIMITED' : 'SWB_DENIED');
    expect(denial?.reason.includes('cannot be evaluated'), denial?.reason).toBe(outcome === 'broken');
    expect(v.of('tools/call')).toEqual([]);
  });

  it('is approved as it is spelled, and no other is', async () => {
    const ask = await asking(era, endpoint);
    const idOf = (reply: RawReply): string | undefined => denialOf(reply)?.approvalId;
    const [one, again, other] = [await ask('approve', ID), await ask('approve', ID), await ask('approve', NEXT)];
    expect(idOf(one)).toBeDefined();
    expect(idOf(again)).toBe(idOf(one));
    expect(idOf(other)).not.toBe(idOf(one));
  });
});
