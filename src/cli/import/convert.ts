/**
 * A whole file of another program as entries of `servers.json`, each of which the configuration accepts.
 * @module
 */
import { isOwnName, nameOfKey } from '../../config/names.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { readConfig } from '../../load-config.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { importEntry } from './entry.ts';
import { type Format, Remarks } from './types.ts';

export interface Imported {
  servers: Record<string, JsonObject>;
  remarks: Remarks;
}

/** The name a key of the file has here. */
export const nameHere = async (key: string): Promise<string> => (isOwnName(key) ? key : nameOfKey(key));

export async function convert(root: JsonObject, format: Format): Promise<Imported> {
  const remarks = new Remarks();
  const servers: Record<string, JsonObject> = {};
  const taken = new Map<string, string>();
  for (const written of format.servers(root, remarks)) {
    const { path } = written;
    const entry = importEntry(written, format, remarks);
    if (entry === undefined) continue;
    const name = await nameHere(written.name);
    const other = taken.get(name);
    if (other !== undefined) {
      remarks.lost(path, `another server of this file is called "${other}" already; rename one`);
      continue;
    }
    const mistakes = await mistakesOf(name, entry);
    for (const mistake of mistakes) remarks.lost(path, mistake);
    if (mistakes.length > 0) continue;
    for (const at of literalSecrets(entry)) {
      remarks.note([...path, ...at], `taken as it stands; a variable (\${${variableOf(at)}}) keeps it out of the file`);
    }
    taken.set(name, written.name);
    servers[written.name] = entry;
  }
  return { servers, remarks };
}

const variableOf = (at: readonly string[]): string =>
  (at[0] === 'env' ? (at[1] ?? '') : `${at.at(-1)}`).replaceAll(/[^A-Za-z0-9]+/g, '_').toUpperCase();

const SECRET = /(?:^|_|-)(?:token|secret|password|passwd|api[_-]?key|apikey|key|auth|authorization|credential)s?$/i;

/** Where a secret stands in clear text: it would be in another file too. */
function literalSecrets(entry: JsonObject): string[][] {
  return (['env', 'headers'] as const).flatMap((section) => {
    const values = isObject(entry[section]) ? entry[section] : {};
    return Object.entries(values).flatMap(([name, value]) => {
      const isLiteral = typeof value === 'string' && value.length >= 8 && !value.includes('${');
      return isLiteral && SECRET.test(name) ? [[section, name]] : [];
    });
  });
}

/** What the configuration finds wrong with the entry, variables that are not set apart. */
async function mistakesOf(name: string, entry: JsonObject): Promise<string[]> {
  // Variables of a disabled server may be unset. A file of variables lies beside the file that names it, wherever that will be.
  const text = JSON.stringify({ mcpServers: { [name]: { ...entry, envFile: undefined, disabled: true } } });
  try {
    await readConfig(text, undefined, { env: {}, label: 'import' });
    return [];
  } catch (error) {
    if (!(error instanceof SwitchboardError) || error.code !== 'SWB_CONFIG') throw error;
    const found = error.message.matchAll(/mcpServers\.(?:[^:]*?)?: (.*)$/gm);
    const lines = [...found].map(([, text = '']) => text.replace(/\.$/, ''));
    return lines.length > 0 ? lines : [error.message];
  }
}
