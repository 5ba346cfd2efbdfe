/**
 * Edits the configuration file and keeps the rest of it byte for byte, comments and layout included. The file is replaced
 * in one step, so no reader sees half of it.
 * @module
 */
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { applyEdits, type JSONPath, modify } from 'jsonc-parser';
import { UsageError } from './exit.ts';

/** One change of one member; `value` undefined takes it out. */
export interface Change {
  path: JSONPath;
  value: unknown;
}

/** The text with the changes made, in its own indentation and line ends. */
export function withChanges(text: string, changes: readonly Change[]): string {
  const mark = text.startsWith('\ufeff') ? '\ufeff' : '';
  const indent = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  ';
  const formattingOptions = {
    insertSpaces: !indent.startsWith('\t'),
    tabSize: indent.startsWith('\t') ? 1 : indent.length,
    eol: text.includes('\r\n') ? '\r\n' : '\n',
  };
  return (
    mark +
    changes.reduce(
      (edited, { path, value }) => applyEdits(edited, modify(edited, path, value, { formattingOptions })),
      text.slice(mark.length),
    )
  );
}

/**
 * Replaces the file by what `change` makes of its text. Nothing is written unless `check` accepts the new text, and
 * nothing when the file has changed meanwhile. A symbolic link stays one; the file keeps its mode.
 */
export async function editFile(
  file: string,
  change: (text: string) => string,
  check: (text: string) => Promise<unknown>,
): Promise<void> {
  const target = await realpath(file);
  const draft = `${target}.edit`;
  // Fails where there is a draft already: of two commands at the same time one goes on.
  const handle = await open(draft, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST'
      ? new UsageError(
          `Another command is changing this file. If none is running, remove ${basename(draft)} beside it.`,
        )
      : notWritten(error);
  });
  let isDraft = true;
  try {
    const bytes = await readFile(target);
    if (isUtf16(bytes)) throw new UsageError('The file is in UTF-16. Save it as UTF-8; then it can be edited.');
    const before = bytes.toString('utf8');
    const after = change(before);
    await check(after);
    try {
      await handle.writeFile(after);
      await handle.chmod((await stat(target)).mode & 0o777);
      await handle.sync();
    } catch (error) {
      throw notWritten(error as NodeJS.ErrnoException);
    }
    if ((await readFile(target, 'utf8')) !== before) {
      throw new UsageError('The file was changed by somebody else at the same time. Nothing was written; try again.');
    }
    await rename(draft, target).catch((error: NodeJS.ErrnoException) => {
      throw notWritten(error);
    });
    // A draft of that name is another command's from here on.
    isDraft = false;
  } finally {
    await handle.close();
    if (isDraft) await rm(draft, { force: true });
  }
}

const isUtf16 = ([first, second]: Buffer): boolean =>
  first === 0xff ? second === 0xfe : first === 0xfe && second === 0xff;

const notWritten = (error: NodeJS.ErrnoException): UsageError =>
  new UsageError(`The configuration cannot be written (${error.code ?? 'unknown reason'}).`);
