/**
 * The formats that are checked, with the expressions of ajv-formats in its fast form. Each was read and takes linear time.
 * `url` is missing because it is quadratic (`\S+(?::\S*)?@`), `regex` because it knows JavaScript's dialect only.
 *
 * Times need no offset: servers accept local times under `date-time` (pydantic, zod with `local: true`), and the gateway
 * must not refuse what the tool would accept. Other formats are annotations, as the specification has it.
 * @module
 */
import { createRequire } from 'node:module';
import type { Format } from 'ajv';
import type { FormatName } from 'ajv-formats';

const SAME: readonly FormatName[] = [
  'date',
  'duration',
  'uri',
  'uri-reference',
  'uri-template',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uuid',
  'json-pointer',
  'json-pointer-uri-fragment',
  'relative-json-pointer',
  'byte',
  'int32',
  'int64',
];

const require = createRequire(import.meta.url);

let known: Readonly<Record<string, Format>> | undefined;

/** Loaded with the first schema. */
export function formats(): Readonly<Record<string, Format>> {
  known ??= readFormats();
  return known;
}

function readFormats(): Readonly<Record<string, Format>> {
  const addFormats = require('ajv-formats') as typeof import('ajv-formats');
  const get = (name: FormatName): Format => addFormats.default.get(name, 'fast');
  return Object.fromEntries([
    ...SAME.map((name): [string, Format] => [name, get(name)]),
    ['time', get('iso-time')],
    ['date-time', get('iso-date-time')],
  ]);
}
