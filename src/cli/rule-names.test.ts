import { afterEach, describe, expect, it } from 'vitest';
import { type DocumentPart, document } from '../policy/engine/testing/build.ts';
import type { GrantConfig, PolicyConfig } from '../policy/language/types.ts';
import { type Policed, policed, policyConfig, tool } from '../relay/gate/testing/policed.ts';
import { misnamedRules } from './rule-names.ts';

const LONG = `long_${'x'.repeat(80)}`;
const SERVERS = {
  one: {
    tools: [tool('get'), tool('odd__name'), tool(LONG)],
    prompts: [{ key: 'greet', value: { name: 'greet' } }],
    resources: [{ key: 'file:///a', value: { uri: 'file:///a', name: 'a' } }],
    templates: [{ key: 'db://{row}', value: { uriTemplate: 'db://{row}', name: 'rows' } }],
    agents: [{ key: 'poet', value: { name: 'Poet' } }],
  },
  two: { tools: [tool('get')] },
};

let gateway: Policed | undefined;
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

async function told(part: Partial<PolicyConfig>): Promise<string[]> {
  gateway = await policed(SERVERS);
  return misnamedRules(policyConfig(part), gateway.federation.all);
}

const made = (id: string, part: DocumentPart) => document({ id, default: 'deny', ...part });
const grant = (servers: string[] | undefined, part: DocumentPart): GrantConfig => ({
  name: 'team',
  keys: [],
  servers,
  policy: made('grant:team', part),
  expiresAt: undefined,
});

describe('check warns of a policy key that spells an existing name so that it matches nothing:', () => {
  it('own names in the document of the gateway, with what to write', async () => {
    const part: DocumentPart = {
      tools: { get: {} },
      prompts: { greet: {} },
      resources: { 'file:///a': {}, 'db://{row}': {} },
      agents: { 'one/poet': {} },
      hide: ['odd__name'],
    };
    expect(await told({ gateway: made('gateway', part) })).toEqual([
      'policy gateway: tools: "get" matches nothing there is; write "one__get", "two__get"',
      'policy gateway: prompts: "greet" matches nothing there is; write "one__greet"',
      'policy gateway: resources: "file:///a" matches nothing there is; write "one+file:///a"',
      'policy gateway: resources: "db://{row}" matches nothing there is; write "one+db://{row}"',
      'policy gateway: agents: "one/poet" matches nothing there is; write "one__poet"',
      'policy gateway: hide: "odd__name" matches nothing there is; write "one__odd__name"',
    ]);
  });

  it('namespaced names in the document of a server', async () => {
    expect(
      await told({ servers: new Map([['one', made('server:one', { tools: { one__get: {}, two__get: {} } })]]) }),
    ).toEqual(['policy server:one: tools: "one__get" matches nothing there is; write "get"']);
  });

  it('exposed names that are cut', async () => {
    gateway = await policed(SERVERS);
    const cut = gateway.federation.all.routes('tools').find(({ original }) => original === LONG)?.exposed ?? '';
    expect(cut).not.toContain(LONG);
    const config = policyConfig({ gateway: made('gateway', { tools: { [cut]: {} } }) });
    expect(misnamedRules(config, gateway.federation.all)).toEqual([
      `policy gateway: tools: "${cut}" matches nothing there is; write "one__${LONG}"`,
    ]);
  });

  it('own names in the document of a grant that could be another server’s', async () => {
    expect(await told({ grants: [grant(undefined, { tools: { get: {}, odd__name: {} } })] })).toEqual([
      'policy grant:team: tools: "odd__name" matches nothing there is; write "one__odd__name"',
    ]);
  });
});

it('check does not warn of names that match, of globs and of names that do not exist', async () => {
  const part: DocumentPart = {
    tools: { one__get: {}, 'one__*': {}, nothing: {}, 'g*': {}, '*': {} },
    resources: { 'one+file:///a': {}, 'one+db://{row}': {}, 'file:///other': {} },
    hide: ['*__get'],
  };
  expect(await told({ gateway: made('gateway', part), defaultPolicy: made('default', part) })).toEqual([]);
  await gateway?.close();
  expect(await told({ grants: [grant(['one'], { tools: { odd__name: {}, get: {} } })] })).toEqual([]);
});
