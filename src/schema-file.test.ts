// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in files look like template strings.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { SERVER_DEFAULTS } from './config/schema/server-entry.ts';
import { loadConfig, SERVERS_FILE } from './load-config.ts';
import { editorPolicySchema, POLICY_WORDS } from './policy/language/schema/document.ts';
import { parsePolicyDocument } from './policy/language/testing/parse.ts';
import { PUBLISHED_POLICIES } from './policy/language/testing/policies.ts';
import { POLICY_SCHEMA_FILE, SCHEMA_FILE } from './schema-file.ts';
import { isObject } from './wire/jsonrpc.ts';

const { allowedAt, keysAt, schemaAt } = SERVERS_FILE.words;
const { editorSchema } = SERVERS_FILE;

describe('servers.schema.json', () => {
  it('is what the schema gives: run `node src/schema-file.ts` after a change', async () => {
    expect(JSON.parse(await readFile(SCHEMA_FILE, 'utf8'))).toEqual(JSON.parse(JSON.stringify(editorSchema())));
  });

  it('describes every key, and gives defaults where there are any', () => {
    const server = schemaAt(['servers', 'any']);
    const gateway = schemaAt(['gateway']);
    const inner = [['limits'], ['connect'], ['grants', 'any'], ['hooks', 0]].map((path) =>
      schemaAt(['gateway', ...path]),
    );
    for (const section of [server, gateway, ...inner]) {
      const keys = Object.entries((section?.properties ?? {}) as Record<string, unknown>);
      expect(keys.length).toBeGreaterThan(2);
      for (const [key, value] of keys) {
        expect(isObject(value) && typeof value.description === 'string', `${key} has a description`).toBe(true);
      }
    }
    for (const [key, value] of Object.entries(SERVER_DEFAULTS)) {
      expect(schemaAt(['servers', 'any', key])?.default).toBe(value);
    }
  });

  it('lets a variable stand where a value is restricted', () => {
    const { definitions } = editorSchema() as { definitions: { server: { properties: Record<string, object> } } };
    expect(definitions.server.properties.concurrency).toMatchObject({
      default: 16,
      anyOf: [
        { type: 'integer', minimum: 1, maximum: 1024 },
        { type: 'string', pattern: '^\\$\\{[^}]+\\}$' },
      ],
    });
  });

  it('lets no variable stand in a policy document, where none is expanded', () => {
    const { definitions } = editorSchema() as { definitions: Record<string, { properties: Record<string, object> }> };
    expect(definitions.limit?.properties.max).toMatchObject({ type: 'integer', minimum: 0 });
    expect(definitions.policy?.properties.default).toMatchObject({ type: 'string', enum: ['allow', 'deny'] });
    expect(definitions.hook?.properties.timeoutMs).toHaveProperty('anyOf');
  });

  it('says in words what may stand where', () => {
    expect(allowedAt(['gateway', 'port'])).toBe('a whole number from 0 to 65535');
    expect(allowedAt(['gateway', 'stateDir'])).toBe('a string that is not empty or false');
    expect(allowedAt(['servers', 'x', 'tools', 'include'])).toBe('a list of strings that is not empty');
    expect(keysAt(['servers', 'x'])).toContain('concurrency');
    expect(keysAt(['servers', 'x'])).not.toContain('autoApprove');
    expect(keysAt(['nowhere'])).toEqual([]);
  });
});

describe('policy.schema.json', () => {
  const compile = async () => {
    const ajv = new Ajv2020({ strict: true, allErrors: true, strictTypes: false });
    return ajv.compile(JSON.parse(await readFile(POLICY_SCHEMA_FILE, 'utf8')));
  };

  it('is what the schema gives: run `node src/schema-file.ts` after a change', async () => {
    expect(JSON.parse(await readFile(POLICY_SCHEMA_FILE, 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(editorPolicySchema())),
    );
  });

  it('describes every key of every object', () => {
    const places = [[], ['all_tools'], ['tools', 'x'], ['tools', 'x', 'limits', 0], ['tools', 'x', 'rate_limit']];
    for (const path of [...places, ['tools', 'x', 'require', 0], ['tools', 'x', 'require', 0, 'conditions', 0]]) {
      const keys = POLICY_WORDS.keysAt(path);
      expect(keys.length, path.join('.')).toBeGreaterThan(0);
      for (const key of keys) {
        expect(POLICY_WORDS.schemaAt([...path, key])?.description, [...path, key].join('.')).toBeTypeOf('string');
      }
    }
  });

  const version = '1';
  const condition = { path: 'args.a', op: 'gt', value: 1 };
  const withRule = (rule: object) => ({ version, default: 'allow', tools: { t: rule } });

  it.each([
    ...PUBLISHED_POLICIES.map(({ policy }) => policy),
    { $schema: './policy.schema.json', version, default: 'allow', mode: 'shadow', hide: ['*'] },
    withRule({ require: [condition], deny_if: [{ conditions: [condition], name: 'n', on_deny: 'd' }], approve: true }),
    withRule({ approve_if: condition, approval_timeout: '5m', approver: 'operator', redact: ['args.a', 'result.b.*'] }),
    withRule({ action: 'deny', reason: 'r', rate_limit: { max: 1, window: 60 }, rules: [{ action: 'allow' }] }),
    withRule({ schema: { type: 'object' }, require: [{ path: 'args.a', op: 'in', value: ['x'] }] }),
  ])('allows what the loader reads: %j', async (document) => {
    const validate = await compile();
    expect(validate(document), JSON.stringify(validate.errors)).toBe(true);
    expect(parsePolicyDocument(document, 'x').mistakes).toBeUndefined();
  });

  it.each([
    {},
    { version: 1, default: 'allow' },
    { version, default: 'no' },
    { version, default: 'allow', more: 1 },
    withRule({ requires: [] }),
    withRule({ require: [{ path: 'a', op: 'gt', value: 1 }] }),
    withRule({ require: [{ path: 'args.a', op: 'in', value: 'x' }] }),
    withRule({ require: [{ conditions: [{ path: 'args.a', op: 'exists', value: 1 }] }] }),
    withRule({ require: [{ path: 'args.a', op: 'lt', value: false }] }),
    withRule({ require: [{ path: 'args.a', op: 'eq', value: [1] }] }),
    withRule({ require: [{ path: 'args.a', op: 'regex', value: 5 }] }),
    withRule({ limits: [{ counter: 'c', window: 'week', max: 1 }] }),
    withRule({ rate_limit: '5/hour' }),
    withRule({ rules: [{ conditions: [condition] }] }),
    withRule({ redact: ['a'] }),
    withRule({ approval_timeout: '5' }),
  ])('refuses what the loader refuses: %j', async (document) => {
    expect((await compile())(document)).toBe(false);
    expect(parsePolicyDocument(document, 'x').mistakes).not.toBeUndefined();
  });
});

describe('docs/configuration.md', () => {
  it('names every key with its default', async () => {
    const text = await readFile(fileURLToPath(new URL('../docs/configuration.md', import.meta.url)), 'utf8');
    const sections: [path: (string | number)[], prefix: string][] = [
      [['servers', 'any'], ''],
      [['gateway'], ''],
      [['gateway', 'firstList'], 'firstList.'],
      [['gateway', 'redis'], 'redis.'],
      [['gateway', 'replica'], 'replica.'],
      [['gateway', 'connect'], 'connect.'],
      [['gateway', 'limits'], 'limits.'],
      [['gateway', 'metrics'], 'metrics.'],
      [['gateway', 'telemetry'], 'telemetry.'],
      [['gateway', 'agents'], 'agents.'],
      [['gateway', 'grants', 'any'], 'grants.*.'],
      [['gateway', 'hooks', 0], 'hooks[].'],
      [['gateway', 'audit'], 'audit.'],
    ];
    for (const [path, prefix] of sections) {
      for (const key of keysAt(path)) {
        if (['firstList', 'connect', 'limits', 'agents', 'redis', 'replica'].includes(key)) continue;
        const row = text.split('\n').find((line) => line.startsWith(`| \`${prefix}${key}\` |`));
        expect(row, `${prefix}${key} has a row`).toBeDefined();
        const preset = schemaAt([...path, key])?.default;
        if (preset !== undefined)
          expect(row).toContain(`\`${typeof preset === 'string' ? preset : JSON.stringify(preset)}\``);
      }
    }
  });
});

describe('the shipped servers.json', () => {
  it('is sound, names its schema, and starts the reference server with the node that runs the gateway', async () => {
    const root = new URL('../', import.meta.url);
    const file = fileURLToPath(new URL('servers.json', root));
    const { servers, warnings, gateway } = await loadConfig({ file, env: {} });
    expect(warnings).toEqual([]);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ $schema: './servers.schema.json' });
    expect(servers.map(({ name, kind }) => [name, kind])).toEqual([
      ['everything', 'mcp'],
      ['mastra', 'mastra'],
      ['langgraph', 'langgraph'],
    ]);
    const target = servers[0]?.target;
    if (target?.transport !== 'stdio') throw new Error('not stdio');
    expect(target.command).toBe(process.execPath);
    await readFile(fileURLToPath(new URL(target.args[0] ?? '', root)));
    expect(gateway.host).toBe('127.0.0.1');
  });
});
