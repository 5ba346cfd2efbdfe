/**
 * What a JSON Schema asks for, in the terms of a form: references followed, alternatives told apart. What has no form is written as
 * JSON.
 */

export type JsonSchema = Record<string, unknown>;

/** A value that can be chosen. */
export interface Choice {
  value: unknown;
  title: string;
}

/** How a value is asked for. */
export type Shape =
  | {
      as: 'text';
      long: boolean;
      type: 'text' | 'email' | 'date' | 'url' | 'time';
      min?: number;
      max?: number;
      hint?: string;
    }
  | { as: 'number'; isInteger: boolean; min?: number; max?: number }
  | { as: 'yes-no' }
  | { as: 'null' }
  /** One value is possible. */
  | { as: 'fixed'; value: unknown }
  | { as: 'choice'; choices: readonly Choice[] }
  /** Any of these, each once. */
  | { as: 'choices'; choices: readonly Choice[] }
  | { as: 'list'; item: JsonSchema; min: number; max: number }
  | { as: 'members'; members: readonly Member[] }
  | { as: 'variants'; variants: readonly { title: string; schema: JsonSchema }[] }
  | { as: 'json' };

export interface Member {
  name: string;
  schema: JsonSchema;
  required: boolean;
}

export interface Field {
  schema: JsonSchema;
  shape: Shape;
  /** The schema allows null beside the rest. */
  nullable: boolean;
  title: string | undefined;
  description: string | undefined;
}

/** Parts of a schema that are looked at for one question: a schema that goes on is a circle, or wants to keep the page busy. */
interface Budget {
  left: number;
}
const newBudget = (): Budget => ({ left: 2_000 });
const spent = (budget: Budget): boolean => budget.left-- <= 0;
/** More are written as JSON. */
const MAX_MEMBERS = 80;
const MAX_VARIANTS = 20;
const MAX_CHOICES = 500;

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const schemas = (value: unknown): JsonSchema[] | undefined =>
  Array.isArray(value) && value.length > 0 && value.every(isObject) ? (value as JsonSchema[]) : undefined;

/** What stands at a reference within the document: `#/$defs/name`. Undefined: elsewhere, or nowhere. */
function at(root: JsonSchema, reference: string): unknown {
  if (reference === '#') return root;
  if (!reference.startsWith('#/')) return undefined;
  let found: unknown = root;
  for (const part of reference.slice(2).split('/')) {
    const key = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
    if ((!isObject(found) && !Array.isArray(found)) || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The schema with its reference followed and the parts of `allOf` put together. Undefined: a circle, or nowhere. */
export function resolved(schema: JsonSchema, root: JsonSchema, budget = newBudget()): JsonSchema | undefined {
  let found = schema;
  while (typeof found.$ref === 'string') {
    const target = at(root, found.$ref);
    if (!isObject(target) || spent(budget)) return undefined;
    const { $ref: _, ...beside } = found;
    found = { ...target, ...beside };
  }
  const parts = schemas(found.allOf);
  if (!parts) return found;
  const { allOf: _, ...own } = found;
  let whole: JsonSchema = own;
  for (const part of parts) {
    if (spent(budget)) return undefined;
    const one = resolved(part, root, budget);
    if (!one) return undefined;
    whole = both(whole, one);
  }
  return whole;
}

function both(one: JsonSchema, other: JsonSchema): JsonSchema {
  const properties = {
    ...(isObject(one.properties) ? one.properties : {}),
    ...(isObject(other.properties) ? other.properties : {}),
  };
  const required = [one.required, other.required].flatMap((names) => (Array.isArray(names) ? names : []));
  return {
    ...other,
    ...one,
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required: [...new Set(required)] } : {}),
  };
}

/** How a schema is asked for. `name` is the member's, for what its texts are like. */
export function fieldOf(given: unknown, root: JsonSchema, name = '', budget = newBudget()): Field {
  const json = (schema: JsonSchema): Field => ({
    schema,
    shape: { as: 'json' },
    nullable: false,
    title: text(schema.title),
    description: text(schema.description),
  });
  if (!isObject(given)) return json({});
  const schema = spent(budget) ? undefined : resolved(given, root, budget);
  if (!schema) return json(given);
  const about = { title: text(schema.title), description: text(schema.description) };
  const { alternatives, titles, nullable } = alternativesOf(schema, root, budget);
  const [only] = alternatives;
  if (only && alternatives.length === 1) {
    const inner = fieldOf(only, root, name, budget);
    return {
      ...inner,
      nullable: nullable || inner.nullable,
      title: about.title ?? inner.title,
      description: about.description ?? inner.description,
    };
  }
  if (alternatives.length > 1) {
    const choices = fixedChoices(alternatives);
    const shape: Shape = choices
      ? { as: 'choice', choices }
      : alternatives.length > MAX_VARIANTS
        ? { as: 'json' }
        : {
            as: 'variants',
            variants: alternatives.map((each, index) => ({ title: titles[index] ?? '', schema: each })),
          };
    return { schema, shape, nullable, ...about };
  }
  return { schema, shape: plainShape(schema, root, name), nullable, ...about };
}

interface Alternatives {
  alternatives: JsonSchema[];
  /** Of each, in their order. */
  titles: string[];
  nullable: boolean;
}

/** The alternatives of `anyOf`, `oneOf` and of a list of types, without null. None: the schema has none. */
function alternativesOf(schema: JsonSchema, root: JsonSchema, budget: Budget): Alternatives {
  const listed = schemas(schema.anyOf) ?? schemas(schema.oneOf);
  if (listed) {
    const { anyOf: _, oneOf: __, title: ___, description: ____, default: _____, ...own } = schema;
    const all = listed.map((each) => (spent(budget) ? each : (resolved(each, root, budget) ?? each)));
    const others = all.filter((each) => !isNull(each));
    // What stands beside the alternatives holds for each of them.
    const hasOwn = isObject(own.properties) || own.type !== undefined;
    return {
      alternatives: hasOwn ? others.map((each) => both(each, own)) : others,
      titles: others.map(variantTitle),
      nullable: others.length < all.length,
    };
  }
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== 'null');
    const nullable = types.length < schema.type.length;
    if (types.length === 0) return { alternatives: [{ type: 'null' }], titles: ['null'], nullable: false };
    if (Array.isArray(schema.enum))
      return { alternatives: [{ ...schema, type: undefined }], titles: [''], nullable: false };
    const { title: _, ...rest } = schema;
    return { alternatives: types.map((type) => ({ ...rest, type })), titles: types.map(String), nullable };
  }
  return { alternatives: [], titles: [], nullable: schema.nullable === true };
}

const isNull = ({ type, const: fixed, enum: values }: JsonSchema): boolean =>
  type === 'null' || fixed === null || (Array.isArray(values) && values.length === 1 && values[0] === null);

/** Alternatives that are one value each. */
function fixedChoices(alternatives: readonly JsonSchema[]): Choice[] | undefined {
  const choices = alternatives.flatMap((each): Choice[] => {
    if (each.const !== undefined) return [{ value: each.const, title: text(each.title) ?? shown(each.const) }];
    return Array.isArray(each.enum) ? each.enum.map((value) => ({ value, title: shown(value) })) : [];
  });
  const isFixed = alternatives.every((each) => each.const !== undefined || Array.isArray(each.enum));
  return isFixed && choices.length <= MAX_CHOICES ? choices : undefined;
}

const shown = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

/** What tells an alternative from the others. */
function variantTitle(schema: JsonSchema, index: number): string {
  const title = text(schema.title);
  if (title !== undefined) return title;
  if (schema.const !== undefined) return shown(schema.const);
  if (isObject(schema.properties)) {
    const kind = Object.values(schema.properties).find((each) => isObject(each) && each.const !== undefined);
    if (isObject(kind)) return shown(kind.const);
    const names = Object.keys(schema.properties);
    if (names.length > 0) return `${names.slice(0, 3).join(', ')}${names.length > 3 ? '…' : ''}`;
  }
  if (Array.isArray(schema.required) && schema.type === undefined) return `with ${schema.required.join(', ')}`;
  return text(schema.type) ?? `form ${index + 1}`;
}

const TEXT_TYPES: Readonly<Record<string, 'email' | 'date' | 'url'>> = {
  email: 'email',
  date: 'date',
  uri: 'url',
  url: 'url',
};
const HINTS: Readonly<Record<string, string>> = {
  'date-time': '2026-01-31T12:00:00Z',
  time: '12:00:00Z',
  duration: 'P3D',
  uuid: '00000000-0000-0000-0000-000000000000',
};
/** Texts that have several lines. */
const LONG =
  /(?:text|content|body|code|sql|query|prompt|message|markdown|html|script|source|note|description|json|yaml)s?$/i;

function plainShape(schema: JsonSchema, root: JsonSchema, name: string): Shape {
  if (schema.const !== undefined) return { as: 'fixed', value: schema.const };
  if (Array.isArray(schema.enum)) {
    if (schema.enum.length > MAX_CHOICES) return { as: 'json' };
    const titles = Array.isArray(schema.enumNames) ? schema.enumNames : [];
    return {
      as: 'choice',
      choices: schema.enum.map((value, at) => ({ value, title: text(titles[at]) ?? shown(value) })),
    };
  }
  switch (schema.type ?? typeMeant(schema)) {
    case 'string': {
      const format = text(schema.format) ?? '';
      const [min, max] = [number(schema.minLength), number(schema.maxLength)];
      const long = format === '' && (LONG.test(name) || (max ?? 0) > 300);
      const example = Array.isArray(schema.examples) ? text(schema.examples[0]) : undefined;
      const hint = example ?? HINTS[format];
      return { as: 'text', long, type: TEXT_TYPES[format] ?? 'text', ...bounds(min, max), ...(hint ? { hint } : {}) };
    }
    case 'number':
    case 'integer':
      return {
        as: 'number',
        isInteger: schema.type === 'integer',
        ...bounds(number(schema.minimum), number(schema.maximum)),
      };
    case 'boolean':
      return { as: 'yes-no' };
    case 'null':
      return { as: 'null' };
    case 'array':
      return listShape(schema, root);
    case 'object':
      return membersShape(schema);
    default:
      return { as: 'json' };
  }
}

const bounds = (min: number | undefined, max: number | undefined): { min?: number; max?: number } => ({
  ...(min === undefined ? {} : { min }),
  ...(max === undefined ? {} : { max }),
});

const typeMeant = (schema: JsonSchema): string | undefined =>
  isObject(schema.properties) ? 'object' : isObject(schema.items) ? 'array' : undefined;

function listShape(schema: JsonSchema, root: JsonSchema): Shape {
  const item = isObject(schema.items) ? resolved(schema.items, root) : undefined;
  if (!item || schema.prefixItems !== undefined) return { as: 'json' };
  const alternatives = schemas(item.anyOf) ?? schemas(item.oneOf);
  const choices = Array.isArray(item.enum) ? fixedChoices([item]) : alternatives && fixedChoices(alternatives);
  if (choices && choices.length <= 50) return { as: 'choices', choices };
  return { as: 'list', item, min: number(schema.minItems) ?? 0, max: Math.min(number(schema.maxItems) ?? 100, 100) };
}

function membersShape(schema: JsonSchema): Shape {
  const properties = isObject(schema.properties) ? Object.entries(schema.properties) : [];
  // Names that are not listed may be given too: the form has no place for them.
  const isOpen = isObject(schema.additionalProperties) || isObject(schema.patternProperties);
  if (properties.length > MAX_MEMBERS || (properties.length === 0 && isOpen)) return { as: 'json' };
  const required = Array.isArray(schema.required) ? schema.required : [];
  return {
    as: 'members',
    members: properties.map(([name, inner]) => ({
      name,
      schema: isObject(inner) ? inner : {},
      required: required.includes(name),
    })),
  };
}

/** Objects in objects that are begun with. */
const MAX_START_DEPTH = 6;

/** What a field begins with; undefined: it is left out. */
export function startValue(
  given: unknown,
  root: JsonSchema,
  required = true,
  budget = newBudget(),
  depth = 0,
): unknown {
  if (depth > MAX_START_DEPTH || spent(budget)) return undefined;
  const { schema, shape } = fieldOf(given, root);
  if (schema.default !== undefined) return schema.default;
  if (isObject(given) && given.default !== undefined) return given.default;
  if (shape.as === 'fixed') return required ? shape.value : undefined;
  if (shape.as === 'members') {
    const value: Record<string, unknown> = {};
    for (const member of shape.members) {
      const start = startValue(member.schema, root, member.required, budget, depth + 1);
      if (start !== undefined) value[member.name] = start;
    }
    return required || Object.keys(value).length > 0 ? value : undefined;
  }
  if (!required) return undefined;
  if (shape.as === 'variants') return startValue(shape.variants[0]?.schema, root, true, budget, depth + 1);
  if (shape.as === 'choices') return [];
  if (shape.as === 'list') {
    return Array.from({ length: Math.min(shape.min, 5) }, () => startValue(shape.item, root, true, budget, depth + 1));
  }
  return shape.as === 'null' ? null : undefined;
}

/** The variant that a value looks like: of fixed members, then of its type. */
export function variantOf(value: unknown, variants: readonly { schema: JsonSchema }[], root: JsonSchema): number {
  const found = variants.findIndex(({ schema }) => fits(value, schema, root));
  return found === -1 ? 0 : found;
}

function fits(value: unknown, schema: JsonSchema, root: JsonSchema): boolean {
  const { shape } = fieldOf(schema, root);
  switch (shape.as) {
    case 'fixed':
      return shape.value === value;
    case 'choice':
      return shape.choices.some((each) => each.value === value);
    case 'text':
      return typeof value === 'string';
    case 'number':
      return typeof value === 'number';
    case 'yes-no':
      return typeof value === 'boolean';
    case 'list':
    case 'choices':
      return Array.isArray(value);
    case 'members':
      return (
        isObject(value) &&
        shape.members.every(({ name, schema: inner, required }) => {
          const fixed = fieldOf(inner, root).shape;
          return fixed.as === 'fixed'
            ? value[name] === fixed.value || !required
            : !required || Object.hasOwn(value, name);
        })
      );
    default:
      return false;
  }
}
