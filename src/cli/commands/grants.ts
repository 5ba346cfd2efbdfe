/**
 * `switchboard grants add | list | revoke`: keys of clients, in the configuration file. A key is printed when it
 * is made and never again: the file holds a salted hash of it.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import { newKey, parseStoredKey } from '../../auth/key.ts';
import { parseJsonc } from '../../config/jsonc.ts';
import { decodeFile } from '../../core/text.ts';
import { type LoadedConfig, loadConfig, readConfig } from '../../load-config.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { type Change, editFile, withChanges } from '../config-edit.ts';
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

/** A new key can be handed out before the old one is revoked. */
const MAX_KEYS = 2;

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };
const DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** Makes a key, and the grant if there is none of this name; with `rotate` another key beside the one it has. */
export async function addGrant(name: string, options: AddOptions, io: Io): Promise<ExitCode> {
  const { config, file, out } = await load(options, io);
  const made = newKey();
  const given: JsonObject = {};
  if (options.server?.length) given.servers = [...options.server];
  if (options.policy !== undefined) given.policy = pathFrom(dirname(file), resolve(io.cwd, options.policy));
  if (options.expires !== undefined) given.expires = expiryOf(options.expires);

  let dropped: string[] = [];
  const loaded = await edit(file, options, io, (grants) => {
    const grant = grants[name];
    if (grant === undefined) {
      if (options.rotate) throw unknown(name, Object.keys(grants));
      return [{ path: ['gateway', 'grants', name], value: { key: made.stored, ...given } }];
    }
    if (!options.rotate) {
      throw new UsageError(`There is a grant "${name}" already. --rotate gives it another key beside the one it has.`);
    }
    const keys = [isObject(grant) ? grant.key : undefined].flat().filter((key) => typeof key === 'string');
    const kept = keys.slice(-(MAX_KEYS - 1));
    dropped = idsOf(keys.slice(0, -(MAX_KEYS - 1)));
    return [
      { path: ['gateway', 'grants', name, 'key'], value: [...kept, made.stored] },
      ...Object.entries(given).map(([member, value]) => ({ path: ['gateway', 'grants', name, member], value })),
    ];
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
      keyIds: idsOf(keys),
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
    // Removing the only member would leave a trailing comma behind.
    if (names.length === 1) return [{ path: ['gateway', 'grants'], value: {} }];
    return [{ path: ['gateway', 'grants', name], value: undefined }];
  });
  const keyIds = idsOf(config.policy.grants.find((grant) => grant.name === name)?.keys ?? []);
  if (options.json) {
    out.json({ grant: name, revoked: true, keyIds, file });
    return EXIT.ok;
  }
  out.print(`The grant "${name}" is revoked: ${keyIds.join(', ') || 'its key'} opens nothing any more.`);
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
  changes: (grants: JsonObject) => Change[],
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

function grantsIn(text: string): JsonObject {
  const { value } = parseJsonc(text);
  const gateway = isObject(value) ? value.gateway : undefined;
  return isObject(gateway) && isObject(gateway.grants) ? gateway.grants : {};
}

const idsOf = (keys: readonly string[]): string[] => keys.flatMap((key) => parseStoredKey(key)?.id ?? []);

function unknown(name: string, names: readonly string[]): UsageError {
  return new UsageError(`There is no grant "${name}". The grants are: ${names.join(', ') || 'none'}.`);
}

/** As it is written in the file: relative, and with slashes on every system. */
const pathFrom = (folder: string, target: string): string => relative(folder, target).split(sep).join('/');

/** A date, or how long from now: `30d`, `12h`, `2w`. */
function expiryOf(text: string): string {
  const [, count, unit = ''] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  if (count !== undefined && Number(count) > 0) {
    return new Date(Date.now() + Number(count) * (UNITS[unit] ?? 0)).toISOString().replace(/\.\d+Z$/, 'Z');
  }
  const time = DATE.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new UsageError(`--expires takes a date such as 2027-01-31, or a time such as 30d.`);
  if (time <= Date.now()) throw new UsageError(`--expires ${text} is past already.`);
  return text;
}
