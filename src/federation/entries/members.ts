/**
 * The members of entries other than schemas, as the official SDKs read them. Nothing but the name and a prompt's arguments
 * is needed to use an entry, so any other member that clients could not read is taken out.
 * @module
 */
import { z } from 'zod';
import type { CatalogKind } from '../../core/upstream.ts';
import { META } from '../../wire/envelope.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { type Findings, typeName } from './findings.ts';

type Check = (value: unknown) => boolean;
interface Shape {
  readonly [member: string]: Check | Shape;
}

const isText: Check = (value) => typeof value === 'string';
const isFlag: Check = (value) => typeof value === 'boolean';
const isNumber: Check = (value) => typeof value === 'number';
const oneOf =
  (...values: unknown[]): Check =>
  (value) =>
    values.includes(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

const isIcon: Check = (icon) =>
  isObject(icon) &&
  isText(icon.src) &&
  optional(isText)(icon.mimeType) &&
  optional(listOf(isText))(icon.sizes) &&
  optional(oneOf('light', 'dark'))(icon.theme);

const timestamp = z.iso.datetime({ offset: true });

const COMMON: Shape = { title: isText, description: isText, icons: listOf(isIcon), _meta: isObject };

const RESOURCE: Shape = {
  ...COMMON,
  mimeType: isText,
  annotations: {
    audience: listOf(oneOf('user', 'assistant')),
    priority: (value) => typeof value === 'number' && value >= 0 && value <= 1,
    lastModified: (value) => timestamp.safeParse(value).success,
  },
};

const SHAPES: Readonly<Record<Exclude<CatalogKind, 'agents'>, Shape>> = {
  tools: {
    ...COMMON,
    annotations: {
      title: isText,
      readOnlyHint: isFlag,
      destructiveHint: isFlag,
      idempotentHint: isFlag,
      openWorldHint: isFlag,
    },
    execution: { taskSupport: oneOf('required', 'optional', 'forbidden') },
  },
  prompts: COMMON,
  resources: { ...RESOURCE, size: isNumber },
  templates: RESOURCE,
};

const ARGUMENT: Shape = { description: isText, required: isFlag };

export function checkMembers(kind: Exclude<CatalogKind, 'agents'>, value: JsonObject, found: Findings): void {
  checkShape(value, SHAPES[kind], [], found);
  if (kind === 'prompts') checkArguments(value.arguments, found);
  else if (kind !== 'tools' && !isText(value.name)) {
    // The URI says what the resource is; its name is for people.
    found.mend(['name'], isText(value.title) ? value.title : (value.uri ?? value.uriTemplate));
  }
  checkMeta(value._meta, found);
}

function checkShape(value: JsonObject, shape: Shape, path: readonly (string | number)[], found: Findings): void {
  for (const [member, expected] of Object.entries(shape)) {
    const own = value[member];
    if (own === undefined) continue;
    const at = [...path, member];
    if (typeof expected === 'function') {
      if (!expected(own)) found.mend(at);
    } else if (isObject(own)) checkShape(own, expected, at, found);
    else found.mend(at);
  }
}

function checkArguments(list: unknown, found: Findings): void {
  if (list === undefined) return;
  if (list === null) {
    found.mend(['arguments']);
    return;
  }
  if (!Array.isArray(list)) {
    found.refuse(`its arguments are ${typeName(list)}, not an array`);
    return;
  }
  list.forEach((argument, i) => {
    if (!isObject(argument)) found.refuse(`its argument ${i} is ${typeName(argument)}, not an object`);
    else if (!isText(argument.name)) found.refuse(`its argument ${i} has no name`);
    else checkShape(argument, ARGUMENT, ['arguments', i], found);
  });
}

const MODERN_KEYS: ReadonlySet<string> = new Set(Object.values(META));

/** Legacy clients receive no `_meta` that only the modern revision defines. */
function checkMeta(meta: unknown, found: Findings): void {
  if (!isObject(meta)) return;
  const keys = Object.keys(meta);
  const modern = keys.filter((key) => MODERN_KEYS.has(key));
  if (modern.length === 0) return;
  if (modern.length === keys.length) found.mendForLegacy(['_meta']);
  else for (const key of modern) found.mendForLegacy(['_meta', key]);
}
