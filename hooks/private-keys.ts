/**
 * Private keys in PEM form (RFC 7468) in text. By hand and not by a pattern: one that looks for the end of a key looks to the
 * end of the text from every beginning without one.
 * @module
 */
import type { Findings } from './credentials.ts';

const BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/y;

/** Replaces each with `<PRIVATE_KEY>`. One without an end, as in a text that was cut, ends where the next dashes are. */
export function redactPrivateKeys(text: string, findings: Findings): string {
  if (!text.includes('PRIVATE KEY')) return text;
  let redacted = '';
  let copied = 0;
  BEGIN.lastIndex = 0;
  for (let begin = BEGIN.exec(text); begin !== null; begin = BEGIN.exec(text)) {
    redacted += text.slice(copied, begin.index);
    copied = endOfKey(text, begin.index + begin[0].length);
    redacted += findings.marker('PRIVATE_KEY', text.slice(begin.index, copied));
    BEGIN.lastIndex = copied;
  }
  return redacted + text.slice(copied);
}

function endOfKey(text: string, from: number): number {
  const dashes = text.indexOf('-----', from);
  if (dashes === -1) return text.length;
  END.lastIndex = dashes;
  return END.test(text) ? END.lastIndex : dashes;
}
