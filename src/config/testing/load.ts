/**
 * Loads configurations written in tests.
 * @module
 */
import { dirname } from 'node:path';
import { SwitchboardError } from '../../core/errors.ts';
import { type LoadedConfig, loadConfig } from '../../load-config.ts';
import type { ServerConfig } from '../types.ts';
import { configFile } from './files.ts';

type Variables = Record<string, string>;

export async function load(content: unknown, env: Variables = {}): Promise<LoadedConfig> {
  const file = await configFile(content);
  return loadConfig({ file, env, cwd: dirname(file) });
}

/** The one server of a configuration with this entry. */
export async function server(entry: object, env: Variables = {}): Promise<ServerConfig> {
  const config = await load({ mcpServers: { s: entry } }, env);
  const [only] = config.servers;
  if (only === undefined) throw new Error('no server');
  return only;
}

/** The lines of the error that loading gives. */
export async function mistakes(content: unknown, env: Variables = {}): Promise<string[]> {
  try {
    await load(content, env);
  } catch (error) {
    if (error instanceof SwitchboardError && error.code === 'SWB_CONFIG') return error.message.split('\n');
    throw error;
  }
  throw new Error('it loaded');
}

/** The same for one server with this entry, without the place in the file. */
export async function serverMistakes(entry: object, env: Variables = {}): Promise<string[]> {
  const lines = await mistakes({ mcpServers: { s: entry } }, env);
  return lines.map((line) => line.replace(/^servers\.json:\d+:\d+ /, ''));
}
