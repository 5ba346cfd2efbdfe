/**
 * `switchboard import <file>`: servers of another program's configuration as entries of `servers.json`, printed or written. What
 * could not be taken is said line by line, with the reason.
 * @module
 */
import { writeFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { type JsonDocument, JsonSyntaxError, parseJsonc } from '../../config/jsonc.ts';
import { pathText, shownPath } from '../../config/mistakes.ts';
import { readTextFile } from '../../config/read-file.ts';
import { plural } from '../../core/text.ts';
import { visibleJson } from '../../core/visible.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { type Change, editFile, withChanges } from '../config-edit.ts';
import { EXIT, type ExitCode, UsageError } from '../exit.ts';
import { safeText } from '../format/text.ts';
import { convert, type Imported, nameHere } from '../import/convert.ts';
import { detectFormat, FORMATS } from '../import/formats.ts';
import type { Format, Remark } from '../import/types.ts';
import type { Io } from '../io.ts';
import { createOutput, type Output } from '../output.ts';
import type { GlobalOptions } from '../session.ts';

export interface ImportOptions extends GlobalOptions {
  from?: string;
  out?: string;
  force?: boolean;
}

/** `failed` when some server of the file is not among those imported. */
export async function importServers(file: string, options: ImportOptions, io: Io): Promise<ExitCode> {
  const out = createOutput(io, options.color);
  const source = resolve(io.cwd, file);
  const label = shownPath(source, io.cwd);
  const document = await readDocument(source, label);
  const root = isObject(document.value) ? document.value : { data: document.value };
  const format = formatOf(root, options.from, label);
  const imported = await convert(root, format);
  const kept = options.out === undefined ? [] : await store(imported, resolve(io.cwd, options.out), options, io);
  const lines = imported.remarks.all.map((remark) => remarkLine(remark, label, document));
  const lost = imported.remarks.all.filter((remark) => remark.lost).length + kept.length;
  if (options.json) {
    out.json({
      from: format.id,
      servers: imported.servers,
      remarks: imported.remarks.all.map(({ path, text, lost: isLost = false }) => ({ path, text, lost: isLost })),
      kept,
      out: options.out === undefined ? null : resolve(io.cwd, options.out),
    });
  } else {
    tell({ imported, format, label, lines, kept }, options, io, out);
  }
  return lost > 0 ? EXIT.failed : EXIT.ok;
}

interface Told {
  imported: Imported;
  format: Format;
  label: string;
  lines: readonly string[];
  kept: readonly string[];
}

function tell({ imported, format, label, lines, kept }: Told, options: ImportOptions, io: Io, out: Output): void {
  const count = Object.keys(imported.servers).length;
  if (options.out === undefined) out.print(visibleJson(JSON.stringify({ mcpServers: imported.servers }, null, 2)));
  out.note(`${plural(count, 'server')} of ${label}, read as a file of ${format.label}.`);
  out.note(lines.map((line) => `${out.paintNote('yellow', '-')} ${safeText(line)}`));
  if (options.out === undefined) {
    out.note(`To use ${count === 1 ? 'it' : 'them'}, add to servers.json, or name a file with --out.`);
    return;
  }
  const target = shownPath(resolve(io.cwd, options.out), io.cwd);
  for (const name of kept) {
    out.note(
      `${out.paintNote('yellow', '-')} ${safeText(name)}: ${target} has another server of this name; --force replaces it`,
    );
  }
  out.print(`${target}: ${plural(count - kept.length, 'server')} written.`);
  out.note(out.hint(`'switchboard check --config ${target}' says which of them answer.`));
}

async function readDocument(source: string, label: string): Promise<JsonDocument> {
  const { text, problem } = await readTextFile(source);
  if (text === undefined) throw new UsageError(`${label}: ${problem}.`);
  if (extname(source).toLowerCase() === '.toml') {
    const { parse } = await import('smol-toml');
    try {
      return { value: parse(text), placeOf: () => ({ line: 0, column: 0 }) };
    } catch (error) {
      throw new UsageError(`${label}: not TOML: ${(error as Error).message.split('\n')[0]}.`);
    }
  }
  return parsed(text, label);
}

function parsed(text: string, label: string): JsonDocument {
  try {
    return parseJsonc(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new UsageError(`${label}:${error.place.line}:${error.place.column}: not JSON: found ${error.message}.`);
  }
}

function formatOf(root: JsonObject, wanted: string | undefined, label: string): Format {
  const known = FORMATS.map(({ id }) => id).join(', ');
  if (wanted === undefined) {
    const found = detectFormat(root);
    if (found) return found;
    throw new UsageError(`${label} holds no servers that are recognised. --from names the program it is of: ${known}.`);
  }
  const format = FORMATS.find(({ id }) => id === wanted);
  if (format) return format;
  throw new UsageError(`--from ${wanted}: there is no such format. The formats are: ${known}.`);
}

/**
 * Writes a new file, or adds to one that is there. A server whose name another one has there is left alone, unless `--force`;
 * gives the names of those. A new file is readable by its owner alone: it may hold secrets.
 */
async function store(
  { servers }: Imported,
  target: string,
  { force = false }: ImportOptions,
  io: Io,
): Promise<string[]> {
  if (Object.keys(servers).length === 0) return [];
  const { text } = await readTextFile(target);
  if (text === undefined) {
    const content = `${JSON.stringify({ mcpServers: servers }, null, 2)}\n`;
    await writeFile(target, content, { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(`${shownPath(target, io.cwd)} cannot be written (${error.code ?? 'unknown reason'}).`);
    });
    return [];
  }
  const kept: string[] = [];
  const places = await placesIn(text, shownPath(target, io.cwd));
  const changes: Change[] = [];
  for (const [name, entry] of Object.entries(servers)) {
    const there = places.get(await nameHere(name));
    if (there !== undefined && JSON.stringify(there.entry) === JSON.stringify(entry)) continue;
    if (there !== undefined && !force) kept.push(name);
    else changes.push({ path: there?.path ?? ['mcpServers', name], value: entry });
  }
  if (changes.length > 0) {
    await editFile(
      target,
      (before) => withChanges(before, changes),
      async () => {},
    );
  }
  return kept;
}

/** Where each server of a configuration stands, by its name. */
async function placesIn(text: string, label: string): Promise<Map<string, { path: string[]; entry: unknown }>> {
  const value = parsed(text, label).value;
  if (!isObject(value)) throw new UsageError(`${label} is no configuration; nothing was written.`);
  const places = new Map<string, { path: string[]; entry: unknown }>();
  for (const map of ['mcpServers', 'servers']) {
    const servers = isObject(value[map]) ? value[map] : {};
    for (const [key, entry] of Object.entries(servers)) places.set(await nameHere(key), { path: [map, key], entry });
  }
  return places;
}

function remarkLine({ path, text }: Remark, label: string, document: JsonDocument): string {
  const { line, column } = document.placeOf(path);
  return `${label}${line > 0 ? `:${line}:${column}` : ''} ${pathText(path)}: ${text}`;
}
