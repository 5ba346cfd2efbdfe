/**
 * Variables in the texts of other programs' files, in the spelling of `servers.json`. Secrets stay variables; what cannot be one here
 * (a command that prints a secret, an input a person is asked for) becomes one that has to be set.
 * @module
 */
import type { JsonPath } from '../../config/jsonc.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import type { Format, Remarks } from './types.ts';

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const REFERENCE = /\$\{([^{}]*)\}/g;
const BARE = /(?<![$\\])\$([A-Za-z_][A-Za-z0-9_]*)/g;

/** A name of a variable made of any text: `api-key` becomes `API_KEY`. */
export function variableName(text: string): string {
  const name = text
    .replaceAll(/[^A-Za-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
    .toUpperCase();
  return NAME.test(name) ? name.slice(0, 64) : `VAR_${name}`.slice(0, 64);
}

/** Gives a copy of the value at this path below the server, in which every text has its variables respelled. */
export type Respeller = (value: unknown, below: JsonPath) => unknown;

/** `server`: whose texts they are; a variable that has to be made carries its name, since each server has its own secret. */
export function respeller(server: { name: string; path: JsonPath }, format: Format, remarks: Remarks): Respeller {
  const ofText = (text: string, below: JsonPath): string => {
    if (format.literal) return text.replaceAll('${', () => '$${');
    const named = format.dollarNames ? text.replaceAll(BARE, (_whole, name: string) => `\${${name}}`) : text;
    return named.replaceAll(REFERENCE, (whole, body: string) => {
      const { text: made, note } = reference(whole, body, () =>
        variableName([server.name, ...below.slice(-1)].join('_')),
      );
      if (note !== undefined) remarks.note([...server.path, ...below], note);
      return made;
    });
  };
  const respell: Respeller = (value, below) => {
    if (typeof value === 'string') return ofText(value, below);
    if (Array.isArray(value)) return value.map((item, index) => respell(item, [...below, index]));
    if (!isObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, respell(item, [...below, key])]));
  };
  return respell;
}

function reference(whole: string, body: string, makeName: () => string): { text: string; note?: string } {
  const bare = body.replace(/^env:/, '');
  const [name = ''] = bare.split(':-');
  if (NAME.test(name)) {
    const isEditors = /^(?:workspaceFolder|workspaceFolderBasename|workspacePath|cwd)$/.test(name);
    const note = `${whole} is known to an editor only: write a path in its place, or set ${name}`;
    return { text: `\${${bare}}`, ...(isEditors ? { note } : {}) };
  }
  if (body === '/') return { text: whole };
  const [scheme = '', rest = ''] = body.split(/:(.*)/s);
  const variable = scheme === 'cmd' ? makeName() : variableName(rest || body);
  return {
    text: `\${${variable}}`,
    note: `${reasonOf(scheme, rest)}; set ${variable} in the environment of the gateway`,
  };
}

function reasonOf(scheme: string, rest: string): string {
  if (scheme === 'cmd') return 'commands that print a value are not run';
  if (scheme === 'input') return `nobody can be asked for the input "${rest}" at start`;
  return 'this kind of reference is not known here';
}
