// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in files look like template strings.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../load-config.ts';
import { run } from '../program.ts';
import { testIo } from '../testing/io.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'switchboard-import-'));
});
afterEach(() => rm(cwd, { recursive: true }));

async function runImport(content: unknown, args: readonly string[] = [], file = 'other.json') {
  await writeFile(join(cwd, file), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  const io = testIo({ cwd });
  const code = await run(['import', file, ...args], io);
  const printed = io.stdout.text.startsWith('{') ? JSON.parse(io.stdout.text) : undefined;
  return { code, servers: printed?.mcpServers, printed, said: io.stderr.text, out: io.stdout.text };
}

const written = async (file: string): Promise<string> => readFile(join(cwd, file), 'utf8');

describe('switchboard import', () => {
  it('takes the export of MetaMCP: its types, and its bearer token as a header', async () => {
    const { code, servers, said } = await runImport({
      mcpServers: {
        files: { type: 'STDIO', description: 'Files', command: 'npx', args: ['-y', 'files'], env: { ROOT: '/data' } },
        web: { type: 'STREAMABLE_HTTP', url: 'https://w.example/mcp', bearerToken: 'abc', headers: { 'X-Team': 'a' } },
        old: { type: 'SSE', url: 'https://o.example/sse' },
      },
    });
    expect(code).toBe(0);
    expect(said).toContain('3 servers of other.json, read as a file of MetaMCP.');
    expect(servers).toEqual({
      files: { command: 'npx', args: ['-y', 'files'], env: { ROOT: '/data' } },
      web: {
        type: 'streamable-http',
        url: 'https://w.example/mcp',
        headers: { Authorization: 'Bearer abc', 'X-Team': 'a' },
      },
      old: { type: 'sse', url: 'https://o.example/sse' },
    });
  });

  it('takes what the API of MetaMCP answers, too', async () => {
    const nothing = { description: null, bearerToken: null, headers: {}, user_id: null, error_status: 'NONE' };
    const { servers } = await runImport({
      success: true,
      data: [
        { uuid: '1', name: 'files', type: 'STDIO', command: 'files', args: [], env: {}, url: null, ...nothing },
        {
          uuid: '2',
          name: 'web',
          type: 'SSE',
          command: null,
          args: [],
          env: {},
          url: 'https://o.example/sse',
          ...nothing,
        },
      ],
    });
    expect(servers).toEqual({ files: { command: 'files' }, web: { type: 'sse', url: 'https://o.example/sse' } });
  });

  it('takes mcp-hub: secrets that commands print become variables, one for each server', async () => {
    const { code, servers, said } = await runImport({
      mcpServers: {
        'my db': {
          command: '${BIN}/db',
          args: ['--url', '${DB_URL}'],
          env: { TOKEN: '${cmd: op read op://vault/token}', INHERITED: null, EMPTY: '' },
          dev: { enabled: true, cwd: '/src' },
        },
        remote: { url: 'https://${DOMAIN}/mcp', headers: { Authorization: 'Bearer ${cmd: op read op://x}' } },
      },
      nativeMCPServers: { weather: {} },
    });
    expect(code).toBe(0);
    expect(servers).toEqual({
      'my db': {
        command: '${BIN}/db',
        args: ['--url', '${DB_URL}'],
        env: { TOKEN: '${MY_DB_TOKEN}', INHERITED: '${INHERITED}', EMPTY: '${EMPTY}' },
      },
      remote: { url: 'https://${DOMAIN}/mcp', headers: { Authorization: 'Bearer ${REMOTE_AUTHORIZATION}' } },
    });
    expect(said).toMatch(
      /other\.json:10:9 mcpServers\["my db"\]\.env\.TOKEN: commands that print a value are not run; set MY_DB_TOKEN/,
    );
    expect(said).toContain('dev: not taken: sources of a server are not watched');
    expect(said).toContain('nativeMCPServers: not taken');
    expect(said).not.toContain('op://vault');
  });

  it('takes mcphub: tools that are off, options, sessions; says what became of groups, users and keys', async () => {
    const { code, servers, said } = await runImport({
      mcpServers: {
        amap: {
          command: 'npx',
          args: ['-y', 'amap'],
          env: { AMAP_MAPS_API_KEY: 'a-very-real-key' },
          enabled: false,
          tools: { weather: { enabled: false }, route: { enabled: true, description: 'Other words' } },
          prompts: { plan: { enabled: false } },
          options: { timeout: 30000, maxTotalTimeout: 120000, resetTimeoutOnProgress: true },
          perSessionClient: true,
          startOnDemand: true,
          owner: 'admin',
        },
        petstore: { type: 'openapi', openapi: { url: 'https://p.example/openapi.json' } },
      },
      users: [{ username: 'admin', password: '$2b$10$hash' }],
      groups: [{ id: '1', name: 'Maps team', servers: ['amap', { name: 'petstore', tools: 'all' }] }],
      bearerKeys: [{ name: 'k', token: 'secret-token-of-a-key' }],
      systemConfig: { routing: { enableGlobalRoute: true } },
    });
    // A server is missing.
    expect(code).toBe(1);
    expect(servers).toEqual({
      amap: {
        command: 'npx',
        args: ['-y', 'amap'],
        env: { AMAP_MAPS_API_KEY: 'a-very-real-key' },
        disabled: true,
        tools: { exclude: ['weather'] },
        timeoutMs: 30_000,
        maxTimeoutMs: 120_000,
        isolation: 'caller',
      },
    });
    for (const part of [
      'mcpServers.petstore: not taken: an OpenAPI document is no server',
      'tools.route.description: not taken',
      'prompts.plan: not taken: a policy hides it',
      'startOnDemand: not taken',
      'groups[0]: not taken: a grant is what a group was: switchboard grants add Maps-team --server amap --server petstore',
      'bearerKeys: not taken: keys are made anew',
      'env.AMAP_MAPS_API_KEY: taken as it stands; a variable (${AMAP_MAPS_API_KEY}) keeps it out of the file',
    ]) {
      expect(said).toContain(part);
    }
    expect(said).not.toMatch(/secret-token-of-a-key|2b\$10|a-very-real-key/);
  });

  it('takes 1MCP: what all servers share, lists of variables, times', async () => {
    const { code, servers, said } = await runImport(`{
      // its files hold comments
      "serverDefaults": { "requestTimeout": 30000, "env": { "PROXY": "$HTTP_PROXY" }, "headers": { "X-All": "1" }, "restartOnExit": true },
      "mcpServers": {
        "py": { "command": "python", "env": ["PATH", "NODE_ENV=production", "KEY=\${SECRET_KEY}"], "tags": ["a"] },
        "js": { "command": "node", "args": ["$ROOT/s.js"], "env": { "A": "1" }, "connectionTimeout": 5000, "inheritParentEnv": true },
        "web": { "type": "http", "url": "https://w.example/mcp", "requestTimeout": 15000, "disabledTools": ["drop*"], "timeout": 1 },
        "maybe": { "command": "x", "disabled": "{?project.environment=production}" }
      },
      "mcpTemplates": { "project": { "command": "npx", "args": ["{{project.path}}"] } },
    }`);
    expect(code).toBe(1);
    expect(servers).toEqual({
      py: {
        command: 'python',
        env: { PATH: '${PATH}', NODE_ENV: 'production', KEY: '${SECRET_KEY}' },
        timeoutMs: 30_000,
      },
      js: {
        command: 'node',
        args: ['${ROOT}/s.js'],
        env: { PROXY: '${HTTP_PROXY}', A: '1' },
        timeoutMs: 30_000,
        connectTimeoutMs: 5_000,
      },
      web: {
        url: 'https://w.example/mcp',
        headers: { 'X-All': '1' },
        timeoutMs: 15_000,
        tools: { exclude: ['drop[*]'] },
      },
      maybe: { command: 'x', env: { PROXY: '${HTTP_PROXY}' }, timeoutMs: 30_000 },
    });
    for (const part of [
      'mcpTemplates.project: not taken: servers are not made of templates',
      'serverDefaults.restartOnExit: not taken',
      'mcpServers.py.tags: not taken: grants choose servers by name',
      'mcpServers.js.inheritParentEnv: not taken: commands get no variables but those in env',
      'mcpServers.maybe.disabled: not taken: it depends on who connects',
    ]) {
      expect(said).toContain(part);
    }
  });

  it('takes Codex from its TOML: variables by name, seconds, text that only looks like a variable', async () => {
    const toml = `
model = "gpt-5"
[mcp_servers.docs]
url = "https://d.example/mcp"
bearer_token_env_var = "DOCS_TOKEN"
env_http_headers = { X-Org = "ORG_ID" }
http_headers = { X-Plain = "\${not a variable}" }
tool_timeout_sec = 90
enabled_tools = ["search"]
[mcp_servers.local]
command = "npx"
args = ["-y", "local"]
env_vars = ["HOME_TOKEN"]
startup_timeout_sec = 20.5
enabled = false
required = true
[mcp_servers.local.env]
DEBUG = "1"
`;
    const { code, servers, said } = await runImport(toml, [], 'config.toml');
    expect(code).toBe(0);
    expect(servers).toEqual({
      docs: {
        url: 'https://d.example/mcp',
        headers: { Authorization: 'Bearer ${DOCS_TOKEN}', 'X-Org': '${ORG_ID}', 'X-Plain': '$${not a variable}' },
        timeoutMs: 90_000,
        tools: { include: ['search'] },
      },
      local: {
        command: 'npx',
        args: ['-y', 'local'],
        env: { HOME_TOKEN: '${HOME_TOKEN}', DEBUG: '1' },
        connectTimeoutMs: 20_500,
        disabled: true,
      },
    });
    expect(said).toContain('mcp_servers.local.required: not taken');
  });

  it.each([
    [
      'VS Code',
      {
        inputs: [{ id: 'api-key', type: 'promptString', password: true }],
        servers: {
          a: {
            type: 'stdio',
            command: 'npx',
            env: { KEY: '${input:api-key}', DIR: '${workspaceFolder}' },
            envFile: '.env',
          },
        },
      },
      { a: { command: 'npx', env: { KEY: '${API_KEY}', DIR: '${workspaceFolder}' }, envFile: '.env' } },
      'nobody can be asked for the input "api-key" at start; set API_KEY',
    ],
    [
      'Zed',
      {
        context_servers: {
          a: { source: 'custom', enabled: true, command: { path: 'npx', args: ['x'], env: { B: '1' } } },
          gone: { source: 'extension', settings: {} },
        },
      },
      { a: { command: 'npx', args: ['x'], env: { B: '1' } } },
      'context_servers.gone: not taken: it belongs to an extension',
    ],
    [
      'Gemini CLI',
      { mcpServers: { a: { httpUrl: 'https://a.example/mcp', headers: { A: '$TOKEN' }, timeout: 5000, trust: true } } },
      { a: { type: 'streamable-http', url: 'https://a.example/mcp', headers: { A: '${TOKEN}' }, timeoutMs: 5_000 } },
      'mcpServers.a.trust: not taken: approval',
    ],
    [
      'Windsurf',
      {
        mcpServers: { a: { serverUrl: 'https://a.example/mcp', headers: { A: '${env:TOKEN}' }, disabledTools: ['b'] } },
      },
      { a: { url: 'https://a.example/mcp', headers: { A: '${TOKEN}' }, tools: { exclude: ['b'] } } },
      'read as a file of Windsurf',
    ],
    [
      'Claude',
      {
        numStartups: 3,
        mcpServers: { a: { type: 'stdio', command: 'npx', args: [] } },
        projects: { '/home/ann/p': { mcpServers: { b: { type: 'http', url: '${B_URL:-https://b.example}/mcp' } } } },
      },
      { a: { command: 'npx' }, b: { url: '${B_URL:-https://b.example}/mcp' } },
      'read as a file of Claude',
    ],
    [
      'an MCP client',
      { mcpServers: { a: { command: 'npx', args: ['x'], timeout: 30, odd: 1 } } },
      { a: { command: 'npx', args: ['x'] } },
      'mcpServers.a.odd: not taken: there is no such setting here',
    ],
  ])('takes %s', async (label, content, servers, part) => {
    const ran = await runImport(content);
    expect(ran.servers).toEqual(servers);
    expect(ran.said).toContain(part);
    expect(ran.said).toContain(`read as a file of ${label}`);
    // What is printed is a configuration.
    await writeFile(join(cwd, '.env'), '');
    await readConfig(ran.out, undefined, { env: { API_KEY: 'k', TOKEN: 't', workspaceFolder: '/w' }, cwd });
  });

  it('leaves out what the configuration would refuse, and says why', async () => {
    const { code, servers, said } = await runImport({
      mcpServers: {
        ok: { command: 'npx' },
        both: { command: 'npx', url: 'https://b.example/mcp' },
        login: { url: 'https://ann:pw-of-ann@b.example/mcp' },
        neither: {},
        text: 'npx',
      },
    });
    expect(code).toBe(1);
    expect(servers).toEqual({ ok: { command: 'npx' } });
    expect(said).toContain('mcpServers.both: not taken: found a command and a url');
    expect(said).toContain('mcpServers.login: not taken: found credentials in the URL');
    expect(said).toContain('mcpServers.neither: not taken: it has neither a command nor a url');
    expect(said).toContain('mcpServers.text: not taken: it is no object');
    expect(said).not.toContain('pw-of-ann');
  });

  it('takes another reading with --from, and as JSON says everything to programs', async () => {
    const content = { mcpServers: { a: { command: 'npx', timeout: 5_000 } } };
    const { printed } = await runImport(content, ['--from', 'gemini', '--json']);
    expect(printed).toMatchObject({ from: 'gemini', servers: { a: { timeoutMs: 5_000 } }, remarks: [], out: null });
    const unknown = await runImport(content, ['--from', 'nobody']);
    expect([unknown.code, unknown.said]).toEqual([2, expect.stringContaining('The formats are: metamcp, mcp-hub,')]);
  });

  it.each([
    ['{"a": 1', 'not JSON'],
    ['{"theme": "dark"}', 'holds no servers that are recognised'],
    ['[]', 'holds no servers that are recognised'],
  ])('refuses %s', async (text, why) => {
    const { code, said } = await runImport(text);
    expect([code, said]).toEqual([2, expect.stringContaining(why)]);
  });

  it('refuses TOML that is none, and a file that is not there', async () => {
    expect(await runImport('a = = 1', [], 'x.toml')).toMatchObject({
      code: 2,
      said: expect.stringContaining('not TOML'),
    });
    const io = testIo({ cwd });
    expect(await run(['import', 'nowhere.json'], io)).toBe(2);
    expect(io.stderr.text).toContain('nowhere.json: there is no such file.');
  });
});

describe('switchboard import --out', () => {
  const content = { mcpServers: { a: { command: 'npx', args: ['new'] }, b: { command: 'b' } } };

  it('writes a file that only its owner may read', async () => {
    const { code, out } = await runImport(content, ['--out', 'servers.json']);
    expect([code, out]).toEqual([0, 'servers.json: 2 servers written.\n']);
    expect(JSON.parse(await written('servers.json'))).toEqual(content);
    expect((await stat(join(cwd, 'servers.json'))).mode & 0o777).toBe(0o600);
  });

  it('adds to a file and keeps the rest of it, comments too', async () => {
    const before =
      '{\n  // mine\n  "mcpServers": {\n    "c": { "command": "c" }\n  },\n  "gateway": { "port": 7301 }\n}\n';
    await writeFile(join(cwd, 'servers.json'), before);
    expect((await runImport(content, ['--out', 'servers.json'])).code).toBe(0);
    const after = await written('servers.json');
    expect(after).toContain('// mine');
    const { servers } = await readConfig(after, undefined, { env: {}, cwd });
    expect(servers.map(({ name }) => name)).toEqual(['c', 'a', 'b']);
  });

  it('never overwrites silently: a server of the same name stays, and --force replaces it', async () => {
    const before = JSON.stringify({ servers: { a: { command: 'old' }, b: { command: 'b' } } });
    await writeFile(join(cwd, 'servers.json'), before);
    const kept = await runImport(content, ['--out', 'servers.json']);
    expect(kept.code).toBe(1);
    expect(kept.said).toContain('a: servers.json has another server of this name; --force replaces it');
    // The other one is there as it would be written.
    expect(await written('servers.json')).toBe(before);
    expect((await runImport(content, ['--out', 'servers.json', '--force'])).code).toBe(0);
    expect(JSON.parse(await written('servers.json'))).toEqual({
      servers: { a: { command: 'npx', args: ['new'] }, b: { command: 'b' } },
    });
  });

  it('touches no file that is no configuration', async () => {
    await writeFile(join(cwd, 'notes.txt'), 'Dear diary');
    const { code, said } = await runImport(content, ['--out', 'notes.txt']);
    expect([code, said]).toEqual([2, expect.stringContaining('not JSON')]);
    expect(await written('notes.txt')).toBe('Dear diary');
  });
});
