/**
 * Reads the server maps of the file: `mcpServers` and `servers`, either or both.
 * @module
 */

import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { type Environment, expand } from './expand.ts';
import { found } from './explain.ts';
import { type ExtensionReader, splitByShape } from './extension.ts';
import type { JsonDocument } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import { nameProblem } from './names.ts';
import type { FileFormat } from './schema/file.ts';
import type { SectionReader } from './section.ts';
import { serverConfig } from './server-entry.ts';
import type { ServerConfig } from './types.ts';

const MAPS = ['mcpServers', 'servers'] as const;

/** One gateway, not a hosting service; each server costs a connection. */
const MAX_SERVERS = 1000;

interface Context {
  folder: string;
  document: JsonDocument;
  findings: Findings;
  sections: SectionReader;
  format: FileFormat<unknown>;
  extension: ExtensionReader<unknown>;
}

/** Every entry without a mistake, in the order of the file. */
export async function readServers(root: JsonObject, context: Context): Promise<ServerConfig[]> {
  const { findings, document } = context;
  const servers: ServerConfig[] = [];
  const firstPath = new Map<string, readonly string[]>();
  for (const map of MAPS) {
    const entries = root[map];
    if (entries === undefined) continue;
    if (!isObject(entries)) {
      findings.mistake([map], `found ${found([map], entries)}; allowed: an object of servers by name`);
      continue;
    }
    for (const [name, raw] of Object.entries(entries)) {
      const path = [map, name];
      const problem = nameProblem(name);
      const first = firstPath.get(name);
      if (problem !== undefined) {
        findings.mistake(path, problem);
      } else if (first !== undefined) {
        const where = `${first.join('.')} on line ${document.placeOf(first).line}`;
        findings.mistake(path, `the server "${name}" is written twice; the first is ${where}`);
      }
      firstPath.set(name, path);
      const server = await readServer(name, raw, path, context);
      if (server !== undefined) servers.push(server);
    }
  }
  if (servers.length > MAX_SERVERS) findings.mistake([], `found ${servers.length} servers; allowed: ${MAX_SERVERS}`);
  return servers;
}

async function readServer(
  name: string,
  raw: unknown,
  path: readonly string[],
  context: Context,
): Promise<ServerConfig | undefined> {
  const { folder, findings, sections, format, extension } = context;
  const { env } = sections;
  const disabled = isDisabled(raw, env);
  const { rest, members } = splitByShape(raw, format.extension.serverShape);
  await extension.server(name, members, path, disabled);
  const section = sections.read(format.serverSchema, rest, path, ({ kind }) => !(disabled && kind === 'unset'));
  if (section === undefined) return undefined;
  const { value, unresolved } = section;
  const written = isObject(rest) ? rest : {};
  return serverConfig(value, { name, path, folder, env, unresolved, findings, adapters: format.adapters, written });
}

/** Evaluated before the entry is checked, because a disabled server may name unset variables. */
function isDisabled(raw: unknown, env: Environment): boolean {
  if (!isObject(raw)) return false;
  const textOf = (key: string): string => String(expand(raw[key], [], env).value);
  return textOf('disabled') === 'true' || textOf('enabled') === 'false' || textOf('isActive') === 'false';
}
