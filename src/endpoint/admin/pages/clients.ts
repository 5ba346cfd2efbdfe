/** What adds a server over HTTP to each client, in the form that its own documentation gives. */

export interface Target {
  /** Letters, digits, `-` and `_`. */
  name: string;
  url: string;
  /** Clients send a key, as a header. */
  key: boolean;
}

export interface ClientForm {
  id: string;
  label: string;
  /** Where it goes. */
  where: string;
  /** Said beside it. */
  note?: (target: Target) => string | undefined;
  text(target: Target): string;
}

const json = (value: unknown): string => JSON.stringify(value, null, 2);
const word = (text: string): string => (/^[\w./:%@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
/** `sent` stands for the header's value, in the words of the client. */
const headers = ({ key }: Target, sent: string): object => (key ? { headers: { Authorization: sent } } : {});
const FROM_VARIABLE = 'It reads the key from the variable SWITCHBOARD_KEY of its environment.';
const isLoopback = (url: string): boolean => /^http:\/\/(?:localhost|127\.[\d.]+|\[::1\])[:/]/.test(url);
const variableNote = ({ key }: Target): string | undefined => (key ? FROM_VARIABLE : undefined);
const writtenNote = ({ key }: Target): string | undefined => (key ? 'Write the key in the place of <key>.' : undefined);

export const CLIENTS: readonly ClientForm[] = [
  {
    id: 'claude-code',
    label: 'Claude Code',
    where: 'in a terminal',
    note: ({ key }) =>
      key
        ? 'Your shell puts the key from SWITCHBOARD_KEY into it. With --scope project it goes into .mcp.json of the project.'
        : 'With --scope project it goes into .mcp.json of the project.',
    text: (to) =>
      `claude mcp add --transport http ${to.name} ${word(to.url)}${to.key ? ' \\\n  --header "Authorization: Bearer $SWITCHBOARD_KEY"' : ''}`,
  },
  {
    id: 'claude-desktop',
    label: 'Claude Desktop',
    where: 'claude_desktop_config.json (Settings, Developer, Edit Config)',
    note: ({ url, key }) =>
      [
        url.startsWith('https:')
          ? 'Where the address is reachable from the internet, Settings, Connectors, Add custom connector takes it as it is.'
          : '',
        key ? 'Write the key in the place of <key>.' : '',
      ]
        .filter(Boolean)
        .join(' ') || undefined,
    text: (to) =>
      json({
        mcpServers: {
          [to.name]: {
            command: 'npx',
            args: [
              '-y',
              'mcp-remote',
              to.url,
              // It refuses addresses without TLS beyond this machine.
              ...(to.url.startsWith('http:') && !isLoopback(to.url) ? ['--allow-http'] : []),
              // No space after the colon: some versions split arguments there.
              ...(to.key ? ['--header', 'Authorization:${AUTH_HEADER}'] : []),
            ],
            ...(to.key ? { env: { AUTH_HEADER: 'Bearer <key>' } } : {}),
          },
        },
      }),
  },
  {
    id: 'cursor',
    label: 'Cursor',
    where: '~/.cursor/mcp.json, or .cursor/mcp.json of a project',
    note: variableNote,
    text: (to) => json({ mcpServers: { [to.name]: { url: to.url, ...headers(to, 'Bearer ${env:SWITCHBOARD_KEY}') } } }),
  },
  {
    id: 'vscode',
    label: 'VS Code',
    where: '.vscode/mcp.json, or mcp.json of your profile (MCP: Open User Configuration)',
    note: ({ key }) => (key ? 'It asks for the key once and keeps it.' : undefined),
    text: (to) =>
      json({
        ...(to.key
          ? {
              inputs: [
                { type: 'promptString', id: 'switchboard-key', description: 'Key for Switchboard', password: true },
              ],
            }
          : {}),
        servers: { [to.name]: { type: 'http', url: to.url, ...headers(to, 'Bearer ${input:switchboard-key}') } },
      }),
  },
  {
    id: 'codex',
    label: 'Codex',
    where: '~/.codex/config.toml, or .codex/config.toml of a trusted project',
    note: variableNote,
    text: (to) =>
      `[mcp_servers.${to.name}]\nurl = ${JSON.stringify(to.url)}${to.key ? '\nbearer_token_env_var = "SWITCHBOARD_KEY"' : ''}`,
  },
  {
    id: 'gemini',
    label: 'Gemini CLI',
    where: '~/.gemini/settings.json, or .gemini/settings.json of a project',
    note: variableNote,
    text: (to) => json({ mcpServers: { [to.name]: { httpUrl: to.url, ...headers(to, 'Bearer ${SWITCHBOARD_KEY}') } } }),
  },
  {
    id: 'windsurf',
    label: 'Windsurf',
    where: '~/.codeium/windsurf/mcp_config.json',
    note: variableNote,
    text: (to) =>
      json({ mcpServers: { [to.name]: { serverUrl: to.url, ...headers(to, 'Bearer ${env:SWITCHBOARD_KEY}') } } }),
  },
  {
    id: 'zed',
    label: 'Zed',
    where: 'settings.json (zed: open settings file)',
    note: writtenNote,
    text: (to) => json({ context_servers: { [to.name]: { url: to.url, ...headers(to, 'Bearer <key>') } } }),
  },
  {
    id: 'cline',
    label: 'Cline',
    where: 'cline_mcp_settings.json (MCP Servers, Configure)',
    note: writtenNote,
    text: (to) =>
      json({ mcpServers: { [to.name]: { type: 'streamableHttp', url: to.url, ...headers(to, 'Bearer <key>') } } }),
  },
  {
    id: 'goose',
    label: 'Goose',
    where: '~/.config/goose/config.yaml',
    note: writtenNote,
    text: (to) =>
      [
        'extensions:',
        `  ${to.name}:`,
        '    type: streamable_http',
        `    name: ${to.name}`,
        '    enabled: true',
        `    uri: ${JSON.stringify(to.url)}`,
        ...(to.key ? ['    headers:', '      Authorization: "Bearer <key>"'] : []),
        '    timeout: 300',
      ].join('\n'),
  },
  {
    id: 'typescript',
    label: 'TypeScript SDK',
    where: 'npm install @modelcontextprotocol/client',
    note: variableNote,
    text: (to) => `import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const client = new Client({ name: 'example', version: '1.0.0' });
const transport = new StreamableHTTPClientTransport(new URL(${JSON.stringify(to.url)})${to.key ? ', {\n  requestInit: { headers: { authorization: `Bearer ${process.env.SWITCHBOARD_KEY}` } },\n}' : ''});
await client.connect(transport);
console.log(await client.listTools());`,
  },
  {
    id: 'python',
    label: 'Python SDK',
    where: 'pip install mcp',
    note: variableNote,
    text: (to) => `import asyncio${to.key ? ', os' : ''}
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

async def main():
    async with streamablehttp_client(${JSON.stringify(to.url)}${to.key ? ', headers={"Authorization": f"Bearer {os.environ[\'SWITCHBOARD_KEY\']}"}' : ''}) as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            print(await session.list_tools())

asyncio.run(main())`,
  },
];
