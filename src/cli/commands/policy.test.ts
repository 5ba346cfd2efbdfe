import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Definitions } from '../../../test/fixtures/mcp/defined.ts';
import { type DefinedServers, startDefinedServers } from '../../../test/fixtures/mcp/http-defined.ts';
import { newKey } from '../../auth/key.ts';
import { configFile, removeTemporaryFolders } from '../../config/testing/files.ts';
import { run } from '../program.ts';
import { testIo } from '../testing/io.ts';

const tool = (name: string, rest: object = {}) => ({ name, inputSchema: { type: 'object' as const }, ...rest });

const BROKER: Definitions = {
  tools: [
    tool('mqttConnect', {
      description: 'Connect to MQTT broker',
      inputSchema: { type: 'object', properties: { host: { type: 'string' } }, required: ['host'] },
    }),
    tool('mqttDisconnect'),
    tool('delete_topic', { annotations: { readOnlyHint: true } }),
    tool('pay'),
  ],
  prompts: [{ name: 'greet' }],
  templates: [],
};
const OTHER: Definitions = { tools: [tool('list_files')], prompts: [], templates: [] };

let defined: DefinedServers;

beforeAll(async () => {
  defined = await startDefinedServers();
});
afterEach(removeTemporaryFolders);
afterAll(() => defined?.close());

/** Real servers, in a folder with a configuration. */
async function folderWith(
  servers: Readonly<Record<string, Definitions | 'away'>>,
  gateway: object = {},
  policies: Readonly<Record<string, object>> = {},
) {
  const file = await configFile('{}');
  const folder = dirname(file);
  const mcpServers: Record<string, object> = {};
  for (const [name, definitions] of Object.entries(servers)) {
    const path = join(folder, `${name}.definitions.json`);
    if (definitions !== 'away') await writeFile(path, JSON.stringify(definitions));
    const policy = policies[name] === undefined ? {} : { policy: policies[name] };
    mcpServers[name] = { kind: 'mcp', url: defined.urlOf(path), ...policy };
  }
  const configure = (content: object): Promise<void> => writeFile(file, JSON.stringify(content));
  await configure({ mcpServers, gateway });
  return {
    folder,
    async policy(...args: string[]) {
      const io = testIo({ cwd: folder, env: { PATH: process.env.PATH ?? '' } });
      const code = await run(['policy', ...args], io);
      return { code, out: io.stdout.text, err: io.stderr.text, json: () => JSON.parse(io.stdout.text) };
    },
    /** As `policy init` says: what it prints is added to servers.json. */
    add: (name: string, policy: unknown) =>
      configure({ mcpServers: { ...mcpServers, [name]: { ...mcpServers[name], policy } }, gateway }),
  };
}

const limited = (counter: string, max: number) => ({ limits: [{ counter, window: 'minute', max, scope: 'grant' }] });

describe('switchboard policy init', () => {
  it('prints a document made of what a server offers, that the gateway then holds to', async () => {
    const { policy, add } = await folderWith({ broker: BROKER });
    const made = await policy('init', '--server', 'broker');
    expect(made.code).toBe(0);
    expect(made.json()).toEqual({
      version: '1',
      description: expect.stringContaining('broker'),
      default: 'deny',
      hide: ['delete_topic'],
      tools: {
        mqttConnect: limited('mqttconnect_rate', 10),
        mqttDisconnect: limited('mqttdisconnect_rate', 60),
        pay: { deny_if: [{ conditions: [], on_deny: 'Requires human approval.' }] },
      },
      prompts: { greet: {} },
    });
    expect(made.err).toMatch(/broker +delete_topic +Destructive +Critical +hidden +the name says "delete"/);
    expect(made.err).toContain('{"mcpServers":{"broker":{"policy":"./broker.policy.json"}}}');
    await add('broker', made.json());
    const effect = async (name: string): Promise<string> =>
      (await policy('explain', name, '{"host": "h"}', '--json')).json().verdict.rule;
    expect(await effect('mqttConnect')).toBe('/tools/mqttConnect');
    expect(await effect('pay')).toBe('/tools/pay/deny_if/0');
    expect(await effect('delete_topic')).toBe('(hidden)');
  });

  it('escapes what servers could turn a terminal or an editor around with, on screen and in files', async () => {
    const evil = 'read\u202egnp\u200b';
    const { policy, folder } = await folderWith({
      evil: { tools: [tool(evil, { description: 'Reads.\u2066' })], prompts: [{ name: `p${evil}` }], templates: [] },
    });
    const made = await policy('init', '--out', 'policies');
    expect(made.err + made.out).not.toMatch(/\p{Cf}/u);
    const text = await readFile(join(folder, 'policies', 'evil.policy.json'), 'utf8');
    expect(text).not.toMatch(/\p{Cf}/u);
    expect(text).toContain('read\\u202egnp\\u200b');
    expect(JSON.stringify(JSON.parse(text))).toContain(evil);
    for (const words of [['list'], ['check'], ['list', '--json'], ['policy', 'init', '--server', 'evil']]) {
      const io = testIo({ cwd: folder, env: { PATH: process.env.PATH ?? '' } });
      await run(words, io);
      expect(io.stdout.text + io.stderr.text, words.join(' ')).not.toMatch(/\p{Cf}/u);
      if (words[0] === 'list') expect(io.stdout.text).toContain('\\u202e');
    }
  });

  it('writes a file for each server, and over none that is there', async () => {
    const { policy, folder } = await folderWith({ broker: BROKER, other: OTHER, gone: 'away' });
    const made = await policy('init', '--out', 'policies');
    expect(made).toMatchObject({
      code: 3,
      out: 'Written: policies/broker.policy.json\nWritten: policies/other.policy.json\n',
      err: expect.stringMatching(/Left out: gone is not ready|Left out: gone/),
    });
    const path = join(folder, 'policies', 'other.policy.json');
    expect(JSON.parse(await readFile(path, 'utf8')).tools).toEqual({ list_files: {} });
    await writeFile(path, 'mine');
    await mkdir(join(folder, 'more'));
    await writeFile(join(folder, 'more', 'other.policy.json'), 'mine');
    expect(await policy('init', '--out', 'more')).toMatchObject({
      code: 2,
      err: expect.stringContaining('more/other.policy.json is there already, so nothing was written; --force'),
    });
    expect(await readdir(join(folder, 'more'))).toEqual(['other.policy.json']);
    expect(await readFile(path, 'utf8')).toBe('mine');
    expect((await policy('init', '--out', 'policies', '--force', '--server', 'other')).code).toBe(0);
    expect(await readFile(path, 'utf8')).toContain('list_files');
  });

  it('prints paths that work from the folder of the configuration, and the map in which a server stands', async () => {
    const { policy, folder } = await folderWith({ broker: BROKER, other: OTHER });
    const file = join(folder, 'servers.json');
    const { mcpServers } = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(
      file,
      JSON.stringify({ servers: { 'my broker': mcpServers.broker }, mcpServers: { other: mcpServers.other } }),
    );
    const elsewhere = join(folder, 'work');
    await mkdir(elsewhere);
    const io = testIo({ cwd: elsewhere, env: { PATH: process.env.PATH ?? '' } });
    expect(await run(['policy', 'init', '--config', '../servers.json', '--out', 'made'], io)).toBe(0);
    expect(io.stdout.text).toBe('Written: made/other.policy.json\nWritten: made/my-broker.policy.json\n');
    const printed = io.stderr.text;
    const addition = JSON.parse(printed.slice(printed.indexOf('{')));
    expect(addition).toEqual({
      servers: { 'my broker': { policy: './work/made/my-broker.policy.json' } },
      mcpServers: { other: { policy: './work/made/other.policy.json' } },
    });
    const content = JSON.parse(await readFile(file, 'utf8'));
    Object.assign(content.servers['my broker'], addition.servers['my broker']);
    Object.assign(content.mcpServers.other, addition.mcpServers.other);
    await writeFile(file, JSON.stringify(content));
    expect((await policy('explain', 'other__list_files', '{}', '--json')).code).toBe(0);
  });

  it('never replaces a document for several servers while one of them is not ready', async () => {
    const { policy, folder } = await folderWith({ broker: BROKER, gone: 'away' });
    const path = join(folder, 'policies', 'gateway.policy.json');
    await mkdir(join(folder, 'policies'));
    await writeFile(path, 'with rules for gone');
    const made = await policy('init', '--merged', '--out', 'policies', '--force');
    expect(made.code).toBe(2);
    expect(made.err).toContain('would lose its rules for the servers that are not ready, so nothing was written');
    expect(await readFile(path, 'utf8')).toBe('with rules for gone');
  });

  it('writes one document under namespaced names for the gateway, or for a grant of its servers', async () => {
    const grants = { team: { key: newKey().stored, servers: ['other'] } };
    const { policy } = await folderWith({ broker: BROKER, other: OTHER }, { grants });
    const merged = (await policy('init', '--merged')).json();
    expect(merged.hide).toEqual(['broker__delete_topic']);
    expect(merged.tools).toMatchObject({
      broker__mqttConnect: limited('broker__mqttconnect_rate', 10),
      other__list_files: {},
      connectServer: limited('connectserver_rate', 30),
      listAgents: {},
    });
    const { out, err } = await policy('init', '--grant', 'team');
    expect(Object.keys(JSON.parse(out).tools).filter((name) => name.includes('__'))).toEqual(['other__list_files']);
    expect(err).toContain('{"gateway":{"grants":{"team":{"policy":"./team.policy.json"}}}}');
    const several = (await policy('init')).json();
    expect(Object.keys(several.mcpServers)).toEqual(['broker', 'other']);
    expect((await policy('init', '--merged', '--grant', 'team')).code).toBe(2);
    expect(await policy('init', '--server', 'brokr')).toMatchObject({
      code: 2,
      err: expect.stringContaining('Did you mean "broker"?'),
    });
  });
});

describe('switchboard policy explain', () => {
  const DOCUMENT = {
    version: '1',
    default: 'deny',
    hide: ['delete_topic'],
    tools: {
      mqttConnect: { ...limited('c', 10), deny_if: [{ conditions: [{ path: 'args.host', op: 'eq', value: 'bad' }] }] },
      pay: { approve: true },
    },
  };

  it('prints what was looked at and the verdict, and exits by it', async () => {
    const { policy } = await folderWith({ broker: BROKER }, {}, { broker: DOCUMENT });
    const allowed = await policy('explain', 'broker__mqttConnect', '{"host": "h"}');
    expect(allowed).toMatchObject({ code: 0, err: '' });
    expect(allowed.out.split('\n')).toEqual([
      'tool broker__mqttConnect for the local user',
      '"mqttConnect" of broker; namespaced broker__mqttConnect. Listed.',
      '',
      'Rules',
      '  server:broker  (hidden)                                 passed  not hidden',
      '  server:broker  /tools/mqttConnect                       passed  listed',
      expect.stringMatching(
        /^ {2}server:broker {2}\/tools\/mqttConnect\/deny_if\/args.host-eq {2}passed {2}args.host eq /,
      ),
      '  server:broker  /tools/mqttConnect/limits/c              limit   adds 1 of 10 per minute, one count per grant',
      '',
      'Arguments',
      '  (input schema): fit',
      '',
      'Limits',
      '  "c": adds 1; 0 of 10 per minute used, 10 left',
      '',
      'ALLOWED by server:broker /tools/mqttConnect: Nothing is against it.',
      '',
    ]);
    const denied = await policy('explain', 'mqttConnect', '{"host": "bad"}', '--server', 'broker');
    expect(denied).toMatchObject({
      code: 5,
      out: expect.stringContaining('DENIED by server:broker /tools/mqttConnect/deny_if'),
    });
    expect(await policy('explain', 'pay')).toMatchObject({ code: 6, out: expect.stringContaining('APPROVAL by') });
    expect(await policy('explain', 'delete_topic')).toMatchObject({
      code: 5,
      out: expect.stringMatching(/It is there, and not listed[\s\S]*DENIED by server:broker \(hidden\)/),
    });
    expect(await policy('explain', 'mqttConect')).toMatchObject({
      code: 2,
      err: 'Did you mean broker__mqttConnect?\n',
    });
    expect(await policy('explain', 'greet')).toMatchObject({
      code: 2,
      err: 'Did you mean --kind prompt broker__greet?\n',
    });
  });

  it('prints a stable structure, for a grant that exists', async () => {
    const grants = { team: { key: newKey().stored, policy: { version: '1', default: 'allow' } } };
    const { policy } = await folderWith({ broker: BROKER }, { grants }, { broker: DOCUMENT });
    const made = await policy('explain', 'broker__mqttConnect', '{}', '--grant', 'team', '--json');
    expect(made.code).toBe(5);
    expect(Object.keys(made.json())).toEqual([
      ...['kind', 'name', 'grant', 'subject', 'presence', 'listed', 'passes', 'hooks', 'approval', 'limits', 'shadow'],
      ...['sends', 'verdict', 'notes'],
    ]);
    expect(made.json()).toMatchObject({
      grant: 'team',
      verdict: { effect: 'deny', code: 'SWB_ARGUMENTS_INVALID', policy: 'gateway', rule: '(input schema)' },
    });
    expect(await policy('explain', 'pay', '--grant', 'taem')).toMatchObject({
      code: 2,
      err: expect.stringContaining("There is no grant 'taem'. Did you mean 'team'?"),
    });
    expect((await policy('explain', 'pay', 'not json')).code).toBe(2);
    expect((await policy('explain', 'pay', '--kind', 'thing')).code).toBe(2);
  });
});

describe('switchboard policy test', () => {
  const grants = {
    team: { key: newKey().stored, policy: { version: '1', default: 'deny', tools: { 'broker__*': {} } } },
  };
  const DOCUMENT = {
    version: '1',
    default: 'allow',
    hide: ['delete_topic'],
    tools: { mqttConnect: limited('c', 10), pay: { approve: true } },
  };

  it('lists the cases that are not as expected, with the deciding rule', async () => {
    const { policy, folder } = await folderWith({ broker: BROKER }, { grants }, { broker: DOCUMENT });
    const connect = { tool: 'broker__mqttConnect', args: { host: 'h' } };
    const good = [
      { ...connect, times: 10, expect: 'allow', listed: true },
      { ...connect, times: 11, expect: 'deny', rule: '/tools/mqttConnect/limits/c' },
      { ...connect, grant: 'team', expect: 'allow', rule: 'grant:team#/tools/broker__*' },
      { tool: 'mqttConnect', server: 'broker', expect: 'deny', rule: '(input schema)' },
      { tool: 'pay', expect: 'approve', rule: 'server:broker#/tools/pay/approve/0' },
      { tool: 'delete_topic', expect: 'deny', listed: false },
      { prompt: 'greet', grant: 'team', expect: 'deny', rule: '(default deny)' },
      { tool: 'gone', expect: 'deny', rule: '(unknown name)' },
    ];
    const write = (name: string, cases: readonly object[]): Promise<void> =>
      writeFile(
        join(folder, name),
        `// Cases.\n{ "cases": [\n${cases.map((each) => JSON.stringify(each)).join(',\n')},\n] }`,
      );
    await write('good.json', good);
    expect(await policy('test', 'good.json')).toMatchObject({ code: 0, err: '', out: '8 of 8 cases as expected.\n' });
    await write('bad.json', [
      ...good,
      { name: 'too many', ...connect, times: 11, expect: 'allow' },
      { tool: 'pay', expect: 'approve', rule: '/other' },
      { tool: 'delete_topic', expect: 'deny', listed: true },
      { tool: 'gone', expect: 'deny' },
      { tool: 'pay', expect: 'approve', grant: 'nobody' },
    ]);
    const failed = await policy('test', 'bad.json');
    expect(failed.code).toBe(1);
    expect(failed.out.split('\n')).toEqual([
      'FAILED bad.json:11 too many',
      expect.stringMatching(
        /^ {2}expected allow, found deny by server:broker \/tools\/mqttConnect\/limits\/c: Rate limit/,
      ),
      'FAILED bad.json:12 tool pay',
      expect.stringMatching(/^ {2}expected the rule \/other, found approve by server:broker \/tools\/pay\/approve\/0/),
      'FAILED bad.json:13 tool delete_topic',
      '  expected it to be listed, and it is not',
      'FAILED bad.json:14 tool gone',
      '  there is no such tool',
      'FAILED bad.json:15 tool pay for grant "nobody"',
      "  There is no grant 'nobody'. The grants are: team.",
      '8 of 13 cases as expected.',
      '',
    ]);
    const json = await policy('test', 'bad.json', '--json');
    expect(json.json()).toMatchObject({ passed: 8, failed: 5 });
    expect(json.json().cases[8]).toMatchObject({ name: 'too many', passed: false, verdict: { effect: 'deny' } });
  });

  it('reports where a file of cases has a mistake', async () => {
    const { policy, folder } = await folderWith({});
    const told = async (text: string): Promise<string[]> => {
      await writeFile(join(folder, 'c.json'), text);
      const { code, err } = await policy('test', 'c.json');
      expect(code).toBe(2);
      return err.split('\n').slice(0, -1);
    };
    expect(
      await told('{"cases": [\n{"tool": "a", "prompt": "b", "expect": "allow"},\n{"tool": "a", "expect": "alow"}]}'),
    ).toEqual([
      'error c.json:2:1 cases[0]: found tool and prompt; allowed: one of tool, prompt, resource, agent, method.',
      'c.json:3:15 cases[1].expect: found "alow"; did you mean "allow"? allowed: "allow", "deny" or "approve".',
    ]);
    expect(await told('{"cases": [{"expect": "allow"}]}')).toEqual([
      'error c.json:1:12 cases[0]: found none of tool, prompt, resource, agent, method.',
    ]);
    expect(await told('{"cases": [{"tol": "a", "expect": "deny"}]}')).toEqual([
      expect.stringMatching(/^error c.json:1:13 cases\[0\].tol: found an unknown key; did you mean "tool"\?/),
    ]);
    expect((await told('{"cases": []}'))[0]).toContain('c.json:1:2 cases');
    expect((await told('{'))[0]).toContain('c.json:1:2: not JSON');
    const missing = await policy('test', 'none.json');
    expect(missing).toMatchObject({ code: 2, err: expect.stringContaining('none.json: there is no such file.') });
  });
});
