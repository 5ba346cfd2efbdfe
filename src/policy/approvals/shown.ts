/**
 * Texts of servers and agents as a person sees them before deciding: bounded, on one line, and without characters that
 * could forge a line of the form or change how it reads (line breaks, invisible and direction-changing characters).
 * @module
 */

import { stripVTControlCharacters } from 'node:util';
import { shorten, shortenTo } from '../../core/text.ts';
import { visibleText } from '../../core/visible.ts';

const BREAKS = /[\s\p{Zl}\p{Zp}]+/gu;
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;
/** The same and what breaks lines, where JSON has an escape for them. */
const ESCAPABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]/gu;

/** On one line, without control characters, with escapes for invisible ones, at most `max` characters. */
export function oneLine(text: string, max: number): string {
  const clean = stripVTControlCharacters(text.slice(0, 4 * max + 256))
    .replaceAll(BREAKS, ' ')
    .replaceAll(UNPRINTABLE, '')
    .trim();
  return shortenTo(visibleText(clean), max);
}

export interface ShownJson {
  text: string;
  /** Something was left out. */
  shortened: boolean;
}

/** Longest text value, tried one after the other: long values give way before names do. */
const TEXT_LENGTHS = [Number.POSITIVE_INFINITY, 1_000, 200, 40];

/**
 * JSON on one line, at most `maxBytes` of UTF-8. Characters that cannot be seen are written as escapes. What is too long
 * loses the ends of its long texts first, so that no member hides behind another's length.
 */
export function shownJson(value: unknown, maxBytes: number): ShownJson {
  let text = '';
  for (const max of TEXT_LENGTHS) {
    text = writeJson(value, max);
    if (Buffer.byteLength(text) <= maxBytes) return { text, shortened: max !== Number.POSITIVE_INFINITY };
  }
  const end = '…';
  const head = Buffer.from(text).subarray(0, maxBytes - Buffer.byteLength(end));
  // A character cut in two reads as U+FFFD.
  return { text: head.toString('utf8').replace(/\ufffd$/, '') + end, shortened: true };
}

function writeJson(value: unknown, maxText: number): string {
  const shortened = (_key: string, item: unknown): unknown =>
    typeof item === 'string' ? shorten(item, maxText, `… (${item.length} characters)`) : item;
  try {
    const text = JSON.stringify(value ?? {}, shortened) ?? '{}';
    return text.replaceAll(ESCAPABLE, escapeUnits);
  } catch {
    // Nested deeper than can be written.
    return '"(cannot be shown)"';
  }
}

function escapeUnits(character: string): string {
  let escaped = '';
  for (let i = 0; i < character.length; i++) {
    escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }
  return escaped;
}
