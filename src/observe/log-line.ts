/**
 * A log line as a person reads it: `12:03:04 warn  mastra is not reachable  server=mastra retryInMs=800`.
 * @module
 */

import { stripVTControlCharacters, styleText } from 'node:util';
import { shorten } from '../core/text.ts';
import { visibleText } from '../core/visible.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';

type Style = Parameters<typeof styleText>[0];

const STYLES: Readonly<Record<string, Style>> = {
  trace: 'dim',
  debug: 'dim',
  info: 'cyan',
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
};

const MAX_VALUE = 200;

/** `json` is one line of the JSON log, with its newline. What is no JSON is passed on as it is. */
export function lineForPeople(json: string, colour: boolean): string {
  let record: JsonObject;
  try {
    record = JSON.parse(json) as JsonObject;
  } catch {
    return json;
  }
  const style = (of: Style, text: string): string => (colour ? styleText(of, text, { validateStream: false }) : text);
  const { time, level, msg, err, ...fields } = record;
  const parts = [
    style('dim', String(time).slice(11, 19)),
    style(STYLES[String(level)] ?? 'dim', String(level).padEnd(5)),
    plain(String(msg ?? '')),
  ];
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${short(value)}`);
  if (rest.length > 0) parts.push(style('dim', rest.join(' ')));
  let line = `${parts.join(' ')}\n`;
  if (isObject(err)) line += `${style('dim', indent(errorText(err)))}\n`;
  return line;
}

function errorText(error: JsonObject): string {
  const lines = [String(error.stack ?? `${String(error.type)}: ${String(error.message)}`)];
  if (isObject(error.cause)) lines.push(`caused by ${errorText(error.cause)}`);
  return lines.join('\n');
}

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => `         ${plain(line)}`)
    .join('\n');

function short(value: unknown): string {
  const text = typeof value === 'string' && /^[^\s"]+$/.test(value) ? value : (JSON.stringify(value) ?? '');
  return shorten(plain(text), MAX_VALUE);
}

/** What servers send may end up in a log; it must not drive the terminal. Line breaks of messages stay. */
const plain = (text: string): string =>
  visibleText(stripVTControlCharacters(text).replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, ' '));
