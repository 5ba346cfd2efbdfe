/**
 * A gateway under policy for tests: its audit as objects, edits of its configuration, and requests without a client
 * library where bytes are compared.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../src/load-config.ts';
import type { AuditRecord } from '../../src/observe/audit/record.ts';
import type { ToolResult } from '../e2e/clients.ts';
import type { Folder, OwnGateway, Servers } from '../e2e/gateway.ts';
import { inSession, modernRequest, openSession, type RawReply, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';

export type Json = Record<string, unknown>;

/** What a denied tool result says to programs. */
export const denialOf = ({ isError, _meta }: ToolResult): Json | undefined =>
  isError ? (_meta?.['switchboard/denial'] as Json | undefined) : undefined;

/** Writes another configuration and has the gateway take it on, or rejects with what is wrong with it. */
export async function edit(gateway: OwnGateway, servers: Servers, section: Json): Promise<void> {
  const base = { host: '127.0.0.1', port: 0, stateDir: 'state' };
  gateway.writeText(JSON.stringify({ gateway: { ...base, ...section }, mcpServers: servers }));
  await gateway.gateway.reload(await loadConfig({ file: gateway.file, env: {} }));
}

export const auditLines = ({ folder }: Folder): AuditRecord[] => auditText({ folder }).map((line) => JSON.parse(line));

export function auditText({ folder }: Pick<Folder, 'folder'>): string[] {
  try {
    // The last line may still be being written.
    return readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8')
      .split('\n')
      .slice(0, -1);
  } catch {
    return [];
  }
}

/** The first line of which this holds, once it is written. */
export const audited = (folder: Folder, holds: (record: AuditRecord) => boolean): Promise<AuditRecord> =>
  until(
    () => auditLines(folder).find(holds),
    () => `a line of the audit among\n${auditText(folder).join('\n')}`,
  );

/** One caller of one endpoint, in each era, without a client library. */
export interface RawCaller {
  readonly era: 'legacy' | 'modern';
  ask(method: string, params?: Json): Promise<RawReply['message']>;
}

export async function rawCallers(url: string | URL, headers: Record<string, string> = {}): Promise<RawCaller[]> {
  const session = await openSessionAs(url, headers);
  const asked = async (request: { headers: Record<string, string>; body?: string | Uint8Array }) =>
    (await send(url, { ...request, headers: { ...request.headers, ...headers } })).message;
  return [
    { era: 'legacy', ask: (method, params = {}) => asked(inSession(session, method, params)) },
    { era: 'modern', ask: (method, params = {}) => asked(modernRequest(method, params)) },
  ];
}

async function openSessionAs(url: string | URL, headers: Record<string, string>): Promise<string> {
  if (Object.keys(headers).length === 0) return openSession(url);
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1.0.0' } };
  const opened = await send(url, {
    headers,
    body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }),
  });
  const session = opened.headers.get('mcp-session-id');
  if (!session) throw new Error(`No session was opened: ${opened.status} ${opened.text}`);
  return session;
}
