/**
 * Makes text of servers and clients safe for a terminal.
 * @module
 */
import { stripVTControlCharacters } from 'node:util';
import { visibleText } from '../../core/visible.ts';

/**
 * Without escape sequences and control characters other than tab and line break, which could drive the terminal, and with
 * escapes for characters that cannot be seen or turn text around.
 */
export const safeText = (text: string): string =>
  visibleText(stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, ''));

/** The whole text on one line, for a table; the empty text for anything else than a string. */
export function oneLine(text: unknown): string {
  if (typeof text !== 'string') return '';
  return safeText(text).trim().replaceAll(/\s+/g, ' ');
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} bytes`;
  return count < 1024 * 1024 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1024 / 1024).toFixed(1)} MiB`;
}
