// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in files look like template strings.
import { afterEach, describe, expect, it } from 'vitest';
import { removeTemporaryFolders } from './testing/files.ts';
import { load, server } from './testing/load.ts';

afterEach(removeTemporaryFolders);

describe('loadConfig: files of other clients', () => {
  it.each([
    [
      'Claude Desktop',
      { mcpServers: { fs: { command: 'npx', args: ['-y', 'x'], env: { A: 'b' } } }, globalShortcut: '' },
    ],
    ['Claude Code', { mcpServers: { a: { type: 'http', url: 'http://h', headers: { 'X-Key': 'k' } } } }],
    [
      'Cursor',
      { mcpServers: { a: { url: 'http://h', auth: { CLIENT_ID: 'x' } }, b: { command: 'x', envFile: undefined } } },
    ],
    ['VS Code', { inputs: [], servers: { a: { type: 'stdio', command: 'x', dev: { watch: '**' }, gallery: true } } }],
    [
      'Windsurf',
      { mcpServers: { a: { serverUrl: 'http://h/mcp', disabledTools: ['x'], headers: { k: '${env:K}' } } } },
    ],
    [
      'Cline',
      { mcpServers: { a: { type: 'streamableHttp', url: 'http://h', autoApprove: [], disabled: false, timeout: 60 } } },
    ],
    [
      'Roo Code',
      { mcpServers: { a: { type: 'streamable-http', url: 'http://h', alwaysAllow: ['*'], watchPaths: [] } } },
    ],
    ['Gemini CLI', { mcpServers: { a: { httpUrl: 'http://h', trust: true, includeTools: ['x'], timeout: 3000 } } }],
    ['Copilot', { mcpServers: { a: { type: 'local', command: 'x', args: [], tools: ['*'] } } }],
  ])('reads one of %s', async (_client, content) => {
    const { servers } = await load(content, { K: 'k' });
    expect(servers.length).toBeGreaterThan(0);
  });

  it.each([
    [{ url: 'http://h' }, 'auto'],
    [{ url: 'http://h', type: 'http' }, 'auto'],
    [{ url: 'http://h', type: 'streamable-http' }, 'http'],
    [{ url: 'http://h', type: 'streamableHttp' }, 'http'],
    [{ url: 'http://h', transport: 'streamable_http' }, 'http'],
    [{ url: 'http://h', transportType: 'sse' }, 'sse'],
    [{ httpUrl: 'http://h' }, 'http'],
    [{ serverUrl: 'http://h' }, 'auto'],
    [{ command: 'x', type: 'local' }, 'stdio'],
  ])('reads %j as the transport %s', async (entry, transport) => {
    expect((await server(entry)).target.transport).toBe(transport);
  });

  it('maps their keys for enabled and disabled, and their lists of tool names', async () => {
    const entry = { url: 'http://h', isActive: false, tools: ['a*'], includeTools: ['b[1]'], disabledTools: ['c*'] };
    expect(await server(entry)).toMatchObject({
      disabled: true,
      tools: { include: ['a*', 'b\\[1\\]'], exclude: ['c\\*'] },
    });
  });

  it('warns of ignored keys that concern the connection, and of no others', async () => {
    const { warnings } = await load({
      inputs: [],
      mcpServers: { a: { command: 'x', timeout: 60, description: 'd', autoApprove: ['t'], headers: { a: 'b' } } },
    });
    expect(warnings.map((line) => line.replace(/^servers\.json:\d+:\d+ /, '')).sort()).toEqual([
      'inputs: ignored: nobody can be asked at start; write ${VAR} where ${input:…} stood.',
      'mcpServers.a.autoApprove: ignored: approval is the client’s own business.',
      'mcpServers.a.headers: ignored: they are for a url, and this server has a command.',
      'mcpServers.a.timeout: ignored: clients mean seconds or milliseconds by it; write timeoutMs instead.',
    ]);
  });
});
