// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in files look like template strings.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { configFile, removeTemporaryFolders, temporaryFolder } from '../../config/testing/files.ts';
import { load } from '../../config/testing/load.ts';
import { loadConfig } from '../../load-config.ts';
import { PUBLISHED_POLICIES } from './testing/policies.ts';
import type { PolicyConfig } from './types.ts';

afterEach(removeTemporaryFolders);

const HASH = 'h'.repeat(43);
const hashedKey = (id: string): string => `sha256:${id.padEnd(8, '0')}:${'s'.repeat(16)}:${HASH}`;

const gatewayPolicy = async (gateway: object, env: Record<string, string> = {}): Promise<PolicyConfig> =>
  (await load({ gateway }, env)).policy;

/** A configuration with files beside it. */
async function withFiles(content: object, files: Readonly<Record<string, string>>) {
  const file = await configFile(content);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dirname(file), name)), { recursive: true });
    await writeFile(join(dirname(file), name), text);
  }
  return { folder: dirname(file), load: () => loadConfig({ file, env: {}, cwd: dirname(file) }) };
}

describe('policy of servers.json', () => {
  it('allows everything where no policy key is set', async () => {
    const { policy, file } = await load({});
    expect(policy).toEqual({
      gateway: undefined,
      defaultPolicy: {
        id: 'default',
        description: undefined,
        mode: 'enforce',
        default: 'allow',
        hide: [],
        allTools: [],
        sections: Object.fromEntries(
          ['tools', 'prompts', 'resources', 'agents', 'methods'].map((section) => [section, new Map()]),
        ),
      },
      servers: new Map(),
      grants: [],
      keysRequired: false,
      hooks: [],
      audit: undefined,
      lock: { mode: 'off', file: join(dirname(file ?? ''), 'switchboard.lock.json') },
      validateArguments: { default: undefined, servers: new Map() },
      adminToken: undefined,
    });
    const cwd = await temporaryFolder();
    const without = await loadConfig({ env: { AGENT_SERVERS: 'http://localhost:4111' }, cwd });
    expect(without.policy).toMatchObject({ lock: { file: join(cwd, 'switchboard.lock.json') } });
  });

  it('reads published documents for servers, inline or from files, and keeps them out of the servers', async () => {
    const [first, second] = PUBLISHED_POLICIES;
    const url = 'http://h';
    const { load: read } = await withFiles(
      {
        mcpServers: { a: { url, policy: first.policy, validateArguments: false }, b: { url, policy: 'p/b.json' } },
        servers: { c: { url, validateArguments: true }, d: { url, policy: './p/b.json', disabled: true } },
      },
      { 'p/b.json': `// ${second.tool}\n${JSON.stringify(second.policy)}` },
    );
    const { policy, servers } = await read();
    expect([...policy.servers.keys()]).toEqual(['a', 'b', 'd']);
    expect(policy.servers.get('a')).toMatchObject({ id: 'server:a', default: 'deny' });
    expect(policy.servers.get('a')?.sections.tools.get(first.tool)?.limits[0]?.max).toBe(first.max);
    expect(policy.servers.get('b')?.sections.tools.get(second.tool)?.limits[0]?.max).toBe(second.max);
    expect(policy.servers.get('d')?.id).toBe('server:d');
    expect(policy.validateArguments).toEqual({
      default: undefined,
      servers: new Map([
        ['a', false],
        ['c', true],
      ]),
    });
    for (const server of servers) expect(Object.keys(server)).not.toContain('policy');
  });

  it('expands variables in paths of documents, not in documents', async () => {
    const literal = { version: '1', default: 'deny', description: '${NOPE}' };
    const { load: read } = await withFiles(
      {
        gateway: { policy: literal, defaultPolicy: '${WHERE:-p}.json' },
        servers: { off: { url: 'http://h', disabled: true, policy: '${NOPE}' } },
      },
      { 'p.json': JSON.stringify(literal) },
    );
    const { policy } = await read();
    expect(policy.gateway).toMatchObject({ id: 'gateway', description: '${NOPE}' });
    expect(policy.defaultPolicy).toMatchObject({ id: 'default', description: '${NOPE}', default: 'deny' });
    expect(policy.servers.size).toBe(0);
  });

  it('requires keys where grants is set, also while it is empty, and then denies by default', async () => {
    expect(await gatewayPolicy({ grants: {} })).toMatchObject({
      keysRequired: true,
      defaultPolicy: { default: 'deny' },
    });
    expect(await gatewayPolicy({})).toMatchObject({ keysRequired: false, defaultPolicy: { default: 'allow' } });
    const { warnings } = await load({ gateway: { host: '0.0.0.0', grants: {} } });
    expect(warnings).toEqual([]);
  });

  it('denies by default as soon as there are grants, unless defaultPolicy says otherwise', async () => {
    const grants = { ci: { key: hashedKey('ci') } };
    expect((await gatewayPolicy({ grants })).defaultPolicy.default).toBe('deny');
    expect((await gatewayPolicy({ grants, defaultPolicy: 'allow' })).defaultPolicy.default).toBe('allow');
    expect((await gatewayPolicy({ defaultPolicy: 'deny' })).defaultPolicy).toMatchObject({
      id: 'default',
      default: 'deny',
    });
    const document = { version: '1', default: 'allow', hide: ['x'] };
    expect((await gatewayPolicy({ grants, defaultPolicy: document })).defaultPolicy.hide).toEqual(['x']);
  });

  it('reads grants', async () => {
    const { load: read } = await withFiles(
      {
        gateway: {
          host: '0.0.0.0',
          grants: {
            ci: {
              key: hashedKey('one'),
              servers: ['git*'],
              policy: PUBLISHED_POLICIES[0].policy,
              expires: '2999-01-31',
            },
            desk: {
              key: [hashedKey('two'), hashedKey('three')],
              policy: 'desk.json',
              expires: '2999-01-31T18:00:00+02:00',
            },
            plain: { key: `\${KEY:-${hashedKey('four')}}` },
          },
        },
      },
      { 'desk.json': '{"version": "1", "default": "allow"}' },
    );
    const { policy, warnings } = await read();
    // With grants every client needs a key.
    expect(warnings).toEqual([]);
    expect(policy.grants).toMatchObject([
      {
        name: 'ci',
        keys: [hashedKey('one')],
        servers: ['git*'],
        policy: { id: 'grant:ci' },
        expiresAt: Date.UTC(2999, 0, 31),
      },
      {
        name: 'desk',
        keys: [hashedKey('two'), hashedKey('three')],
        servers: undefined,
        policy: { id: 'grant:desk', default: 'allow' },
        expiresAt: Date.UTC(2999, 0, 31, 16),
      },
      { name: 'plain', keys: [hashedKey('four')], policy: undefined, expiresAt: undefined },
    ]);
  });

  it('warns of a grant that has expired', async () => {
    const { warnings } = await load({ gateway: { grants: { old: { key: hashedKey('old'), expires: '2020-01-01' } } } });
    expect(warnings).toEqual([expect.stringContaining('gateway.grants.old.expires: this grant has expired')]);
  });

  it('reads hooks, with defaults', async () => {
    const { load: read, folder } = await withFiles(
      {
        gateway: {
          hooks: [
            { use: 'redact-secrets' },
            { use: 'cap-result', name: 'small', options: { maxBytes: 5 }, servers: ['a*'] },
            {
              module: 'hooks/audit-me.ts',
              phases: ['call.before', 'audit'],
              mode: 'shadow',
              timeoutMs: 50,
              onError: 'allow',
            },
          ],
        },
      },
      { 'hooks/audit-me.ts': 'export default {}' },
    );
    const { hooks } = (await read()).policy;
    const defaults = { options: {}, phases: undefined, servers: [], mode: 'enforce', timeoutMs: 1000, onError: 'deny' };
    expect(hooks).toEqual([
      { ...defaults, name: 'redact-secrets', source: { builtin: 'redact-secrets' } },
      { ...defaults, name: 'small', source: { builtin: 'cap-result' }, options: { maxBytes: 5 }, servers: ['a*'] },
      {
        ...defaults,
        name: 'audit-me',
        source: { module: join(folder, 'hooks/audit-me.ts'), hash: expect.stringMatching(/^[\w-]{43}$/) },
        phases: ['call.before', 'audit'],
        mode: 'shadow',
        timeoutMs: 50,
        onError: 'allow',
      },
    ]);
  });

  it('puts audit records into the state folder, or into the named file', async () => {
    const { load: read, folder } = await withFiles({ gateway: { audit: true } }, {});
    expect((await read()).policy.audit).toEqual({
      file: join(folder, '.switchboard/audit.jsonl'),
      maxBytes: 10_485_760,
      keep: 5,
    });
    expect((await gatewayPolicy({ audit: false })).audit).toBeUndefined();
    const audit = { file: '~/audit.jsonl', maxBytes: 4096, keep: 0 };
    expect((await gatewayPolicy({ audit, stateDir: false })).audit).toEqual({
      ...audit,
      file: join(homedir(), 'audit.jsonl'),
    });
  });

  it('reads the example of docs/configuration.md', async () => {
    const docs = await readFile(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
    const example = /## Policy\n.*?```json\n(.*?)```/s.exec(docs)?.[1] ?? '';
    const document = '{"version": "1", "default": "allow"}';
    const names = ['policies/github.json', 'policies/everything.json', 'policies/ci.json', 'hooks/office-hours.ts'];
    const { load: read } = await withFiles(
      JSON.parse(example),
      Object.fromEntries(names.map((name) => [name, document])),
    );
    const { policy, warnings } = await read();
    expect(warnings).toEqual([]);
    expect([...policy.servers.keys()]).toEqual(['lab', 'github']);
    expect(policy.hooks.map(({ name }) => name)).toEqual(['redact-secrets', 'office-hours']);
  });

  it('reads lock, validateArguments and adminToken', async () => {
    const policy = await gatewayPolicy(
      { lock: 'deny', validateArguments: '${CHECK}', adminToken: '${ADMIN}', token: 't'.repeat(16) },
      { ADMIN: 'a'.repeat(20), CHECK: 'false' },
    );
    expect(policy).toMatchObject({
      lock: { mode: 'deny' },
      validateArguments: { default: false },
      adminToken: 'a'.repeat(20),
    });
  });
});
