/**
 * `switchboard lock`: writes the current definitions of the servers to `switchboard.lock.json`, and prints what changed. With
 * `--check` it writes nothing, and its exit code says whether anything changed.
 * @module
 */
import { dirname, join } from 'node:path';
import { plural } from '../../core/text.ts';
import type { OpenGateway } from '../../gateway-internal.ts';
import type { LoadedConfig } from '../../load-config.ts';
import { LOCK_FILE } from '../../policy/language/section.ts';
import { changeLines, compareServer, type LockChange } from '../../policy/pinning/differences.ts';
import { type LockDocument, readLockFile, writeLockFile } from '../../policy/pinning/lock-file.ts';
import { pinServer, type ServerPins } from '../../policy/pinning/pins.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { oneLine } from '../format/text.ts';
import type { Output } from '../output.ts';
import { untilTried } from '../progress.ts';
import type { CommandContext } from '../session.ts';

export interface LockOptions {
  check?: boolean;
  server?: string;
}

interface Outcome {
  document: Map<string, ServerPins>;
  changes: LockChange[];
  /** In the file and no longer configured. */
  gone: string[];
  /** Not ready: their entries in the file stay. */
  away: { server: string; why: string; locked: boolean }[];
}

/** A gateway without pinning, so that changed definitions are listed and a missing file is no error. */
export const withoutLock =
  (openGateway: OpenGateway): OpenGateway =>
  (config, options) => {
    const { policy } = config;
    const parts = { ...options, wholeDefinitions: true };
    if (policy === undefined) return openGateway(config, parts);
    return openGateway({ ...config, policy: { ...policy, lock: { ...policy.lock, mode: 'off' } } }, parts);
  };

/** `failed` when `--check` finds a difference, `notReady` when some server is not ready. */
export async function lock(context: CommandContext, options: LockOptions): Promise<ExitCode> {
  const { config, out, json, io } = context;
  const { server } = options;
  const file = lockFileOf(config, io.cwd);
  const before = await readLockFile(file);
  await untilTried(context, server);
  const outcome = compareAll(context, before ?? new Map(), server);
  const { changes, gone, away, document } = outcome;
  const isSame = before !== undefined && changes.length === 0 && gone.length === 0 && document.size === before.size;
  const writes = options.check !== true && !isSame && !(server !== undefined && away.length > 0);
  if (writes) await writeLockFile(file, document);
  if (json) out.json({ file, written: writes, same: isSame, changes, gone, away });
  else tell(out, outcome, { file, isSame, writes, isCheck: options.check === true });
  if (options.check && !isSame) return EXIT.failed;
  return away.length > 0 ? EXIT.notReady : EXIT.ok;
}

function compareAll({ gateway, config }: CommandContext, before: LockDocument, only: string | undefined): Outcome {
  const outcome: Outcome = { document: new Map(before), changes: [], gone: [], away: [] };
  const members = gateway.federation.members().filter(({ builtin }) => !builtin);
  for (const member of members) {
    const { name, upstream, state } = member;
    if (config.servers.find((server) => server.name === name)?.disabled) continue;
    if (only !== undefined && name !== only) continue;
    // A failed list looks like an empty one, so only ready servers are compared.
    if (state !== 'ready' || upstream === undefined) {
      outcome.away.push({ server: name, why: member.status().error ?? state, locked: before.has(name) });
      continue;
    }
    const pins = pinServer((kind) => member.catalog(kind).entries, upstream.instructions);
    outcome.changes.push(...compareServer(name, before.get(name), pins));
    outcome.document.set(name, pins);
  }
  if (only !== undefined) return outcome;
  const known = new Set([...members, ...config.servers].map(({ name }) => name));
  outcome.gone = [...before.keys()].filter((name) => !known.has(name)).sort();
  for (const name of outcome.gone) outcome.document.delete(name);
  return outcome;
}

interface Result {
  file: string;
  isSame: boolean;
  writes: boolean;
  isCheck: boolean;
}

function tell(
  out: Output,
  { changes, gone, away, document }: Outcome,
  { file, isSame, writes, isCheck }: Result,
): void {
  let server: string | undefined;
  for (const change of changes) {
    if (change.server !== server) out.print(out.paint('bold', oneLine(change.server)));
    server = change.server;
    for (const line of changeLines(change)) out.print(`  ${colouredLine(line, out)}`);
  }
  for (const name of gone) out.print(`${colouredLine('-', out)} ${oneLine(name)} is no longer configured`);
  for (const { server: name, why, locked } of away) {
    const kept = locked ? 'what the file says of it stays' : 'it is not in the file';
    out.note(out.paintNote('yellow', `${oneLine(name)} is not ready: ${oneLine(why)}; ${kept}.`));
  }
  if (isSame) out.print(`${file} agrees with ${plural(document.size, 'server')}.`);
  else if (writes) out.print(`Written: ${file} (${plural(document.size, 'server')}).`);
  else if (isCheck)
    out.print(out.hint('The servers differ from the lock file. `switchboard lock` accepts their definitions.'));
  else out.print('Nothing was written.');
}

function colouredLine(line: string, out: Output): string {
  const sign = line.trimStart()[0];
  if (sign === '+') return out.paint('green', line);
  if (sign === '-') return out.paint('red', line);
  return sign === '~' ? out.paint('yellow', line) : line;
}

const lockFileOf = (config: LoadedConfig, cwd: string): string =>
  config.policy?.lock.file ?? join(config.file === undefined ? cwd : dirname(config.file), LOCK_FILE);
