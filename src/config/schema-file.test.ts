// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in files look like template strings.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { isObject } from '../wire/jsonrpc.ts';
import { loadConfig } from './load.ts';
import { allowedAt, editorSchema, keysAt, schemaAt } from './schema/json-schema.ts';
import { SERVER_DEFAULTS } from './schema/server-entry.ts';
import { SCHEMA_FILE } from './schema-file.ts';

describe('servers.schema.json', () => {
  it('is what the schema gives: run `node src/config/schema-file.ts` after a change', async () => {
    expect(JSON.parse(await readFile(SCHEMA_FILE, 'utf8'))).toEqual(JSON.parse(JSON.stringify(editorSchema())));
  });

  it('describes every key, and gives defaults where there are any', () => {
    const server = schemaAt(['servers', 'any']);
    const gateway = schemaAt(['gateway']);
    for (const section of [server, gateway, schemaAt(['gateway', 'limits']), schemaAt(['gateway', 'connect'])]) {
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

  it('says in words what may stand where', () => {
    expect(allowedAt(['gateway', 'port'])).toBe('a whole number from 0 to 65535');
    expect(allowedAt(['gateway', 'stateDir'])).toBe('a string that is not empty or false');
    expect(allowedAt(['servers', 'x', 'tools', 'include'])).toBe('a list of strings that is not empty');
    expect(keysAt(['servers', 'x'])).toContain('concurrency');
    expect(keysAt(['servers', 'x'])).not.toContain('autoApprove');
    expect(keysAt(['nowhere'])).toEqual([]);
  });
});

describe('docs/configuration.md', () => {
  it('names every key with its default', async () => {
    const text = await readFile(fileURLToPath(new URL('../../docs/configuration.md', import.meta.url)), 'utf8');
    const sections: [path: string[], prefix: string][] = [
      [['servers', 'any'], ''],
      [['gateway'], ''],
      [['gateway', 'connect'], 'connect.'],
      [['gateway', 'limits'], 'limits.'],
    ];
    for (const [path, prefix] of sections) {
      for (const key of keysAt(path)) {
        if (key === 'connect' || key === 'limits') continue;
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
    const root = new URL('../../', import.meta.url);
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
