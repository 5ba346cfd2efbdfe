/** A request as a person or program sends it: with curl, and with the SDKs. */
import type { VNode } from 'preact';
import { Copyable, html } from './ui.ts';

export interface ClientRequest {
  method: string;
  params: Record<string, unknown>;
}

/** Where clients connect: this page is below it. */
export const endpoint = (server?: string): string => {
  const base = location.href.replace(/\/admin\/.*$/, '');
  return server === undefined ? `${base}/mcp` : `${base}/servers/${encodeURIComponent(server)}/mcp`;
};

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** `needsKey`: it is sent with one, from the variable `SWITCHBOARD_KEY`. */
export function asCurl({ method, params }: ClientRequest, url: string, needsKey: boolean): string {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'curl', version: '8' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } });
  const name = params.name ?? params.uri;
  return [
    `curl ${quoted(url)}`,
    "-H 'content-type: application/json'",
    "-H 'accept: application/json, text/event-stream'",
    "-H 'mcp-protocol-version: 2026-07-28'",
    `-H ${quoted(`mcp-method: ${method}`)}`,
    ...(typeof name === 'string' ? [`-H ${quoted(`mcp-name: ${headerValue(name)}`)}`] : []),
    ...(needsKey ? ['-H "authorization: Bearer $SWITCHBOARD_KEY"'] : []),
    `-d ${quoted(body)}`,
  ].join(' \\\n  ');
}

/** What a header cannot hold is written in base64 (MCP 2026-07-28 basic/transports, "Value Encoding"). */
function headerValue(text: string): string {
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith('=?base64?')) return text;
  const bytes = new TextEncoder().encode(text);
  return `=?base64?${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))}?=`;
}

const CALLS: Readonly<Record<string, [typescript: string, python: string]>> = {
  'tools/call': ['callTool', 'call_tool'],
  'prompts/get': ['getPrompt', 'get_prompt'],
  'resources/read': ['readResource', 'read_resource'],
};

export function asTypeScript({ method, params }: ClientRequest, url: string, needsKey: boolean): string {
  const transport = needsKey
    ? `new StreamableHTTPClientTransport(new URL(${JSON.stringify(url)}), {
  requestInit: { headers: { authorization: \`Bearer \${process.env.SWITCHBOARD_KEY}\` } },
})`
    : `new StreamableHTTPClientTransport(new URL(${JSON.stringify(url)}))`;
  return `import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const client = new Client({ name: 'example', version: '1.0.0' });
await client.connect(${transport});
console.log(await client.${CALLS[method]?.[0] ?? 'request'}(${JSON.stringify(params, null, 2)}));
await client.close();`;
}

export function asPython({ method, params }: ClientRequest, url: string, needsKey: boolean): string {
  const headers = needsKey ? ', headers={"Authorization": f"Bearer {os.environ[\'SWITCHBOARD_KEY\']}"}' : '';
  const call = CALLS[method]?.[1] ?? 'send_request';
  const given =
    method === 'resources/read'
      ? pythonic(params.uri)
      : `${pythonic(params.name)}, ${pythonic(params.arguments ?? {})}`;
  return `import asyncio${needsKey ? ', os' : ''}
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

async def main():
    async with streamablehttp_client(${JSON.stringify(url)}${headers}) as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            print(await session.${call}(${given}))

asyncio.run(main())`;
}

/** A JSON value as Python spells it. */
function pythonic(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(pythonic).join(', ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}: ${pythonic(item)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}

export function AsCode({ request, needsKey }: { request: ClientRequest; needsKey: boolean }): VNode {
  const url = endpoint();
  return html`${needsKey ? html`<p class="quiet">The key is read from <code>SWITCHBOARD_KEY</code>.</p>` : null}
    <h3>curl</h3><${Copyable} text=${asCurl(request, url, needsKey)} label="As curl" />
    <h3>TypeScript</h3><${Copyable} text=${asTypeScript(request, url, needsKey)} label="As TypeScript" />
    <h3>Python</h3><${Copyable} text=${asPython(request, url, needsKey)} label="As Python" />`;
}
