/** What the page shows for clients, read by what reads the files of those clients. */
import { describe, expect, it } from 'vitest';
import { convert } from '../../cli/import/convert.ts';
import { FORMATS } from '../../cli/import/formats.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { CLIENTS } from './pages/clients.ts';

const TARGET = { name: 'gate', url: 'https://gate.example/mcp', key: true };
const LOCAL = { name: 'docs', url: 'http://127.0.0.1:7300/servers/docs/mcp', key: false };

const textFor = (id: string, target = TARGET): string => CLIENTS.find((each) => each.id === id)?.text(target) ?? '';

describe('the files of clients', () => {
  it.each(['cursor', 'vscode', 'gemini', 'windsurf', 'zed', 'cline'])(
    'of %s name the address and the key',
    async (id) => {
      for (const target of [TARGET, LOCAL]) {
        const root = JSON.parse(textFor(id, target)) as JsonObject;
        const format =
          FORMATS.find((each) => each.label.toLowerCase().includes(id === 'vscode' ? 'vs code' : id)) ?? FORMATS.at(-1);
        if (!format) throw new Error('There is no format.');
        const { servers, remarks } = await convert(root, format);
        const entry = servers[target.name];
        expect(entry?.url, JSON.stringify(remarks.all)).toBe(target.url);
        const headers = isObject(entry?.headers) ? entry.headers : {};
        const [sent] = Object.entries(headers).flatMap(([name, value]) =>
          /^authorization$/i.test(name) ? [value] : [],
        );
        if (target.key) expect(sent, id).toMatch(/^Bearer /);
        else expect(headers, id).toEqual({});
      }
    },
  );

  it('of Claude Desktop start a proxy, which is told where TLS may be missing', () => {
    const argsOf = (url: string): string[] =>
      JSON.parse(textFor('claude-desktop', { ...TARGET, url })).mcpServers.gate.args;
    expect(argsOf('https://gate.example/mcp')).not.toContain('--allow-http');
    expect(argsOf('http://127.0.0.1:7300/mcp')).not.toContain('--allow-http');
    expect(argsOf('http://10.0.0.7:7300/mcp')).toContain('--allow-http');
  });

  it('and commands quote what a shell would read', () => {
    const claude = textFor('claude-code', { ...TARGET, url: "https://gate.example/servers/it's/mcp" });
    expect(claude).toContain(String.raw`'https://gate.example/servers/it'\''s/mcp'`);
    expect(claude).toContain('--header "Authorization: Bearer $SWITCHBOARD_KEY"');
    expect(textFor('codex')).toContain('bearer_token_env_var = "SWITCHBOARD_KEY"');
    expect(textFor('codex', LOCAL)).toBe(`[mcp_servers.docs]\nurl = "${LOCAL.url}"`);
  });
});
