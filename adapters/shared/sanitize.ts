/**
 * Makes an error text of an agent server public. Mastra and LangGraph put stacks, file paths and addresses into error
 * bodies and events (measured); a client gets one line without them.
 *
 * It removes what has a recognisable shape. A prompt has none, so adapters never pass a field that may hold one.
 * @module
 */
import { head } from '../../src/core/text.ts';

/** Nothing beyond this many characters is looked at for a line that says something. */
const MAX_SCANNED = 4096;

/** Characters of that line the patterns below see: some take time by the square of its length, none by more. */
const MAX_LINE = 1024;

/** A stack frame, whether on a line of its own or run into the message. */
const FRAME =
  /(?:^|\s)at (?:async )?(?:new )?(?:\S+ )?(?:\[as \S+\] )?\(?(?:file:|node:|https?:|\/|[A-Za-z]:\\|<anonymous>)/;

interface Rule {
  pattern: RegExp;
  instead: string;
}

const SOURCE_FILE = String.raw`\.(?:[cm]?[jt]sx?|py|rb|go|java|rs|json|ya?ml|toml|env|db|sqlite)`;

/** In order: what a rule has replaced, later rules do not see. */
const RULES: readonly Rule[] = [
  { pattern: /\b[a-z][a-z0-9+.-]{0,31}:\/\/[^\s"'`<>]+/gi, instead: '[url]' },
  { pattern: /\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, instead: '$1 [secret]' },
  {
    pattern:
      /(\b|_)(api[-_ ]?key|access[-_ ]?key|token|secret|passw(?:or)?d|passwd|authorization|credentials?)(["']?\s*[=:]\s*)["']?[^\s"',;)}\]]{4,}["']?/gi,
    instead: '$1$2$3[secret]',
  },
  { pattern: /\b(?:sk|pk|rk|lsv2|ghp|gho|ghs|github_pat|glpat|xox[a-z]|hf)[-_][\w-]{6,}/g, instead: '[secret]' },
  { pattern: /\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?/g, instead: '[secret]' },
  { pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b/g, instead: '[secret]' },
  { pattern: /\bAIza[\w-]{20,}/g, instead: '[secret]' },
  { pattern: /(?:\b[A-Za-z]:\\|\\\\)[^\s"'`<>|]+/g, instead: '[path]' },
  { pattern: /(?<![\w.)\]])(?:~|\.{1,2})?\/(?:[\w.@~+-]+\/)+[\w.@~+-]*(?::\d+)*/g, instead: '[path]' },
  {
    pattern: new RegExp(String.raw`(?<![\w/])[\w@.-]*(?:\/[\w@.-]+)+${SOURCE_FILE}(?::\d+)*\b`, 'g'),
    instead: '[path]',
  },
  { pattern: new RegExp(String.raw`(?<![\w/])[\w@.-]+${SOURCE_FILE}(?::\d+)+\b`, 'g'), instead: '[path]' },
  { pattern: /\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b/g, instead: '[address]' },
  { pattern: /\[[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*\](?::\d{1,5})?/gi, instead: '[address]' },
  {
    pattern:
      /(?<![\w:])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}|(?:(?:[0-9a-f]{1,4}:){1,7}|:):[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})(?![\w:])/gi,
    instead: '[address]',
  },
  { pattern: /\blocalhost(?::\d{1,5})?\b/gi, instead: '[address]' },
  { pattern: /\b(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]*:\d{1,5}\b/gi, instead: '[address]' },
  { pattern: /\b[a-z][\w-]*:\d{4,5}\b/gi, instead: '[address]' },
  {
    pattern: /\b(?:[a-z0-9-]+\.)+(?:internal|intranet|local|lan|corp|svc|cluster)\b(?:\.[a-z0-9-]+)*/gi,
    instead: '[address]',
  },
  { pattern: /\b(ENOTFOUND|EAI_AGAIN)\s+[\w.-]+/g, instead: '$1 [address]' },
  // Long runs of letters and digits mixed are keys or hashes. Uuids, which name threads and runs, have dashes.
  { pattern: /\b(?=[A-Za-z+/]*\d)(?=[\d+/]*[A-Za-z])[A-Za-z0-9+/]{32,}={0,2}/g, instead: '[secret]' },
];

/**
 * One line of at most `maxLength` characters: the first of `text` that says something, without stack frames, file
 * paths, URLs, addresses and things that look like secrets. `no reason given` when nothing is left.
 */
export function publicMessage(text: string, maxLength = 300): string {
  let line = firstLine(text.slice(0, MAX_SCANNED)).slice(0, MAX_LINE);
  for (const rule of RULES) line = line.replace(rule.pattern, rule.instead);
  line = line.replace(/\s+/g, ' ').trim();
  if (line === '') return 'no reason given';
  return line.length > maxLength ? `${head(line, maxLength - 1).trimEnd()}…` : line;
}

function firstLine(text: string): string {
  // JSON inside JSON (both servers do that) leaves newlines as the two characters \n.
  for (const raw of text.split(/\r\n|\\r\\n|\n|\r|\\n|\u2028|\u2029/)) {
    const frame = FRAME.exec(raw);
    const line = (frame ? raw.slice(0, frame.index) : raw)
      .replace(/\u001b\[[0-9;]*[A-Za-z]/g, '')
      .replace(/[\p{Cc}\p{Cf}]/gu, ' ')
      .trim();
    if (line !== '') return line;
  }
  return '';
}
