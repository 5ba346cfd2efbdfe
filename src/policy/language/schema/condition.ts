/**
 * Conditions, and the predicates they make. The operators, and which values each can be compared with, are those of the
 * published documents; a value an operator can do nothing with would make a rule that never holds, so it is a mistake.
 * @module
 */
import { RE2JS } from 're2js';
import { z } from 'zod';
import { PATTERNS } from '../../../config/schema/fields.ts';
import { CONDITION_OPERATORS, type ConditionOperator } from '../types.ts';

const MAX_TEXT = 4_096;
const MAX_REGEX = 1_024;

const scalar = () => [z.string().max(MAX_TEXT), z.number(), z.boolean(), z.null()] as const;

export const argumentPath = () => z.string().max(512).regex(PATTERNS.argument.regex);

/** What a caller is told. */
export const reason = () => z.string().max(2_000);

const conditionShape = {
  path: argumentPath().meta({
    description: 'Which argument: `args`, then names or indices between dots (args.amount, args.items.0.price).',
  }),
  op: z
    .enum(CONDITION_OPERATORS)
    .meta({ description: 'How to compare. An argument that is missing satisfies no operator but `exists: false`.' }),
  value: z.union([...scalar(), z.array(z.union(scalar())).max(1_000)]).meta({
    description:
      'What to compare with: a list for in and not_in, a number (or its text) for lt, lte, gt and gte, an RE2 ' +
      'expression for regex, true or false for exists.',
  }),
};

const predicateName = () =>
  z.string().min(1).max(256).optional().meta({ description: 'Its name, in messages and records.' });

const onDeny = () =>
  reason().optional().meta({ description: 'What the caller is told when this decides against the call.' });

const isNumeric = (value: unknown): boolean =>
  typeof value === 'number' || (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)));

function regexProblem(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'found no expression; allowed: a regular expression as a string';
  if (value.length > MAX_REGEX) {
    return `found a regular expression of ${value.length} characters; allowed: ${MAX_REGEX} at most`;
  }
  try {
    RE2JS.compile(value);
    return undefined;
  } catch (error) {
    const why = (error as Error).message.replace(/^error parsing regexp: /, '').slice(0, 200);
    return `found a regular expression that is not RE2 (${why}); RE2 has no look-around and no back-references`;
  }
}

const PROBLEMS: Partial<Record<ConditionOperator, (value: unknown) => string | undefined>> = {
  regex: regexProblem,
  exists: (value) =>
    typeof value === 'boolean' ? undefined : 'found another value for exists; allowed: true or false',
};
for (const op of ['in', 'not_in'] as const) {
  PROBLEMS[op] = (value) => (Array.isArray(value) ? undefined : `found a single value for ${op}; allowed: a list`);
}
for (const op of ['lt', 'lte', 'gt', 'gte'] as const) {
  PROBLEMS[op] = (value) =>
    isNumeric(value) ? undefined : `found something else for ${op}; allowed: a number, or a string that is one`;
}

function valueProblem(op: ConditionOperator, value: unknown): string | undefined {
  const check = PROBLEMS[op];
  if (check !== undefined) return check(value);
  if (Array.isArray(value)) return `found a list for ${op}; allowed: a string, a number, true, false or null`;
  return op === 'contains' && value === null
    ? 'found null for contains; allowed: what the argument must hold'
    : undefined;
}

/** The same for editors. */
const OPERATOR_RULES = [
  { ops: ['in', 'not_in'], value: { type: 'array' } },
  { ops: ['lt', 'lte', 'gt', 'gte'], value: { type: ['number', 'string'] } },
  { ops: ['regex'], value: { type: 'string' } },
  { ops: ['exists'], value: { type: 'boolean' } },
  { ops: ['eq', 'neq', 'contains'], value: { not: { type: 'array' } } },
].map(({ ops, value }) => ({
  if: { properties: { op: { enum: ops } }, required: ['op'] },
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema.
  then: { properties: { value } },
}));

interface Comparison {
  op: ConditionOperator;
  value: unknown;
}

function checkValue({ op, value }: Comparison, context: z.core.$RefinementCtx): void {
  const message = valueProblem(op, value);
  if (message !== undefined) context.addIssue({ code: 'custom', path: ['value'], message });
}

export const conditionSchema = z
  .strictObject(conditionShape)
  .superRefine(checkValue)
  .meta({ id: 'condition', description: 'One comparison of one argument.', allOf: OPERATOR_RULES });

export const predicateSchema = z
  .strictObject({
    name: predicateName(),
    conditions: z.array(conditionSchema).max(100).meta({ description: 'All must hold. An empty list holds always.' }),
    on_deny: onDeny(),
  })
  .meta({ id: 'predicate', description: 'Conditions that must all hold.' });

/** A condition where a predicate is expected is a predicate of one. */
export const bareConditionSchema = z
  .strictObject({ ...conditionShape, name: predicateName(), on_deny: onDeny() })
  .superRefine(checkValue)
  .meta({ id: 'bareCondition', description: 'A predicate of one condition.', allOf: OPERATOR_RULES });

export const predicates = () => z.array(z.union([predicateSchema, bareConditionSchema])).max(100);

export type ConditionEntry = z.infer<typeof conditionSchema>;
export type PredicateEntry = z.infer<typeof predicateSchema> | z.infer<typeof bareConditionSchema>;
