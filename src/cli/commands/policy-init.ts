/**
 * `switchboard policy init`: writes a draft policy from what the servers offer now. The table on stderr says why each rule
 * is what it is.
 * @module
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { parseJsonc } from '../../config/jsonc.ts';
import { shownPath } from '../../config/mistakes.ts';
import { readTextFile } from '../../config/read-file.ts';
import { globMatcher } from '../../core/globs.ts';
import { plural } from '../../core/text.ts';
import { visibleJson } from '../../core/visible.ts';
import { exposeUri, uriLabel } from '../../federation/names/uris.ts';
import type { Member } from '../../federation/types.ts';
import { subjectNamed } from '../../relay/gate/subjects.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { EXIT, type ExitCode, UsageError } from '../exit.ts';
import { notReady } from '../format/status.ts';
import { table } from '../format/table.ts';
import { oneLine } from '../format/text.ts';
import type { Judged, Source, StartingPolicy } from '../policy-init/starting-policy.ts';
import { startingPolicy } from '../policy-init/starting-policy.ts';
import { untilTried } from '../progress.ts';
import type { CommandContext } from '../session.ts';

export interface InitOptions {
  server?: string;
  merged?: boolean;
  grant?: string;
  out?: string;
  force?: boolean;
}

/** One document, and where it belongs in servers.json. */
interface Written extends StartingPolicy {
  /** The server, the grant, or `gateway`. */
  of: string;
  /** What to add to servers.json when the policy is there as `value`. */
  place(value: unknown): JsonObject;
}

/** `notReady` when some server is not ready; rules for the others are written. */
export async function initPolicy(context: CommandContext, options: InitOptions): Promise<ExitCode> {
  const { out, io, json, config } = context;
  await untilTried(context, options.server);
  const wanted = membersOf(context, options);
  // A failed list looks like an empty one.
  const away = wanted.filter(({ builtin, state }) => !builtin && state !== 'ready');
  const ready = wanted.filter((member) => !away.includes(member));
  const documents = documentsOf(options, ready, await keysIn(config.file));
  const isWhole = away.length === 0 || !(options.merged || options.grant !== undefined);
  const files =
    options.out === undefined ? undefined : await writeAll(documents, io.cwd, options.out, options.force, isWhole);
  const shownFiles = files?.map((file) => shownPath(file, io.cwd));
  if (json) {
    out.json({
      documents: documents.map(({ of, document, judged, leftOut }, at) => ({
        of,
        file: shownFiles?.[at] ?? null,
        document,
        judged,
        leftOut,
      })),
      notReady: away.map(({ name }) => name),
    });
  } else {
    tell(context, documents, files);
    const isAway = (name: string): boolean => away.some((member) => member.name === name);
    out.note(notReady(context, isAway).map((line) => `${out.paintNote('yellow', 'Left out:')} ${line}`));
  }
  return away.length > 0 ? EXIT.notReady : EXIT.ok;
}

/** In the order of the configuration, without disabled servers. */
function membersOf({ gateway, config }: CommandContext, { server, grant, merged }: InitOptions): Member[] {
  const isDisabled = (name: string): boolean => config.servers.find((each) => each.name === name)?.disabled === true;
  const members = gateway.federation.members().filter(({ name }) => !isDisabled(name));
  const only = config.policy.grants.find(({ name }) => name === grant)?.servers?.map((glob) => globMatcher(glob));
  return members.filter(({ name, builtin }) => {
    // Builtin tools have namespaced names only.
    if (builtin) return (merged || grant !== undefined) && server === undefined;
    if (server !== undefined) return name === server;
    return only === undefined || only.some((matches) => matches(name) === true);
  });
}

/** Which map of the file each server stands in: its entry there is the one to add a policy to. */
async function keysIn(file: string | undefined): Promise<(member: Member) => readonly [map: string, key: string]> {
  const { text } = file === undefined ? { text: undefined } : await readTextFile(file);
  const root = text === undefined ? {} : parseJsonc(text).value;
  const servers = isObject(root) && isObject(root.servers) ? root.servers : {};
  return ({ name, config: { title } }) => {
    const key = title ?? name;
    return [Object.hasOwn(servers, key) ? 'servers' : 'mcpServers', key];
  };
}

function documentsOf(
  { merged, grant }: InitOptions,
  members: readonly Member[],
  keyOf: (member: Member) => readonly [map: string, key: string],
): Written[] {
  const from = `Made by "switchboard policy init" of what was offered at the time: read it before you rely on it.`;
  if (grant !== undefined) {
    const made = startingPolicy(members.map(namespacedSource), `What the grant "${grant}" may do. ${from}`);
    return [{ ...made, of: grant, place: (policy) => ({ gateway: { grants: { [grant]: { policy } } } }) }];
  }
  if (merged) {
    const made = startingPolicy(members.map(namespacedSource), `What everybody may do. ${from}`);
    return [{ ...made, of: 'gateway', place: (policy) => ({ gateway: { policy } }) }];
  }
  return members.map((member) => ({
    ...startingPolicy([ownSource(member)], `What everybody may do with the server "${member.name}". ${from}`),
    of: member.name,
    place: (policy) => {
      const [map, key] = keyOf(member);
      return { [map]: { [key]: { policy } } };
    },
  }));
}

const ownSource = (member: Member): Source => ({
  server: member.name,
  builtin: member.builtin,
  catalog: (kind) => member.catalog(kind),
  name: (_kind, original) => original,
  resources: ['*'],
});

const namespacedSource = (member: Member): Source => ({
  ...ownSource(member),
  name: (kind, original) => subjectNamed(kind, member, original).namespaced,
  resources: ['', 'ui://'].map((start) => exposeUri(uriLabel(member.name), `${start}*`)),
});

/**
 * Writes nothing when a file is in the way. A document that is not `isWhole`, because a server it speaks of is not ready, never
 * replaces one: the rules of that server would be lost. Resolves with absolute paths.
 */
async function writeAll(
  documents: readonly Written[],
  cwd: string,
  folder: string,
  force = false,
  isWhole = true,
): Promise<readonly string[]> {
  const target = resolve(cwd, folder);
  await mkdir(target, { recursive: true }).catch((error: unknown) => {
    throw new UsageError(`The folder ${shownPath(target, cwd)} cannot be made (${codeOf(error)}).`);
  });
  const files = documents.map(({ of }) => join(target, `${of}.policy.json`));
  const refuse = (file: string, why: string): never => {
    throw new UsageError(`${shownPath(file, cwd)} ${why}.`);
  };
  const there = force && isWhole ? undefined : files.find((file) => existsSync(file));
  if (there !== undefined) {
    refuse(
      there,
      isWhole
        ? 'is there already, so nothing was written; --force overwrites it'
        : 'is there already, and would lose its rules for the servers that are not ready, so nothing was written; `switchboard check` says why they are not',
    );
  }
  for (const [at, file] of files.entries()) {
    const text = `${visibleJson(JSON.stringify(documents[at]?.document, null, 2))}\n`;
    // `wx` refuses a file that was written since.
    await writeFile(file, text, { flag: force && isWhole ? 'w' : 'wx' }).catch((error: unknown) =>
      refuse(file, `cannot be written (${codeOf(error)})`),
    );
  }
  return files;
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown reason';

function tell(
  { out, config, io }: CommandContext,
  documents: readonly Written[],
  files: readonly string[] | undefined,
): void {
  const judged = documents.flatMap((each) => each.judged);
  out.note(classifications(judged));
  for (const { server, name, why } of documents.flatMap((each) => each.leftOut)) {
    out.note(out.paintNote('yellow', oneLine(`Left out, so denied: "${name}" of ${server}: ${why}.`)));
  }
  const [only, ...others] = documents;
  if (only === undefined) {
    out.note('There is no server to write a policy for.');
    return;
  }
  const folder = config.file === undefined ? io.cwd : dirname(config.file);
  const additions = documents.map(({ place, document }, at) =>
    place(files ? pathFrom(folder, files[at] ?? '') : document),
  );
  if (files) {
    out.print(files.map((file) => `Written: ${shownPath(file, io.cwd)}`));
    out.note([
      '',
      `To use them, add to ${config.file === undefined ? 'servers.json' : basename(config.file)} (paths are relative to it):`,
      visibleJson(JSON.stringify(merge(additions), null, 2)),
    ]);
  } else if (others.length === 0) {
    out.print(visibleJson(JSON.stringify(only.document, null, 2)));
    const addition = JSON.stringify(only.place(`./${only.of}.policy.json`));
    out.note(['', `To use it, save it beside servers.json and add: ${addition}`]);
  } else {
    out.print(visibleJson(JSON.stringify(merge(additions), null, 2)));
    out.note(['', 'To use them, add them to servers.json; --out writes a file for each.']);
  }
}

/** As a file in `folder` names another one: with slashes on every system; absolute on another drive of Windows. */
function pathFrom(folder: string, file: string): string {
  const path = relative(folder, file).split(sep).join('/');
  return path.startsWith('../') || resolve(folder, path) === path ? path : `./${path}`;
}

function classifications(judged: readonly Judged[]): string[] {
  if (judged.length === 0) return ['The servers offer no tools and no agents.'];
  const rows = judged.map(({ server, kind, name, category, severity, rule, why }) => [
    oneLine(server),
    oneLine(kind === 'agent' ? `${name} (agent)` : name),
    category,
    severity,
    rule,
    oneLine(why),
  ]);
  const columns = ['server', 'name', 'category', 'severity', 'rule', 'because'];
  return [
    ...table(columns, rows, undefined),
    '',
    `${plural(judged.length, 'rule')}; correct what was read wrongly.`,
    '',
  ];
}

/** Parts of one servers.json. */
function merge(parts: readonly JsonObject[]): JsonObject {
  const merged: JsonObject = {};
  for (const [key, value] of parts.flatMap((part) => Object.entries(part))) {
    merged[key] = { ...(merged[key] as JsonObject | undefined), ...(value as JsonObject) };
  }
  return merged;
}
