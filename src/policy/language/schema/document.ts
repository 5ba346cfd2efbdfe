/**
 * The schema of a policy document: the published PolicyLayer JSON, the keys of its older catalogue pages (`action`, `reason`,
 * `rate_limit`, `rules`), and the extensions `mode`, `prompts`, `resources`, `agents`, `methods`, `approve`, `redact`,
 * `schema`, `sliding`.
 * @module
 */
import { z } from 'zod';
import { count, DAY_MS, PATTERNS } from '../../../config/schema/fields.ts';
import { schemaWords } from '../../../config/schema/words.ts';
import type { JsonObject } from '../../../wire/jsonrpc.ts';
import { type ConditionOperator, OPERATORS, operandRules, operandWords, operatorOf } from '../operators.ts';

const MAX_TEXT = 4_096;

const scalar = () => [z.string().max(MAX_TEXT), z.number(), z.boolean(), z.null()] as const;

const argumentPath = () => z.string().max(512).regex(PATTERNS.argument.regex);

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

const predicateSchema = z
  .strictObject({
    name: predicateName(),
    conditions: z.array(conditionSchema).max(100).meta({ description: 'All must hold. An empty list holds always.' }),
    on_deny: onDeny(),
  })
  .meta({ id: 'predicate', description: 'Conditions that must all hold.' });

/** A condition where a predicate is expected is a predicate of one. */
const bareConditionSchema = z
  .strictObject({ ...conditionShape, name: predicateName(), on_deny: onDeny() })
  .superRefine(checkValue)
  .meta({ id: 'bareCondition', description: 'A predicate of one condition.', allOf: operandRules() });

export const predicates = () => z.array(z.union([predicateSchema, bareConditionSchema])).max(100);

export type PredicateEntry = z.infer<typeof predicateSchema> | z.infer<typeof bareConditionSchema>;

/** Lengths of the windows by their names, in milliseconds. */
export const WINDOW_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: DAY_MS } as const;

const windowName = () => z.enum(Object.keys(WINDOW_MS) as (keyof typeof WINDOW_MS)[]);

/** 31 days; longer counts belong to a billing system. */
const MAX_WINDOW_SECONDS = 2_678_400;

const limitSchema = z
  .strictObject({
    counter: z.string().min(1).max(256).meta({
      description:
        'Name of the count. Limits with the same counter, window and scope in this document share one count.',
    }),
    window: windowName().meta({ description: 'How long it counts; windows begin at full units of UTC.' }),
    max: count(0, Number.MAX_SAFE_INTEGER).meta({ description: 'Most of it in one window.' }),
    scope: z.enum(['grant', 'session', 'server', 'global', 'all']).default('grant').meta({
      description: 'Whose count: each grant has its own, each session, each server, or one for all (global, all).',
    }),
    sliding: z
      .boolean()
      .default(false)
      .meta({ description: 'Count back from now instead of from the beginning of the unit.' }),
    increment: count(1, 1_000_000_000).default(1).meta({ description: 'What one call adds.' }),
    increment_from: argumentPath()
      .optional()
      .meta({ description: 'The argument whose value a call adds instead (args.amount).' }),
    on_deny: reason().optional().meta({ description: 'What the caller is told when the limit is reached.' }),
    on_state_failure: z.enum(['deny', 'allow']).optional().meta({
      description: 'Whether a call passes while it cannot be counted. Default: gateway.redis.onStateFailure, deny.',
    }),
  })
  .meta({ id: 'limit', description: 'How often, or how much, in a span of time.' });

export const limits = () => z.array(limitSchema).max(64);

const rateLimitSchema = z
  .strictObject({
    max: count(0, Number.MAX_SAFE_INTEGER).meta({ description: 'Most calls in one window.' }),
    window: z
      .union([count(1, MAX_WINDOW_SECONDS), windowName()])
      .meta({ description: 'Seconds, or a unit: second, minute, hour, day.' }),
  })
  .meta({
    id: 'rateLimit',
    description: 'The older form of a limit: per grant, its counter is the lower-case name with _rate.',
  });

export type LimitEntry = z.infer<typeof limitSchema>;
export type RateLimitEntry = z.infer<typeof rateLimitSchema>;

const ACTIONS = ['allow', 'deny', 'require_approval'] as const;

const action = () =>
  z
    .enum(ACTIONS)
    .optional()
    .meta({ description: 'deny always denies, require_approval always asks a person. Default: allow.' });

const why = () => reason().optional().meta({ description: 'What the caller is told when action decides against it.' });

const approval = (of: string) =>
  z.union([z.literal(true), predicateSchema, bareConditionSchema, predicates()]).meta({ description: of });

const olderRuleSchema = z
  .strictObject({
    action: action(),
    reason: why(),
    rate_limit: rateLimitSchema.optional(),
  })
  .meta({ id: 'olderRule', description: 'A rule of the older catalogue pages.' });

const ruleSchema = z
  .strictObject({
    require: predicates().optional().meta({ description: 'Every one must hold, or the call is denied.' }),
    deny_if: predicates()
      .optional()
      .meta({ description: 'If any of these holds, the call is denied. One without conditions denies always.' }),
    approve: approval('A person is asked when any of these holds; true: always.').optional(),
    approval_timeout: z
      .string()
      .regex(PATTERNS.duration.regex)
      .default('10m')
      .meta({ description: 'How long a person has to decide, up to 24h; then it is denied.' }),
    approver: z
      .enum(['client', 'operator'])
      .default('client')
      .meta({ description: 'Who decides: the person at the client where it can ask, or only who runs the gateway.' }),
    limits: limits().optional().meta({ description: 'All must have room for the call.' }),
    redact: z
      .array(z.string().max(512).regex(PATTERNS.redacted.regex))
      .max(200)
      .optional()
      .meta({ description: 'Paths below args or result that are replaced; `*` stands for every member or item.' }),
    schema: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: 'A JSON Schema the arguments must satisfy beside the tool’s own.' }),
    action: action(),
    reason: why(),
    rate_limit: rateLimitSchema.optional(),
    approve_if: approval('The same as approve.').optional().meta({ deprecated: true }),
    rules: z.array(olderRuleSchema).max(50).optional().meta({
      description: 'Rules as older pages write them: the strictest action holds, and every rate_limit.',
      deprecated: true,
    }),
  })
  .meta({ id: 'rule', description: 'What holds for this name. {} allows.' });

const section = (of: string, names: string) =>
  z
    .record(z.string().min(1).max(2_048), ruleSchema)
    .optional()
    .meta({ description: `Rules for ${of}, by ${names} or glob; the exact name goes before globs.` });

/** Of one section. */
export const MAX_RULES = 5_000;

export const policyDocumentSchema = z
  .strictObject({
    $schema: z.string().optional().meta({ description: 'For editors.' }),
    version: z.literal('1').meta({ description: 'Version of the format.' }),
    description: z.string().max(4_000).optional().meta({ description: 'For people.' }),
    mode: z.enum(['enforce', 'shadow']).default('enforce').meta({
      description: 'shadow: nothing is denied, asked or counted; what would have been denied is recorded.',
    }),
    default: z
      .enum(['allow', 'deny'])
      .meta({ description: 'For what is not listed. Under deny, listing a name with {} allows it.' }),
    hide: z
      .array(z.string().min(1).max(2_048))
      .max(MAX_RULES)
      .optional()
      .meta({ description: 'Names or globs that are in no list and denied when called; "*" hides everything.' }),
    all_tools: z
      .strictObject({
        limits: limits().optional().meta({ description: 'Limits that every call of a tool counts against.' }),
      })
      .optional()
      .meta({ description: 'For every tool.' }),
    tools: section('tools', 'name'),
    prompts: section('prompts', 'name'),
    resources: section('resources and resource templates', 'URI'),
    agents: section('agents', 'name'),
    methods: section('other requests', 'method'),
  })
  .meta({ id: 'policy', description: 'A policy document.' });

export type PolicyEntry = z.infer<typeof policyDocumentSchema>;
export type RuleEntry = z.infer<typeof ruleSchema>;

let schema: JsonObject | undefined;

/** 2020-12, as the published documents and the schemas of tools. */
export function policyJsonSchema(): JsonObject {
  schema ??= z.toJSONSchema(policyDocumentSchema, { io: 'input', target: 'draft-2020-12' }) as JsonObject;
  return schema;
}

export const POLICY_WORDS = schemaWords(policyJsonSchema);

/** As editors get it. */
export function editorPolicySchema(): JsonObject {
  const { $schema, ...rest } = policyJsonSchema();
  return {
    $schema,
    $id: 'https://unpkg.com/agent-switchboard/policy.schema.json',
    title: 'Switchboard: a policy document',
    ...rest,
  };
}
