/**
 * The configuration file of a running gateway as the pages for operators read and edit it.
 * @module
 */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SwitchboardError } from '../../core/errors.ts';
import type { ConfigurationFile } from '../../endpoint/admin/sources.ts';
import { type LoadOptions, readConfig } from '../../load-config.ts';
import { editFile, withChanges } from '../config-edit.ts';
import { UsageError } from '../exit.ts';

/** What a file holds that is still to be written, on a first run. */
const UNWRITTEN = '{}\n';

/** Undefined: the configuration is in no file. One that is not there yet is made by the first edit. */
export function configurationFile(
  file: string | undefined,
  load: LoadOptions,
  reread?: () => Promise<void>,
): ConfigurationFile | undefined {
  if (file === undefined) return undefined;
  const check: ConfigurationFile['check'] = async (text) => {
    const { policy } = await readConfig(text, file, { ...load, cwd: load.cwd ?? dirname(file) });
    return policy;
  };
  return {
    file,
    async read() {
      try {
        return await readFile(file, 'utf8');
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return UNWRITTEN;
        throw error;
      }
    },
    edited: withChanges,
    check,
    async replace(before, after) {
      const change = (text: string): string => {
        if (text === before) return after;
        throw new UsageError('The file was changed by somebody else meanwhile. Look at it again.');
      };
      try {
        if (before === UNWRITTEN && (await isMade(file, after))) return;
        await editFile(file, change, check);
      } catch (error) {
        if (error instanceof UsageError) throw new SwitchboardError('SWB_CONFIG', error.message, { cause: error });
        throw error;
      }
    },
    ...(reread ? { reread } : {}),
  };
}

/** Makes the file with what an edit has been checked to say; false where there is one. It may hold secrets: its owner alone reads it. */
async function isMade(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw new UsageError(`The configuration cannot be written (${codeOf(error) ?? 'unknown reason'}).`);
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code;
