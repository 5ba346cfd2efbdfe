/** Agents that call agents: the path of each call, and where it ends. */
import { afterEach, describe, expect, it } from 'vitest';
import { fakeCaller } from '../../adapters/testing/call.ts';
import { LOCAL_IDENTITY } from '../core/identity.ts';
import { extendedPath, PATH_CLAIM, PATH_META, pathOf } from '../relay/agents/path.ts';
import { resultObject } from '../relay/types.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { type Rig, rig } from './testing/rig.ts';

let at: Rig | undefined;
afterEach(async () => {
  await at?.close();
  at = undefined;
});

async function withAgents(): Promise<Rig> {
  const answer = () => ({ status: 'completed', text: 'ok' });
  const agents = [{ key: 'a' }, { key: 'b' }];
  at = await rig({ configured: { m: { kind: 'mastra', url: 'http://m.example', agents, answer } } });
  return at;
}

async function call(gateway: Rig, name: string, args: JsonObject, path?: unknown): Promise<JsonObject> {
  const params = { name, arguments: args, ...(path === undefined ? {} : { _meta: { [PATH_META]: path } }) };
  const flight = gateway.relay.handle({
    caller: fakeCaller(),
    view: gateway.federation.all,
    request: { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
    channel: { notify() {} },
  });
  return resultObject(await flight.result);
}

const sentPath = (gateway: Rig): string[] => {
  const meta = gateway.reached.at(-1)?.params._meta as JsonObject;
  return meta[PATH_META] as string[];
};

describe.each<[string, (agent: string) => [string, JsonObject]]>([
  ['its tool', (agent: string) => [`m__${agent}`, { message: 'x' }]],
  ['callAgent', (agent: string) => ['callAgent', { agent: `m/${agent}`, message: 'x' }]],
])('a call of an agent by %s', (_, by) => {
  it('carries its path, with the agent at the end', async () => {
    const gateway = await withAgents();
    await call(gateway, ...by('a'));
    const path = sentPath(gateway);
    expect(path).toEqual([expect.stringMatching(/^m\/a@[0-9a-f]{8}$/)]);
    await call(gateway, ...by('b'), path);
    expect(sentPath(gateway)).toEqual([...path, expect.stringMatching(/^m\/b@/)]);
  });

  it('that closes a loop is refused with the path shown, and nothing is called', async () => {
    const gateway = await withAgents();
    await call(gateway, ...by('a'));
    await call(gateway, ...by('b'), sentPath(gateway));
    const path = sentPath(gateway);
    const before = gateway.reached.length;
    const refused = await call(gateway, ...by('a'), path);
    expect(refused).toMatchObject({ isError: true, _meta: { 'switchboard/error': { code: 'SWB_AGENT_LOOP' } } });
    expect(JSON.stringify(refused.content)).toContain('m/a → m/b → m/a');
    expect(gateway.reached).toHaveLength(before);
  });

  it('at the end of a long path is refused', async () => {
    const gateway = await withAgents();
    const path = Array.from({ length: 8 }, (_each, i) => `other/${i}@00000000`);
    const refused = await call(gateway, ...by('a'), path);
    expect(JSON.stringify(refused.content)).toContain('More than 8 agents call one another in a row');
    expect(gateway.reached).toEqual([]);
  });

  it.each([['text'], [[1]], [['x'.repeat(300)]], [Array(65).fill('a')]])(
    'with %j for a path is refused',
    async (path) => {
      const gateway = await withAgents();
      const refused = await call(gateway, ...by('a'), path);
      expect(refused).toMatchObject({ isError: true, _meta: { 'switchboard/error': { code: 'SWB_INVALID_PARAMS' } } });
      expect(gateway.reached).toEqual([]);
    },
  );
});

describe('a path', () => {
  const agent = { member: { name: 'm' }, original: 'a' } as Parameters<typeof extendedPath>[1];

  it('tells agents of one name at two gateways apart', () => {
    const [one] = extendedPath([], agent, 'one', { maxDepth: 8, maxVisits: 1 });
    expect(extendedPath([String(one)], agent, 'two', { maxDepth: 8, maxVisits: 1 })).toHaveLength(2);
    expect(() => extendedPath([String(one)], agent, 'one', { maxDepth: 8, maxVisits: 1 })).toThrow('m/a → m/a');
    expect(extendedPath([String(one)], agent, 'one', { maxDepth: 8, maxVisits: 2 })).toHaveLength(2);
  });

  it('is the one of the identity where the request carries a shorter one', () => {
    const identity = { ...LOCAL_IDENTITY, claims: { [PATH_CLAIM]: ['a', 'b'] } };
    expect(pathOf({ [PATH_META]: ['c'] }, identity)).toEqual(['a', 'b']);
    expect(pathOf({ [PATH_META]: ['c', 'd', 'e'] }, identity)).toEqual(['c', 'd', 'e']);
  });
});
