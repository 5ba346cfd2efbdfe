/**
 * Reads the server maps of the file: `mcpServers` and `servers`, either or both.
 * @module
 */

import { shorten } from '../core/text.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { type Environment, type ExpandProblem, expand } from './expand.ts';
import { found } from './explain.ts';
import { type ExtensionReader, splitByShape } from './extension.ts';
import { type JsonDocument, pathKey } from './jsonc.ts';
import { type Findings, pathText } from './mistakes.ts';
import { isOwnName, nameOfKey, nameProblem } from './names.ts';
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
    for (const [key, raw] of Object.entries(entries)) {
      const path = [map, key];
      const isName = isOwnName(key);
      const name = isName ? key : await nameOfKey(key);
      const problem = nameProblem(name);
      const first = firstPath.get(name);
      if (problem !== undefined) findings.mistake(path, problem);
      else if (first !== undefined) findings.mistake(path, sameName(name, key, first, document));
      else if (!isName) {
        findings.warn(
          path,
          `this server is called "${name}" here, because names hold only letters, digits, "-", "_" and "."; ` +
            'what is written stays its title',
        );
      }
      firstPath.set(name, path);
      const server = await readServer(name, raw, path, context);
      if (server !== undefined) servers.push(isName ? server : { ...server, title: key });
    }
  }
  if (servers.length > MAX_SERVERS) findings.mistake([], `found ${servers.length} servers; allowed: ${MAX_SERVERS}`);
  return servers;
}

function sameName(name: string, key: string, first: readonly string[], document: JsonDocument): string {
  const where = `${pathText(first)} on line ${document.placeOf(first).line}`;
  if (first.at(-1) === key) return `the server "${key}" is written twice; the first is ${where}`;
  const [one, other] = [first.at(-1) ?? '', key].map((each) => `"${shorten(each, 80)}"`);
  return `the servers ${one} and ${other} would both be called "${name}"; rename one. The first is ${where}`;
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
  const matters = ({ kind }: ExpandProblem): boolean => !(disabled && kind === 'unset');
  const section = sections.read(format.serverSchema, rest, path, matters, environments(rest, env));
  if (section === undefined) return undefined;
  const { value, unresolved } = section;
  const written = isObject(rest) ? rest : {};
  return serverConfig(value, { name, path, folder, env, unresolved, findings, adapters: format.adapters, written });
}

/** Where variables may be those of the entry's own `env`: what it starts or reaches is written with them. */
const WITH_OWN_ENV = new Set(['args', 'url', 'serverUrl', 'httpUrl', 'headers']);

/** The environment of each member of an entry; in some, the entry's own `env` comes first. */
function environments(entry: unknown, env: Environment): (member: string) => Environment | undefined {
  const written = isObject(entry) && isObject(entry.env) ? entry.env : {};
  const { value, unresolved } = expand(written, [], env);
  const own: Record<string, string> = Object.create(null);
  for (const [name, text] of Object.entries(value as JsonObject)) {
    const isText = typeof text === 'string' || typeof text === 'number';
    if (isText && !unresolved.has(pathKey([name]))) own[name] = String(text);
  }
  const merged: Environment = Object.assign(Object.create(null), env, own);
  return (member) => (WITH_OWN_ENV.has(member) ? merged : undefined);
}

/** Evaluated before the entry is checked, because a disabled server may name unset variables. */
function isDisabled(raw: unknown, env: Environment): boolean {
  if (!isObject(raw)) return false;
  const textOf = (key: string): string => String(expand(raw[key], [], env).value);
  return textOf('disabled') === 'true' || textOf('enabled') === 'false' || textOf('isActive') === 'false';
}
