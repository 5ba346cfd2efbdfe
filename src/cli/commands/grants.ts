/**
 * `switchboard grants add | list | revoke`: keys of clients, in the configuration file. A key is printed when it
 * is made and never again: the file holds a salted hash of it.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import {
  anotherKey,
  expiryOf,
  type GrantChange,
  keyIds,
  newGrant,
  type WrittenGrant,
  withoutGrant,
} from '../../auth/grant-edits.ts';
import { newKey } from '../../auth/key.ts';
import { grantsIn } from '../../config/written-grants.ts';
import { decodeFile } from '../../core/text.ts';
import { type LoadedConfig, loadConfig, readConfig } from '../../load-config.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { editFile, withChanges } from '../config-edit.ts';
import { EXIT, type ExitCode, UsageError } from '../exit.ts';
import { table } from '../format/table.ts';
import type { Io } from '../io.ts';
import { createOutput, type Output } from '../output.ts';
import type { GlobalOptions } from '../session.ts';

export interface AddOptions extends GlobalOptions {
  server?: readonly string[];
  policy?: string;
  expires?: string;
  rotate?: boolean;
}

/** Makes a key, and the grant if there is none of this name; with `rotate` another key beside the one it has. */
export async function addGrant(name: string, options: AddOptions, io: Io): Promise<ExitCode> {
  const { config, file, out } = await load(options, io);
  const made = newKey();
  const given: WrittenGrant = {};
  if (options.server?.length) given.servers = [...options.server];
  if (options.policy !== undefined) given.policy = pathFrom(dirname(file), resolve(io.cwd, options.policy));
  if (options.expires !== undefined) given.expires = requiredExpiry(options.expires);

  let dropped: string[] = [];
  const loaded = await edit(file, options, io, (grants) => {
    const grant = grants[name];
    if (grant === undefined) {
      if (options.rotate) throw unknown(name, Object.keys(grants));
      return newGrant(name, made.stored, given);
    }
    if (!options.rotate) {
      throw new UsageError(`There is a grant "${name}" already. --rotate gives it another key beside the one it has.`);
    }
    const { changes, droppedKeyIds } = anotherKey(name, grant, made.stored, given);
    dropped = droppedKeyIds;
    return changes;
  });

  if (options.json) {
    out.json({ grant: name, keyId: made.id, key: made.key, droppedKeyIds: dropped, file });
    return EXIT.ok;
  }
  out.print(made.key);
  out.note(`This is the key of "${name}", shown this once: clients send it as 'Authorization: Bearer <key>'.`);
  if (dropped.length > 0) out.note(`The key ${dropped.join(', ')} opens nothing any more.`);
  const grant = loaded.policy.grants.find((each) => each.name === name);
  if (grant?.policy === undefined) {
    const usual = loaded.policy.defaultPolicy.default;
    out.note(`It has no policy of its own: gateway.defaultPolicy holds, which by default is to ${usual}.`);
  }
  if (!config.policy.keysRequired && config.gateway.token === undefined) {
    out.note('It is the first grant: from now on HTTP clients need a key.');
  }
  return EXIT.ok;
}

export async function listGrants(options: GlobalOptions, io: Io): Promise<ExitCode> {
  const { config, out, written } = await load(options, io);
  const now = Date.now();
  const rows = config.policy.grants.map(({ name, servers, policy, expiresAt, keys }) => {
    const grant = written[name];
    const named = isObject(grant) && typeof grant.policy === 'string' ? grant.policy : undefined;
    return {
      name,
      servers: servers ?? null,
      policy: policy === undefined ? null : (named ?? 'inline'),
      expires: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
      expired: expiresAt !== undefined && expiresAt <= now,
      keyIds: keyIds(keys),
    };
  });
  if (options.json) {
    out.json({ grants: rows });
  } else if (rows.length === 0) {
    out.print(out.hint("There are no grants. 'switchboard grants add <name>' makes one."));
  } else {
    const columns = ['NAME', 'SERVERS', 'POLICY', 'EXPIRES', 'KEYS'];
    const cells = rows.map(({ name, servers, policy, expires, expired, keyIds }) => [
      name,
      servers?.join(' ') ?? '*',
      policy ?? '(default)',
      expires === null
        ? 'never'
        : `${expires.replace(/T00:00:00\.000Z$|\.000(?=Z$)/, '')}${expired ? ' (expired)' : ''}`,
      keyIds.join(' '),
    ]);
    out.print(table(columns, cells, out.width));
  }
  return EXIT.ok;
}

/** Removes the grant; a running gateway ends its sessions and streams. */
export async function revokeGrant(name: string, options: GlobalOptions, io: Io): Promise<ExitCode> {
  const { config, file, out } = await load(options, io);
  const loaded = await edit(file, options, io, (grants) => {
    const names = Object.keys(grants);
    if (!Object.hasOwn(grants, name)) throw unknown(name, names);
    return withoutGrant(name, grants);
  });
  const revoked = keyIds(config.policy.grants.find((grant) => grant.name === name)?.keys ?? []);
  if (options.json) {
    out.json({ grant: name, revoked: true, keyIds: revoked, file });
    return EXIT.ok;
  }
  out.print(`The grant "${name}" is revoked: ${revoked.join(', ') || 'its key'} opens nothing any more.`);
  if (loaded.policy.grants.length === 0 && loaded.gateway.token === undefined) {
    out.note(
      'It was the last grant, so every HTTP client is refused now: add a grant, or set gateway.token. An empty gateway.grants ' +
        'stays in the file for that; without it every client that reaches the gateway would be the local user.',
    );
  }
  return EXIT.ok;
}

interface Loaded {
  config: LoadedConfig;
  /** Absolute. */
  file: string;
  /** The grants as they are written. */
  written: JsonObject;
  out: Output;
}

async function load(options: GlobalOptions, io: Io): Promise<Loaded> {
  const config = await loadConfig({ file: options.config, env: io.env, cwd: io.cwd });
  const { file } = config;
  if (file === undefined) {
    throw new UsageError('Grants are kept in the configuration file, and there is none. Create servers.json: {}');
  }
  return { config, file, written: grantsIn(decodeFile(await readFile(file))), out: createOutput(io, options.color) };
}

/** Resolves with the configuration after the edit. */
async function edit(
  file: string,
  options: GlobalOptions,
  io: Io,
  changes: (grants: JsonObject) => GrantChange[],
): Promise<LoadedConfig> {
  let loaded: LoadedConfig | undefined;
  await editFile(
    file,
    (text) => withChanges(text, changes(grantsIn(text))),
    async (text) => {
      loaded = await readConfig(text, file, { file: options.config, env: io.env, cwd: io.cwd });
    },
  );
  return loaded as LoadedConfig;
}

function unknown(name: string, names: readonly string[]): UsageError {
  return new UsageError(`There is no grant "${name}". The grants are: ${names.join(', ') || 'none'}.`);
}

/** As it is written in the file: relative, and with slashes on every system. */
const pathFrom = (folder: string, target: string): string => relative(folder, target).split(sep).join('/');

function requiredExpiry(text: string): string {
  const read = expiryOf(text);
  if ('expires' in read) return read.expires;
  throw new UsageError(
    read.problem === 'past'
      ? `--expires ${text} is past already.`
      : '--expires takes a date such as 2027-01-31, or a time such as 30d.',
  );
}
