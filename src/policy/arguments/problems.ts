/**
 * Turns ajv's errors into sentences a model can act on: where, what is expected, and which type was found. Values of the
 * caller are never quoted (they may be secret, and long); values the schema allows are.
 * @module
 */

import type { ErrorObject } from 'ajv';
import { shortenTo } from '../../core/text.ts';
import { isObject } from '../../wire/jsonrpc.ts';

export const MAX_PROBLEMS = 10;
const MAX_PROBLEM_CHARS = 300;
const MAX_LISTED = 20;
const MAX_ITEM_CHARS = 60;
const MAX_SEGMENTS = 16;

export function problemsOf(errors: readonly ErrorObject[]): string[] {
  const problems = new Set<string>();
  for (const error of withoutRepetition(errors)) {
    problems.add(shortenTo(`${pathOf(error.instancePath)}: ${wordsFor(error)}`, MAX_PROBLEM_CHARS));
    if (problems.size === MAX_PROBLEMS) break;
  }
  return [...problems];
}

/**
 * Ajv reports `anyOf` as the errors of every branch and then one error for the whole. Only the errors of the intended branch
 * help: branches that want another type or another constant are dropped.
 */
function withoutRepetition(errors: readonly ErrorObject[]): ErrorObject[] {
  const reduced: ErrorObject[] = [];
  for (const error of errors) {
    if (error.keyword === 'if' && reduced.length > 0) continue;
    if (error.keyword !== 'anyOf' && error.keyword !== 'oneOf') {
      reduced.push(error);
      continue;
    }
    const branches: ErrorObject[] = [];
    for (let last = reduced.at(-1); last !== undefined && isWithin(last, error); last = reduced.at(-1)) {
      branches.unshift(last);
      reduced.pop();
    }
    reduced.push(...meantBranches(branches, error));
  }
  return reduced;
}

const isWithin = ({ instancePath }: ErrorObject, { instancePath: union }: ErrorObject): boolean =>
  instancePath === union || instancePath.startsWith(`${union}/`);

function meantBranches(errors: readonly ErrorObject[], union: ErrorObject): readonly ErrorObject[] {
  const branches = Map.groupBy(errors, (error) => branchOf(error, union));
  const meant = [...branches.values()].filter((branch) => !branch.some((error) => isOther(error, union))).flat();
  if (meant.length > 0) return meant;
  const types = errors.filter(({ keyword, instancePath }) => keyword === 'type' && instancePath === union.instancePath);
  if (types.length > 0 && types.length === errors.length) return [merged(types, 'type', types.flatMap(typesIn))];
  const constants = errors.filter(({ keyword }) => keyword === 'const' || keyword === 'enum');
  const [first] = constants;
  const onePlace = constants.every(({ instancePath }) => instancePath === first?.instancePath);
  return first !== undefined && onePlace ? [merged(constants, 'enum', constants.flatMap(valuesIn))] : [union];
}

/** Errors under a `$ref` have the path of the definition and not that of the branch that refers to it. */
function branchOf({ schemaPath }: ErrorObject, { schemaPath: union }: ErrorObject): string {
  if (schemaPath.startsWith(`${union}/`))
    return schemaPath
      .slice(union.length + 1)
      .split('/', 1)
      .join();
  return schemaPath.split('/', 3).join('/');
}

/** The error shows that another branch was intended: another type, or another constant in a discriminating member. */
function isOther({ keyword, instancePath }: ErrorObject, { instancePath: union }: ErrorObject): boolean {
  if (keyword === 'type') return instancePath === union;
  if (keyword !== 'const' && keyword !== 'enum') return false;
  return !instancePath.slice(union.length + 1).includes('/');
}

function merged([first]: readonly ErrorObject[], keyword: 'type' | 'enum', allowed: unknown[]): ErrorObject {
  const params = keyword === 'type' ? { type: allowed } : { allowedValues: allowed };
  return { ...(first as ErrorObject), keyword, params };
}

const typesIn = ({ params }: ErrorObject): unknown[] => [params.type].flat();

const valuesIn = ({ keyword, params }: ErrorObject): unknown[] =>
  keyword === 'const' ? [params.allowedValue] : params.allowedValues;

function wordsFor(error: ErrorObject): string {
  const { keyword, params, data, parentSchema } = error;
  switch (keyword) {
    case 'type':
      return `must be ${alternatives([...new Set(typesIn(error))].map(withArticle))}, found ${typeOf(data)}`;
    case 'enum':
      return `must be one of ${listed(params.allowedValues)}`;
    case 'const':
      return `must be ${inBrief(params.allowedValue)}`;
    case 'required':
      return `lacks ${inBrief(params.missingProperty)}${expectation(parentSchema, params.missingProperty)}`;
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const known = isObject(parentSchema?.properties) ? Object.keys(parentSchema.properties) : [];
      const name = inBrief(params.additionalProperty ?? params.unevaluatedProperty);
      return `must not have ${name}${known.length === 0 ? '' : ` (known here: ${listed(known)})`}`;
    }
    case 'pattern':
      return `must match the pattern ${shortenTo(String(params.pattern), 2 * MAX_ITEM_CHARS)}`;
    case 'format':
      return `must have the format ${inBrief(params.format)}`;
    case 'propertyNames':
      return `must not have a member named ${inBrief(params.propertyName)}`;
    case 'oneOf':
      return params.passingSchemas === null
        ? `fits none of its alternatives, found ${typeOf(data)}`
        : 'must fit exactly one of its alternatives and fits several';
    case 'anyOf':
      return `fits none of its alternatives, found ${typeOf(data)}`;
    case 'false schema':
      return 'must not be there';
    case 'not':
      return 'is what its schema excludes';
    default:
      return error.message ?? `does not satisfy "${keyword}"`;
  }
}

/** `: a string`, where the schema has a type. */
function expectation(parentSchema: ErrorObject['parentSchema'], name: unknown): string {
  const { properties } = parentSchema ?? {};
  if (!isObject(properties) || typeof name !== 'string' || !Object.hasOwn(properties, name)) return '';
  const property = properties[name];
  if (!isObject(property)) return '';
  if (Array.isArray(property.enum)) return `: one of ${listed(property.enum)}`;
  const types = [property.type].flat().filter((type) => typeof type === 'string');
  return types.length === 0 ? '' : `: ${alternatives(types.map(withArticle))}`;
}

/** `/a/0/b~1c` as `args.a.0["b/c"]`. */
function pathOf(pointer: string): string {
  const segments = pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
  const shown = segments
    .slice(0, MAX_SEGMENTS)
    .map((segment) => (/^[\w$-]{1,60}$/.test(segment) ? `.${segment}` : `[${inBrief(segment)}]`));
  return `args${shown.join('')}${segments.length > MAX_SEGMENTS ? '…' : ''}`;
}

function withArticle(type: unknown): string {
  if (type === 'null') return 'null';
  return `${/^[aeiou]/.test(String(type)) ? 'an' : 'a'} ${String(type)}`;
}

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'an array';
  return withArticle(typeof value);
}

function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function listed(values: readonly unknown[]): string {
  const shown = [...new Set(values)].slice(0, MAX_LISTED).map(inBrief).join(', ');
  return values.length > MAX_LISTED ? `${shown} and ${values.length - MAX_LISTED} more` : shown;
}

const inBrief = (value: unknown): string => shortenTo(JSON.stringify(value) ?? 'nothing', MAX_ITEM_CHARS);
