/**
 * The server maps of the file: `mcpServers` and `servers`, either or both.
 * @module
 */
import type { Adapter } from '../core/adapter.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { type DocumentReader, splitDocuments } from './documents/reader.ts';
import { type Environment, expand } from './expand.ts';
import { found } from './explain.ts';
import { type JsonDocument, pathKey } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import { nameProblem } from './names.ts';
import type { ServerPolicies } from './policy-section.ts';
import type { FileSchema } from './schema/json-schema.ts';
import type { ServerEntry } from './schema/server-entry.ts';
import { readSection } from './section.ts';
import { serverConfig } from './server-entry.ts';
import type { ServerConfig } from './types.ts';

const MAPS = ['mcpServers', 'servers'] as const;

/** One gateway, not a hosting service; each server costs a connection. */
const MAX_SERVERS = 1000;

interface Context {
  /** The kinds of servers there are, and the schema that knows them. */
  adapters: readonly Adapter[];
  schema: FileSchema;
  folder: string;
  env: Environment;
  document: JsonDocument;
  findings: Findings;
  documents: DocumentReader;
  /** What the entries say about policy is put here. */
  policies: ServerPolicies;
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
  const { folder, env, findings, documents, policies, adapters, schema } = context;
  const disabled = isDisabled(raw, env);
  const { rest, documents: inline } = splitDocuments(raw, ['policy']);
  const at = [...path, 'policy'];
  const id = `server:${name}`;
  let policy = inline.policy === undefined ? undefined : documents.inline(inline.policy, at, id);
  const section = readSection(
    schema.server,
    rest,
    path,
    env,
    findings,
    schema.words,
    ({ kind }) => !(disabled && kind === 'unset'),
  );
  if (section === undefined) return undefined;
  const written: ServerEntry['policy'] = section.value.policy;
  if (typeof written === 'string' && !section.unresolved.has(pathKey(at))) {
    policy = await documents.file(written, at, id);
  }
  if (policy !== undefined) policies.documents.set(name, policy);
  if (section.value.validateArguments !== undefined) {
    policies.validateArguments.set(name, section.value.validateArguments);
  }
  const { value, unresolved } = section;
  return serverConfig(value, {
    name,
    path,
    folder,
    env,
    unresolved,
    findings,
    adapters,
    written: isObject(rest) ? rest : {},
  });
}

/** Needed before the entry is checked: what variables it may lack depends on it. */
function isDisabled(raw: unknown, env: Environment): boolean {
  if (!isObject(raw)) return false;
  const says = (key: string): string => String(expand(raw[key], [], env).value);
  return says('disabled') === 'true' || says('enabled') === 'false' || says('isActive') === 'false';
}
