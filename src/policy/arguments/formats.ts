/**
 * The formats that are checked. Their expressions are those of ajv-formats in its fast form, which were read for this: none
 * can go through one text in more ways than a small constant. `url` could (`\S+(?::\S*)?@` is quadratic) and is left
 * out, and `regex`, which knows the dialect of JavaScript only.
 *
 * Times need no offset: servers accept local times under `date-time` (pydantic, zod with `local: true`), and the gateway
 * must not refuse what the tool would take. Formats that are not in this list are notes, as the specification has it.
 * @module
 */
import type { Format } from 'ajv';
import addFormats, { type FormatName } from 'ajv-formats';

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

const get = (name: FormatName): Format => addFormats.default.get(name, 'fast');

export const FORMATS: Readonly<Record<string, Format>> = Object.fromEntries([
  ...SAME.map((name): [string, Format] => [name, get(name)]),
  ['time', get('iso-time')],
  ['date-time', get('iso-date-time')],
]);
