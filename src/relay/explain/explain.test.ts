import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type DocumentPart, document, limit, predicate, when } from '../../policy/engine/testing/build.ts';
import type { GrantConfig, HookConfig, PolicyConfig } from '../../policy/language/types.ts';
import { writeLockFile } from '../../policy/pinning/lock-file.ts';
import { pinServer } from '../../policy/pinning/pins.ts';
import { parseExact } from '../../wire/json/parse.ts';
import { keepSource } from '../../wire/json/source.ts';
import { type Lists, outcomeOf, type Policed, policed, policyConfig, tool } from '../gate/testing/policed.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swb-explain-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const open: Policed[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

const LISTS: Lists = {
  tools: [tool('get', { inputSchema: { type: 'object', properties: { n: { type: 'number' } } } }), tool('drop')],
  prompts: [{ key: 'greet', value: { name: 'greet' } }],
  resources: [{ key: 'file:///a', value: { uri: 'file:///a', name: 'a' } }],
  agents: [{ key: 'poet', value: { name: 'Poet' } }],
};

const grant = (part: Partial<GrantConfig> = {}): GrantConfig => ({
  name: 'team',
  keys: [],
  servers: undefined,
  policy: undefined,
  expiresAt: undefined,
  ...part,
});

async function serving(part: Partial<PolicyConfig> = {}, servers: Record<string, Lists> = { one: LISTS, two: LISTS }) {
  const gateway = await policed(servers, policyConfig(part));
  open.push(gateway);
  return gateway;
}

/** The gateway's own document. */
const under = (part: DocumentPart): Partial<PolicyConfig> => ({
  gateway: document({ id: 'gateway', default: 'allow', ...part }),
});

function hook(name: string, body: string, part: Partial<HookConfig> = {}): HookConfig {
  const module = join(folder, `${name}.mjs`);
  writeFileSync(module, `export default { phases: ['call.before', 'list.filter'], decide(input) { ${body} } };\n`);
  return {
    name,
    source: { module },
    options: {},
    phases: ['call.before'],
    servers: [],
    mode: 'enforce',
    timeoutMs: 1_000,
    onError: 'deny',
    ...part,
  };
}

describe('the name to explain', () => {
  it.each([
    ['one__get', undefined, 'one'],
    ['get', 'two', 'two'],
    ['two__get', 'two', 'two'],
  ])('%s (server %s) resolves to the server %s', async (name, server, owner) => {
    const { explain } = await serving();
    const { subject, presence, verdict } = await explain({ kind: 'tool', name, server });
    expect(subject).toEqual({
      server: owner,
      section: 'tools',
      name: 'get',
      namespaced: `${owner}__get`,
      exposed: `${owner}__get`,
    });
    expect(presence).toBe('listed');
    expect(verdict).toMatchObject({ effect: 'allow', policy: null, rule: '(default allow)' });
  });

  it('is found as it was cut for clients, and whole', async () => {
    const long = `get_${'x'.repeat(100)}`;
    const { explain, federation } = await serving({}, { one: { tools: [tool(long)] } });
    const exposed = federation.all.routes('tools')[0]?.exposed;
    expect(exposed?.length).toBeLessThanOrEqual(64);
    for (const name of [exposed ?? '', long, `one__${long}`]) {
      expect((await explain({ kind: 'tool', name })).subject).toMatchObject({ name: long, exposed });
    }
  });

  it('must lead to one server', async () => {
    const { explain } = await serving();
    await expect(explain({ kind: 'tool', name: 'get' })).rejects.toMatchObject({
      code: 'SWB_AMBIGUOUS_NAME',
      data: { candidates: ['one__get', 'two__get'] },
    });
    await expect(explain({ kind: 'tool', name: 'get', server: 'tow' })).rejects.toMatchObject({
      code: 'SWB_UNKNOWN_SERVER',
      message: expect.stringContaining("Did you mean 'two'?"),
    });
  });

  it('may be unknown: the documents are evaluated all the same', async () => {
    const { explain } = await serving(under({ default: 'deny' }));
    const gone = await explain({ kind: 'tool', name: 'one__gone' });
    expect(gone).toMatchObject({
      presence: 'none',
      listed: false,
      subject: { server: 'one', name: 'gone', exposed: null },
      verdict: { effect: 'deny', code: 'SWB_UNKNOWN_TOOL', rule: '(unknown name)' },
    });
    expect(gone.verdict.data.ifThere).toMatchObject({ effect: 'deny', rule: '(default deny)' });
    expect(await explain({ kind: 'prompt', name: 'nobody' })).toMatchObject({
      presence: 'none',
      subject: null,
      verdict: { code: 'SWB_UNKNOWN_PROMPT' },
    });
  });

  it('is explained for a grant that exists', async () => {
    const { explain } = await serving({ grants: [grant({ name: 'research' })] });
    const asked = (name: string) => explain({ kind: 'tool', name: 'one__get', grant: name });
    await expect(asked('reserch')).rejects.toThrow("There is no grant 'reserch'. Did you mean 'research'?");
    await expect(asked('local')).rejects.toThrow('The grants are: research.');
    expect((await asked('research')).verdict).toMatchObject({ effect: 'deny', rule: '(no policy)' });
  });
});

describe('a hidden name', () => {
  it('is distinguished from an unknown one, with the rule', async () => {
    const { explain, request } = await serving(under({ hide: ['one__get'] }));
    const { verdict, presence, listed, notes } = await explain({ kind: 'tool', name: 'get', server: 'one' });
    expect({ presence, listed }).toEqual({ presence: 'listed', listed: false });
    expect(verdict).toMatchObject({ effect: 'deny', policy: 'gateway', rule: '(hidden)', hidden: true });
    expect(notes).toContain('The caller is answered as for a name that nobody has.');
    expect(await outcomeOf(request('local', 'modern', 'tools/call', { name: 'one__get' }))).toEqual({
      effect: 'deny',
      code: 'SWB_UNKNOWN_TOOL',
    });
  });

  it('may belong to a server that the grant does not include', async () => {
    const { explain } = await serving({
      grants: [grant({ servers: ['two'], policy: document({ default: 'allow' }) })],
    });
    const verdictOn = async (name: string, kind: 'tool' | 'resource' = 'tool') =>
      (await explain({ kind, name, grant: 'team' })).verdict;
    expect(await verdictOn('one__get')).toMatchObject({ effect: 'deny', rule: '(servers)', hidden: true });
    expect(await verdictOn('two__get')).toMatchObject({ effect: 'allow' });
    expect(await verdictOn('one+file:///a', 'resource')).toMatchObject({ rule: '(servers)', hidden: true });
    // Both servers list it; this grant may know of one.
    expect(await verdictOn('file:///a', 'resource')).toMatchObject({ effect: 'allow' });
  });

  it('may be one that is not pinned', async () => {
    const file = join(folder, 'lock.json');
    const pins = pinServer((kind) => (LISTS[kind] ?? []).filter(({ key }) => key !== 'drop'), undefined);
    await writeLockFile(file, new Map([['one', pins]]));
    const { explain } = await serving({ lock: { mode: 'deny', file } });
    const verdictOn = async (name: string) => (await explain({ kind: 'tool', name })).verdict;
    expect(await verdictOn('one__get')).toMatchObject({ effect: 'allow' });
    expect(await verdictOn('one__drop')).toMatchObject({ effect: 'deny', rule: '(lock)', hidden: true });
    expect((await verdictOn('two__get')).reason).toBe('The lock file says nothing of the server "two".');
  });

  it('may be one that a hook of list.filter hides', async () => {
    const filter = hook('filter', "if (input.name === 'get') return { effect: 'deny', reason: 'no' };", {
      phases: ['list.filter'],
    });
    const { explain } = await serving({ hooks: [filter] });
    expect((await explain({ kind: 'tool', name: 'one__get' })).verdict.rule).toBe('(hook list.filter)');
    expect((await explain({ kind: 'tool', name: 'one__drop' })).verdict.effect).toBe('allow');
  });
});

it('an explanation judges numbers by all their digits, as the endpoint does', async () => {
  const { explain, request } = await serving(
    under({ tools: { one__get: { denyIf: [predicate([when('args.n', 'eq', '9007199254740993')])] } } }),
  );
  for (const [n, effect, detail] of [
    ['9007199254740993', 'deny', 'args.n eq "9007199254740993": holds'],
    ['9007199254740992', 'allow', 'args.n eq "9007199254740993": does not hold'],
    ['9007199254740992.5', 'deny', 'cannot be evaluated: its number is one that servers read in two ways'],
    ['1e400', 'deny', 'cannot be evaluated: its number is larger than any'],
  ] as const) {
    const args = parseExact(`{"n":${n}}`) as Record<string, unknown>;
    const { verdict, passes } = await explain({ kind: 'tool', name: 'one__get', args });
    expect(verdict.effect, n).toBe(effect);
    expect(
      passes[0]?.rules.some((step) => step.detail.includes(detail)),
      JSON.stringify(passes[0]?.rules),
    ).toBe(true);
    const text = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"one__get","arguments":{"n":${n}}}}`;
    const message = JSON.parse(text);
    keepSource(message, text);
    expect((await outcomeOf(request('local', 'modern', 'tools/call', message.params))).effect, n).toBe(effect);
  }
});

describe('an explanation of every kind of subject', () => {
  it.each([
    ['prompt', 'one__greet', undefined, 'prompts/get', { name: 'one__greet' }],
    ['resource', 'one+file:///a', undefined, 'resources/read', { uri: 'one+file:///a' }],
    ['resource', 'file:///b', 'one', 'resources/read', { uri: 'one+file:///b' }],
    ['method', 'x/own', 'one', 'x/own', {}],
  ] as const)('%s %s (server %s) is explained as it is decided', async (kind, name, server, method, params) => {
    const { explain, request, policy } = await serving();
    const section = `${kind}s` as const;
    const key = kind === 'resource' ? 'one+file:///*' : kind === 'method' ? 'one__x/own' : name;
    const documents: DocumentPart[] = [
      { default: 'allow' },
      { default: 'deny' },
      { [section]: { [key]: {} } },
      { [section]: { [key]: { action: 'deny' } } },
      { hide: [key] },
    ];
    const effects: string[] = [];
    for (const part of documents) {
      // Something of the server is always to be seen: without, it has no endpoint of its own.
      await policy.reload(policyConfig(under({ default: 'deny', tools: { one__get: {} }, ...part })));
      const { verdict } = await explain({ kind, name, server });
      const met = await outcomeOf(request('local', 'modern', method, params, kind === 'method' ? 'one' : undefined));
      expect(verdict.effect).toBe(met.effect);
      if (!verdict.hidden) expect(verdict.code).toBe(met.code);
      effects.push(verdict.effect);
    }
    expect(effects).toEqual(['allow', 'deny', 'allow', 'deny', 'deny']);
  });

  it('says that methods of a server of which nothing may be seen do not exist', async () => {
    const { explain, request } = await serving(under({ default: 'deny', methods: { 'one__x/own': {} } }));
    const { verdict } = await explain({ kind: 'method', name: 'x/own', server: 'one' });
    expect(verdict).toMatchObject({ effect: 'deny', rule: '(nothing of its server)', hidden: true });
    await expect(request('local', 'modern', 'x/own', {}, 'one')).rejects.toMatchObject({ code: 'SWB_UNKNOWN_SERVER' });
  });

  it('finds agents by each of their names', async () => {
    const { explain } = await serving(under({ default: 'deny', agents: { one__poet: {} } }));
    for (const name of ['one/poet', 'one:poet', 'one__poet']) {
      const { verdict, notes } = await explain({ kind: 'agent', name });
      expect(verdict).toMatchObject({ effect: 'allow', rule: '/agents/one__poet' });
      expect(notes.join()).toContain('callAgent');
    }
    expect((await explain({ kind: 'agent', name: 'two/poet' })).verdict.rule).toBe('(default deny)');
  });

  it('evaluates conditions on a resource with its URI', async () => {
    const denied = predicate([when('args.uri', 'contains', 'secret')]);
    const { explain } = await serving(under({ resources: { '*': { denyIf: [denied] } } }));
    const effect = async (name: string) => (await explain({ kind: 'resource', name, server: 'one' })).verdict.effect;
    expect(await effect('file:///secret')).toBe('deny');
    expect(await effect('file:///other')).toBe('allow');
  });

  it.each(['tools/call', 'ping', 'agents/call', 'subscriptions/listen'])(
    '%s is no method of a server’s own',
    async (name) => {
      const { explain } = await serving();
      await expect(explain({ kind: 'method', name, server: 'one' })).rejects.toMatchObject({
        code: 'SWB_INVALID_PARAMS',
      });
      await expect(explain({ kind: 'method', name: 'x/own' })).rejects.toThrow('name the server');
    },
  );
});

describe('the trace of an explanation', () => {
  it('has every rule of every document, and every schema', async () => {
    const { explain } = await serving({
      gateway: document({ id: 'gateway', default: 'allow', hide: ['x'] }),
      servers: new Map([
        ['one', document({ id: 'server:one', tools: { get: { schema: { properties: { n: { maximum: 5 } } } } } })],
      ]),
    });
    const { passes, verdict } = await explain({ kind: 'tool', name: 'one__get', args: { n: 9 } });
    expect(passes).toHaveLength(1);
    expect(passes[0]?.rules.map(({ policy, rule, outcome }) => `${policy} ${rule} ${outcome}`)).toEqual([
      'server:one /tools/get passed',
      'gateway (hidden) passed',
      'gateway (default allow) passed',
    ]);
    expect(passes[0]?.schemas).toMatchObject([
      { rule: '(input schema)', problems: [] },
      { policy: 'server:one', rule: '/tools/get/schema', problems: [expect.stringContaining('args.n')] },
    ]);
    expect(verdict).toMatchObject({ effect: 'deny', code: 'SWB_ARGUMENTS_INVALID', rule: '/tools/get/schema' });
  });

  it('has every hook, in order, and the documents again for the arguments it made', async () => {
    const { explain, request } = await serving({
      ...under({ tools: { one__get: { denyIf: [predicate([when('args.n', 'gt', 3)])] } } }),
      hooks: [
        hook('shy', "return { effect: 'deny', reason: 'shadow only' };", { mode: 'shadow' }),
        hook('more', "return { effect: 'allow', args: { n: 4 } };"),
        hook('last', ''),
      ],
    });
    const { passes, hooks, verdict, shadow } = await explain({ kind: 'tool', name: 'one__get', args: { n: 1 } });
    expect(hooks.map(({ rule, effect, changed }) => `${rule} ${effect} ${changed}`)).toEqual([
      '(hook shy) deny false',
      '(hook more) allow true',
      '(hook last) allow false',
    ]);
    expect(shadow).toEqual([{ policy: 'hooks', rule: '(hook shy)', reason: 'shadow only' }]);
    expect(passes.map(({ args }) => args)).toEqual([{ n: 1 }, { n: 4 }]);
    expect(verdict).toMatchObject({ effect: 'deny', rule: '/tools/one__get/deny_if/args.n-gt' });
    const met = await outcomeOf(request('local', 'legacy', 'tools/call', { name: 'one__get', arguments: { n: 1 } }));
    expect(met).toMatchObject({ effect: 'deny', rule: verdict.rule });
  });

  it('has no hook where the documents have denied, or the name is unknown', async () => {
    const { explain } = await serving({
      ...under({ tools: { one__drop: { action: 'deny' } } }),
      hooks: [hook('never', "return { effect: 'deny', reason: 'asked' };")],
    });
    expect(await explain({ kind: 'tool', name: 'one__drop' })).toMatchObject({
      hooks: [],
      verdict: { policy: 'gateway' },
    });
    expect((await explain({ kind: 'tool', name: 'one__gone' })).hooks).toEqual([]);
    expect((await explain({ kind: 'tool', name: 'one__get' })).verdict).toMatchObject({ rule: '(hook never)' });
  });

  it('shows the arguments that reach the server where they differ', async () => {
    const { explain } = await serving(under({ tools: { one__drop: { redact: ['args.key'] } } }));
    expect((await explain({ kind: 'tool', name: 'one__drop', args: { key: 'k', a: 1 } })).sends).toEqual({
      key: '[redacted]',
      a: 1,
    });
    expect((await explain({ kind: 'tool', name: 'one__drop', args: { a: 1 } })).sends).toBeNull();
  });
});

describe('an explanation of limits and approval', () => {
  const LIMITED = under({
    tools: { one__get: { limits: [limit({ counter: 'c', max: 2, windowMs: 86_400_000 * 365 })] } },
  });

  it('shows what is left of a limit, and reserves nothing', async () => {
    const { explain, request, reached } = await serving(LIMITED);
    for (let used = 0; used < 2; used++) {
      for (let looks = 0; looks < 3; looks++) {
        const { limits, verdict } = await explain({ kind: 'tool', name: 'one__get' });
        expect(verdict.effect).toBe('allow');
        expect(limits).toMatchObject([{ counter: 'c', max: 2, amount: 1, used, left: 2 - used }]);
      }
      await request('local', 'modern', 'tools/call', { name: 'one__get', arguments: {} });
    }
    expect((await explain({ kind: 'tool', name: 'one__get' })).verdict).toMatchObject({
      effect: 'deny',
      code: 'SWB_RATE_LIMITED',
      data: { counter: 'c', retryAfterMs: expect.any(Number) },
    });
    expect(reached).toHaveLength(2);
  });

  it('counts from nothing where the number of calls is given', async () => {
    const { explain, request } = await serving(LIMITED);
    for (let i = 0; i < 2; i++) await request('local', 'modern', 'tools/call', { name: 'one__get', arguments: {} });
    const effect = async (times: number) => (await explain({ kind: 'tool', name: 'one__get', times })).verdict.effect;
    expect([await effect(1), await effect(2), await effect(3)]).toEqual(['allow', 'allow', 'deny']);
  });

  it('requests no approval, and says who would be asked', async () => {
    const asks = { approveIf: [predicate([])], approver: 'operator', reason: 'Costs money.' } as const;
    const { explain, policy } = await serving(
      under({ tools: { one__get: { ...asks, limits: [limit({ max: 0, scope: 'session' })] } } }),
    );
    const { verdict, approval, notes } = await explain({ kind: 'tool', name: 'one__get' });
    expect(verdict).toMatchObject({ effect: 'approve', reason: 'Costs money.', data: { approver: 'operator' } });
    expect(approval).toMatchObject({ policy: 'gateway', approver: 'operator', timeoutMs: 600_000 });
    expect(notes.join(' ')).toMatch(/once approved, the call is denied.*session that begins/);
    expect(policy.approvals.list()).toEqual([]);
  });

  it('writes no audit', async () => {
    const file = join(folder, 'audit.jsonl');
    const gateway = await policed({ one: LISTS }, policyConfig({ audit: { file, maxBytes: 1_000_000, keep: 1 } }));
    await gateway.explain({ kind: 'tool', name: 'one__get' });
    await gateway.request('local', 'modern', 'tools/call', { name: 'one__drop', arguments: {} });
    await gateway.close();
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).name)).toEqual(['drop']);
  });

  it('notes an expired grant', async () => {
    const { explain } = await serving({
      grants: [grant({ expiresAt: 1_000, policy: document({ default: 'allow' }) })],
    });
    const { notes } = await explain({ kind: 'tool', name: 'one__get', grant: 'team' });
    expect(notes.join()).toContain('expired at 1970-01-01T00:00:01.000Z');
  });
});
