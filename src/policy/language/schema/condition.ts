/**
 * Conditions, and the predicates they make.
 * @module
 */
import { z } from 'zod';
import { PATTERNS } from '../../../config/schema/fields.ts';
import { type ConditionOperator, OPERATORS, operandRules, operandWords, operatorOf } from '../operators.ts';

const MAX_TEXT = 4_096;

const scalar = () => [z.string().max(MAX_TEXT), z.number(), z.boolean(), z.null()] as const;

export const argumentPath = () => z.string().max(512).regex(PATTERNS.argument.regex);

/** A reason for the caller. */
export const reason = () => z.string().max(2_000);

const conditionShape = {
  path: argumentPath().meta({
    description: 'Which argument: `args`, then names or indices between dots (args.amount, args.items.0.price).',
  }),
  op: z
    .enum(Object.keys(OPERATORS) as ConditionOperator[])
    .meta({ description: 'How to compare. An argument that is missing satisfies no operator but `exists: false`.' }),
  value: z.union([...scalar(), z.array(z.union(scalar())).max(1_000)]).meta({
    description: `What to compare with: ${operandWords()}.`,
  }),
};

const predicateName = () =>
  z.string().min(1).max(256).optional().meta({ description: 'Its name, in messages and records.' });

const onDeny = () =>
  reason().optional().meta({ description: 'What the caller is told when this decides against the call.' });

interface Comparison {
  op: ConditionOperator;
  value: unknown;
}

function checkValue({ op, value }: Comparison, context: z.core.$RefinementCtx): void {
  const message = operatorOf(op).operand.problem(value, op);
  if (message !== undefined) context.addIssue({ code: 'custom', path: ['value'], message });
}

const conditionSchema = z
  .strictObject(conditionShape)
  .superRefine(checkValue)
  .meta({ id: 'condition', description: 'One comparison of one argument.', allOf: operandRules() });

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
  .meta({ id: 'bareCondition', description: 'A predicate of one condition.', allOf: operandRules() });

export const predicates = () => z.array(z.union([predicateSchema, bareConditionSchema])).max(100);

export type PredicateEntry = z.infer<typeof predicateSchema> | z.infer<typeof bareConditionSchema>;
