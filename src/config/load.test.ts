// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in files look like template strings.
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../load-config.ts';
import { configFile, removeTemporaryFolders, temporaryFolder } from './testing/files.ts';
import { load, mistakes, server } from './testing/load.ts';

afterEach(removeTemporaryFolders);

describe('loadConfig: values', () => {
  it('fills in every default', async () => {
    const file = await configFile({ mcpServers: { a: { url: 'http://h:1/mcp' }, b: { command: 'npx', args: ['x'] } } });
    const { gateway, servers } = await loadConfig({ file, env: {} });
    expect(gateway).toEqual({
      agents: {
        a2a: true,
        responses: true,
        signedCards: 'verbatim',
        taskAfterMs: 10_000,
        maxRunMs: 21_600_000,
        keepRunsMs: 86_400_000,
        maxRuns: 32,
        maxDepth: 8,
        maxVisits: 1,
      },
      host: '127.0.0.1',
      port: 7300,
      token: undefined,
      keyHeaders: [],
      allowUnauthenticated: false,
      allowedHosts: [],
      allowedOrigins: [],
      stateDir: join(dirname(file), '.switchboard'),
      redis: { prefix: 'switchboard:', waitMs: 1_000, onStateFailure: 'deny' },
      replica: { host: '127.0.0.1', port: 0 },
      firstList: { httpMs: 2_000, stdioMs: 15_000 },
      agentProxy: false,
      connect: { enabled: true, allowPrivate: [], maxServers: 32 },
      limits: {
        maxBodyBytes: 4_194_304,
        maxReplyBytes: 8_388_608,
        maxSessions: 10_000,
        maxStreams: 10_000,
        maxConnections: 10_000,
        maxCallerSessions: 256,
        sessionIdleMs: 1_800_000,
        pageSize: 2_000,
      },
      logLevel: 'info',
    });
    const common = {
      kind: undefined,
      concurrency: 16,
      maxQueue: 256,
      queueTimeoutMs: 30_000,
      timeoutMs: 60_000,
      maxTimeoutMs: 600_000,
      tools: { include: [], exclude: [] },
      disabled: false,
      origin: 'file',
    };
    expect(servers).toEqual([
      {
        ...common,
        name: 'a',
        namespace: 'a',
        isolation: 'caller',
        connectTimeoutMs: 15_000,
        target: { transport: 'auto', url: 'http://h:1/mcp', headers: {} },
      },
      {
        ...common,
        name: 'b',
        namespace: 'b',
        isolation: 'shared',
        connectTimeoutMs: 60_000,
        target: { transport: 'stdio', command: 'npx', args: ['x'], env: {}, cwd: dirname(file) },
      },
    ]);
  });

  it('reads both server maps, with comments and trailing commas, and an empty file', async () => {
    const config = await load(
      '{ "mcpServers": {"a": {"url": "http://a"},}, // one\n "servers": {"b": {"command": "x"}} }',
    );
    expect(config.servers.map(({ name }) => name)).toEqual(['a', 'b']);
    expect((await load({})).servers).toEqual([]);
  });

  it('expands variables in servers and gateway, also where a number or a boolean must be', async () => {
    const { gateway, servers } = await load(
      {
        servers: {
          a: {
            url: '${URL}',
            headers: { authorization: 'Bearer ${TOKEN}' },
            timeoutMs: '${MS}',
            disabled: '${OFF:-false}',
          },
        },
        gateway: { port: '${PORT:-7400}', host: '${HOST:-127.0.0.1}', token: '${GATE}' },
      },
      { URL: 'http://h', TOKEN: 't', MS: '500', GATE: 'g'.repeat(20) },
    );
    expect(servers[0]).toMatchObject({
      target: { url: 'http://h/', headers: { authorization: 'Bearer t' } },
      timeoutMs: 500,
      disabled: false,
    });
    expect(gateway).toMatchObject({ port: 7400, host: '127.0.0.1', token: 'g'.repeat(20) });
  });

  it('accepts unset variables in a disabled server', async () => {
    const off = { url: 'http://${NOPE}', timeoutMs: '${NOPE_MS}', headers: { a: '${NOPE}' } };
    expect(await server({ ...off, disabled: true })).toMatchObject({ disabled: true, timeoutMs: 60_000 });
    expect(await server({ ...off, disabled: '${OFF}' }, { OFF: 'true' })).toMatchObject({ disabled: true });
    expect(await server({ ...off, enabled: false })).toMatchObject({ disabled: true });
  });

  it('loads a pasted key that cannot be a name under one made of it, with the key as title and one warning', async () => {
    const url = 'http://h';
    const { servers, warnings } = await load({
      mcpServers: {
        'Azure MCP Server': { url, policy: { version: '1', default: 'deny' } },
        plain: { url: 'http://i' },
      },
    });
    expect(servers.map(({ name, title, namespace }) => [name, title, namespace])).toEqual([
      ['Azure-MCP-Server', 'Azure MCP Server', 'Azure-MCP-Server'],
      ['plain', undefined, 'plain'],
    ]);
    expect(servers[1]).not.toHaveProperty('title');
    expect(warnings).toEqual([
      'servers.json:3:5 mcpServers["Azure MCP Server"]: this server is called "Azure-MCP-Server" here, because names hold only ' +
        'letters, digits, "-", "_" and "."; what is written stays its title.',
    ]);
  });

  it('gives a server with a respelled name the policy of its entry', async () => {
    const policy = { version: '1', default: 'deny' };
    const loaded = await load({ mcpServers: { 'a b': { url: 'http://h', policy } } });
    expect([...loaded.policy.servers.keys()]).toEqual(['a-b']);
  });

  it('finds variables of args, url and headers in the entry’s own env first', async () => {
    const env = { TOKEN: 'outer', OTHER: 'o' };
    const own = { TOKEN: 'own-${OTHER}', PORT: 8080, OTHER: null };
    expect(await server({ command: '${TOKEN}', args: ['--token=${TOKEN}', '${OTHER}'], env: own }, env)).toMatchObject({
      target: { command: 'outer', args: ['--token=own-o', 'o'], env: { TOKEN: 'own-o', PORT: '8080' } },
    });
    const url = 'http://h:${PORT}/${TOKEN}';
    expect(await server({ url, headers: { a: 'Bearer ${TOKEN}' }, env: own }, env)).toMatchObject({
      target: { url: 'http://h:8080/own-o', headers: { a: 'Bearer own-o' } },
    });
  });

  it('names a variable that is unset in env and used in args at both places', async () => {
    const lines = await mistakes({ mcpServers: { s: { command: 'x', args: ['${T}'], env: { T: '${T}' } } } });
    expect(lines.map((line) => /mcpServers\.s\.(\S+):/.exec(line)?.[1])).toEqual(['args[0]', 'env.T']);
  });

  it('ignores headers that the gateway sends itself and pasted entries have, with a warning', async () => {
    const headers = { Accept: 'application/json', 'Content-Type': 'application/json', 'x-key': 'k' };
    const config = await load({ mcpServers: { s: { url: 'http://h', headers } } });
    expect(config.servers[0]?.target).toHaveProperty('headers', { 'x-key': 'k' });
    expect(config.warnings.map((line) => line.replace(/^\S+ /, ''))).toEqual([
      'mcpServers.s.headers.Accept: ignored: the gateway sets this header itself.',
      'mcpServers.s.headers.Content-Type: ignored: the gateway sets this header itself.',
    ]);
  });

  it.each(['utf8', 'utf16le', 'utf16be'] as const)('reads files with a byte order mark: %s', async (encoding) => {
    const encoded = (text: string): Buffer => {
      const bytes = Buffer.from(`\ufeff${text}`, encoding === 'utf8' ? 'utf8' : 'utf16le');
      return encoding === 'utf16be' ? bytes.swap16() : bytes;
    };
    const folder = await temporaryFolder();
    const file = join(folder, 'servers.json');
    const entry = { command: 'x', envFile: '.env', policy: 'p.json' };
    await writeFile(file, encoded(JSON.stringify({ mcpServers: { s: entry } })));
    await writeFile(join(folder, '.env'), encoded('A=größe\n'));
    await writeFile(join(folder, 'p.json'), encoded(JSON.stringify({ version: '1', default: 'deny' })));
    const config = await loadConfig({ file, env: {} });
    expect(config.servers[0]?.target).toHaveProperty('env', { A: 'größe' });
    expect(config.policy.servers.has('s')).toBe(true);
  });

  it('takes a path with a drive letter and spaces for a command, not for a command line', async () => {
    const command = 'C:\\Program Files\\nodejs\\npx.cmd';
    expect(await server({ command })).toMatchObject({ target: { command } });
  });

  it('resolves node, ~ and relative folders', async () => {
    const file = await configFile({
      servers: { a: { command: 'node', cwd: 'sub' }, b: { command: '~/bin/x', cwd: '~' } },
    });
    const { servers } = await loadConfig({ file, env: {} });
    expect(servers[0]?.target).toMatchObject({ command: process.execPath, cwd: join(dirname(file), 'sub') });
    expect(servers[1]?.target).toMatchObject({ command: join(homedir(), 'bin/x'), cwd: homedir() });
  });

  it('reads envFile below env; null removes a variable', async () => {
    const file = await configFile({
      servers: { a: { command: 'x', envFile: '.env', env: { B: 'over', C: null, D: 4 } } },
    });
    await writeFile(join(dirname(file), '.env'), 'A=file\nB=file\nC="file"\n');
    const { servers } = await loadConfig({ file, env: {} });
    expect(servers[0]?.target).toHaveProperty('env', { A: 'file', B: 'over', D: '4' });
  });

  it('takes connectTimeoutMs as it is written, for a command too', async () => {
    expect(await server({ command: 'x', connectTimeoutMs: 5_000 })).toMatchObject({ connectTimeoutMs: 5_000 });
    expect((await load({ gateway: { limits: { maxStarts: 3 } } })).gateway.limits.maxStarts).toBe(3);
  });

  it('raises the ceiling of a call with its timeout', async () => {
    expect(await server({ url: 'http://h', timeoutMs: 900_000 })).toMatchObject({ maxTimeoutMs: 900_000 });
  });

  it('prefers the command line over the file', async () => {
    const file = await configFile({ gateway: { port: 1, logLevel: 'warn' } });
    const overrides = { port: 2, host: '::1', token: 't'.repeat(16), logLevel: 'debug' };
    const { gateway } = await loadConfig({ file, env: {}, overrides });
    expect(gateway).toMatchObject(overrides);
  });

  it('resolves stateDir, or keeps state in memory', async () => {
    const file = await configFile({ gateway: { stateDir: '../state' } });
    expect((await loadConfig({ file, env: {} })).gateway.stateDir).toBe(join(dirname(file), '../state'));
    expect((await load({ gateway: { stateDir: false } })).gateway.stateDir).toBeUndefined();
  });
});

describe('loadConfig: choice of the file', () => {
  it('reads the named file, then SWITCHBOARD_CONFIG, then servers.json in the folder', async () => {
    const file = await configFile({ servers: { here: { url: 'http://h' } } });
    const other = await configFile({ servers: { other: { url: 'http://h' } } });
    const names = async (options: { file?: string; env?: Record<string, string> }): Promise<string[]> =>
      (await loadConfig({ env: {}, ...options, cwd: dirname(file) })).servers.map(({ name }) => name);
    expect(await names({})).toEqual(['here']);
    expect(await names({ env: { SWITCHBOARD_CONFIG: other } })).toEqual(['other']);
    expect(await names({ file, env: { SWITCHBOARD_CONFIG: other } })).toEqual(['here']);
  });

  it('reports what to do without a file, and why a file cannot be read', async () => {
    const cwd = await temporaryFolder();
    await expect(loadConfig({ env: {}, cwd })).rejects.toThrow(/There is no servers\.json in .*AGENT_SERVERS/);
    await expect(loadConfig({ file: 'none.json', env: {}, cwd })).rejects.toThrow('none.json: there is no such file.');
    await mkdir(join(cwd, 'sub'));
    await expect(loadConfig({ file: 'sub', env: {}, cwd })).rejects.toThrow(
      'sub: this is a folder; name the file in it.',
    );
  });
});

describe('AGENT_SERVERS', () => {
  it('adds its servers, separated by spaces or commas, to those of the file', async () => {
    const AGENT_SERVERS = 'http://localhost:4111, http://localhost:4222 http://h/api,http://localhost:4111/';
    const { servers } = await load({ mcpServers: { a: { url: 'http://localhost:4222' } } }, { AGENT_SERVERS });
    expect(servers.map(({ name, origin, kind }) => [name, origin, kind])).toEqual([
      ['a', 'file', undefined],
      ['server0', 'env', undefined],
      ['server2', 'env', undefined],
    ]);
    expect(servers[1]).toMatchObject({
      target: { transport: 'auto', url: 'http://localhost:4111/', headers: {} },
      isolation: 'caller',
      namespace: 'server0',
    });
  });

  it('suffices without a file, and then state stays in memory', async () => {
    const config = await loadConfig({ env: { AGENT_SERVERS: 'http://localhost:4111' }, cwd: await temporaryFolder() });
    expect(config.file).toBeUndefined();
    expect(config.gateway.stateDir).toBeUndefined();
    expect(config.servers).toHaveLength(1);
  });

  it('gives each server a free name', async () => {
    const { servers } = await load(
      { mcpServers: { server0: { url: 'http://other' } } },
      { AGENT_SERVERS: 'http://localhost:4111 http://localhost:4222' },
    );
    expect(servers.map(({ name }) => name)).toEqual(['server0', 'server1', 'server2']);
  });

  it('names servers after their URLs where the forms of mcp-agent-proxy are switched off', async () => {
    const { servers, gateway } = await load(
      { gateway: { agentProxy: false }, mcpServers: { 'localhost-4111': { url: 'http://other' } } },
      { AGENT_SERVERS: 'http://localhost:4111 http://h/api' },
    );
    expect(gateway.agentProxy).toBe(false);
    expect(servers[1]?.name).toMatch(/^localhost-4111-[0-9a-f]{8}$/);
    expect(servers[2]?.name).toBe('h-80-api');
  });

  it.each([
    [{}, { MCP_SERVER_PORT: '3001' }, 3001],
    [{ port: 7301 }, { MCP_SERVER_PORT: '3001' }, 7301],
    [{}, { MCP_SERVER_PORT: 'eighty' }, 7300],
    [{}, { MCP_SERVER_PORT: '70000' }, 7300],
  ])('brings the port of mcp-agent-proxy with it: %j with %j listens on %i', async (section, env, port) => {
    const { gateway } = await load({ gateway: section }, { AGENT_SERVERS: 'http://h', ...env });
    expect([gateway.port, gateway.agentProxy]).toEqual([port, true]);
    expect((await load({}, env)).gateway).toMatchObject({ port: 7300, agentProxy: false });
  });

  it('reports which URL is wrong without quoting it', async () => {
    const lines = await mistakes({}, { AGENT_SERVERS: 'http://ok localhost:4111 http://u:pw@h' });
    expect(lines).toEqual([
      'AGENT_SERVERS [1]: found an address without its scheme; write http:// or https:// before it.',
      'AGENT_SERVERS [2]: found credentials in the URL; send them with headers (Authorization) instead.',
    ]);
  });
});
