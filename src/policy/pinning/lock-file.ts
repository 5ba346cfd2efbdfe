/**
 * Reads and writes `switchboard.lock.json`: JSON that reads well in a version control diff. Everything is sorted, and
 * invisible characters are written as escapes.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { SwitchboardError } from '../../core/errors.ts';
import { decodeFile } from '../../core/text.ts';
import { visibleJson } from '../../core/visible.ts';
import { canonicalJson } from '../../wire/json/canonical.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { LOCKED_KINDS, type LockedKind, type Pin, pinHash, type ServerPins } from './pins.ts';

export type LockDocument = ReadonlyMap<string, ServerPins>;

const VERSION = 1;
const MAX_BYTES = 64 * 1024 * 1024;

/** Undefined when there is no such file. Rejects with `SWB_CONFIG` when it is no lock file or was edited by hand. */
export async function readLockFile(file: string): Promise<LockDocument | undefined> {
  let text: string;
  try {
    if ((await stat(file)).size > MAX_BYTES) throw refused(file, 'it is too large');
    text = decodeFile(await readFile(file));
  } catch (error) {
    if (error instanceof SwitchboardError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new SwitchboardError('SWB_CONFIG', `${basename(file)} cannot be read (${code}).`, { cause: error });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw refused(file, 'it is no JSON');
  }
  return parseLock(file, parsed);
}

/** Replaces the file in one step: a reader sees the old text or the new one. */
export async function writeLockFile(file: string, document: LockDocument): Promise<void> {
  const next = `${file}.${randomUUID()}.next`;
  try {
    const handle = await open(next, 'wx', 0o644);
    try {
      await handle.writeFile(lockText(document));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, file);
  } catch (error) {
    await rm(next, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw new SwitchboardError('SWB_STATE', `${basename(file)} cannot be written (${code}).`, { cause: error });
  }
}

export function lockText(document: LockDocument): string {
  const servers = sortedObject(document, serverJson);
  return `${visibleJson(JSON.stringify({ version: VERSION, servers }, null, 2))}\n`;
}

function serverJson({ instructions, items }: ServerPins): JsonObject {
  const json: JsonObject = {};
  if (instructions !== undefined) json.instructions = pinJson(instructions);
  for (const kind of LOCKED_KINDS) {
    if (items[kind].size > 0) json[kind] = sortedObject(items[kind], pinJson);
  }
  return json;
}

/** The definition is sorted already: it was read from canonical text. */
const pinJson = ({ hash, bytes, fields, definition }: Pin): JsonObject => ({ hash, bytes, fields, definition });

const sortedObject = <T>(map: ReadonlyMap<string, T>, json: (value: T) => unknown): JsonObject =>
  Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, json(value)]));

function parseLock(file: string, parsed: unknown): LockDocument {
  if (!isObject(parsed) || !isObject(parsed.servers)) throw refused(file, 'it is no lock file');
  if (parsed.version !== VERSION) throw refused(file, `its version is not ${VERSION}`);
  return new Map(Object.entries(parsed.servers).map(([server, pins]) => [server, parseServer(file, server, pins)]));
}

function parseServer(file: string, server: string, pins: unknown): ServerPins {
  if (!isObject(pins)) throw refused(file, `server ${JSON.stringify(server)} is no object`);
  const items = (kind: LockedKind): Map<string, Pin> => {
    const listed = pins[kind] ?? {};
    if (!isObject(listed)) throw refused(file, `${kind} of ${JSON.stringify(server)} are no object`);
    return new Map(Object.entries(listed).map(([key, pin]) => [key, parsePin(file, `${server}.${kind}.${key}`, pin)]));
  };
  return {
    instructions:
      pins.instructions === undefined ? undefined : parsePin(file, `${server}.instructions`, pins.instructions),
    items: { tools: items('tools'), prompts: items('prompts'), templates: items('templates'), agents: items('agents') },
  };
}

/** A definition under the hash of another one would mislead the reviewer of the file. */
function parsePin(file: string, name: string, pin: unknown): Pin {
  if (!isObject(pin) || typeof pin.hash !== 'string') throw refused(file, `${JSON.stringify(name)} has no hash`);
  const result: Pin = { hash: pin.hash };
  if (typeof pin.bytes === 'string') result.bytes = pin.bytes;
  if (isObject(pin.fields)) result.fields = pin.fields as Record<string, string>;
  if (pin.definition === undefined) return result;
  if (pinHash(canonicalJson(pin.definition), result.bytes) !== pin.hash) {
    throw refused(file, `the hash of ${JSON.stringify(name)} is not that of its definition`);
  }
  result.definition = pin.definition;
  return result;
}

const refused = (file: string, why: string): SwitchboardError =>
  new SwitchboardError(
    'SWB_CONFIG',
    `${basename(file)}: ${why}. Restore it, or delete it and run \`switchboard lock\` to accept what the servers say now.`,
  );
