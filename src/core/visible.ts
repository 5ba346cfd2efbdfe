/**
 * Makes invisible characters in texts of servers visible: they can hide instructions, turn text around on a terminal
 * (U+202E), or make one name look like another.
 * @module
 */
import { stripVTControlCharacters } from 'node:util';

/** Controls, formats (bidirectional ones, zero widths, tags), ignorables, private use, and spaces that are not U+0020. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu;
/** The same in running text, where controls are line breaks, tabs and colours, and selectors belong to emoji. */
const INVISIBLE_IN_TEXT = /(?![\ufe00-\ufe0f])[\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** JSON text with an escape for every invisible character; it stays JSON. */
export const visibleJson = (json: string): string => json.replaceAll(INVISIBLE, escaped);

/** The text as a JSON string, with its quotes. */
export const visible = (text: string): string => visibleJson(JSON.stringify(text));

/** Text for a person, with an escape (`\u202e`) for every invisible character but controls, which the caller judges. */
export const visibleText = (text: string): string => text.replaceAll(INVISIBLE_IN_TEXT, escaped);

/**
 * Without escape sequences and control characters other than tab and line break, which could drive a terminal, and with
 * escapes for characters that cannot be seen or turn text around.
 */
export const safeText = (text: string): string =>
  visibleText(stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, ''));

/** The whole text on one line, for a table; the empty text for anything else than a string. */
export function oneLine(text: unknown): string {
  if (typeof text !== 'string') return '';
  return safeText(text).trim().replaceAll(/\s+/g, ' ');
}

function escaped(character: string): string {
  // The line breaks and indentation of the document itself stand outside of strings, where JSON has no escapes.
  if (character === '\n') return character;
  let units = '';
  for (let i = 0; i < character.length; i++) units += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  return units;
}
