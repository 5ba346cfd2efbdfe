/**
 * Makes the environment of an entry's command: `envFile` first, `env` over it.
 * @module
 */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { decodeFile } from '../core/text.ts';
import { expandHome } from './expand.ts';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import type { ServerEntry } from './schema/server-entry.ts';

const MAX_FILE_BYTES = 1024 * 1024;

export async function stdioEnvironment(
  entry: ServerEntry,
  path: JsonPath,
  folder: string,
  findings: Findings,
): Promise<Record<string, string>> {
  const values: Record<string, string | undefined> = {};
  if (entry.envFile !== undefined) {
    const file = resolve(folder, expandHome(entry.envFile));
    Object.assign(values, await readEnvFile(file, [...path, 'envFile'], findings));
  }
  for (const [name, value] of Object.entries(entry.env)) {
    const at = [...path, 'env', name];
    if (name === '' || name.includes('=') || name.includes('\0')) {
      findings.mistake(at, 'not a usable variable name; allowed: no "=" and not empty');
    } else if (typeof value === 'string' && value.includes('\0')) {
      findings.mistake(at, 'found a NUL character in the value');
    } else {
      // null removes a variable of the file.
      values[name] = value === null ? undefined : String(value);
    }
  }
  return Object.fromEntries(Object.entries(values).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

async function readEnvFile(file: string, path: JsonPath, findings: Findings): Promise<NodeJS.Dict<string>> {
  try {
    if ((await stat(file)).size > MAX_FILE_BYTES) {
      findings.mistake(path, `found a file over ${MAX_FILE_BYTES} bytes; allowed: NAME=value lines`);
      return {};
    }
    return parseEnv(decodeFile(await readFile(file)));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    findings.mistake(path, `the file cannot be read (${code})`);
    return {};
  }
}
