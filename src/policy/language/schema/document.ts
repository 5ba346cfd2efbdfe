/**
 * The schema of a policy document: the published PolicyLayer JSON, the keys of its older catalogue pages (`action`, `reason`,
 * `rate_limit`, `rules`), and the extensions `mode`, `prompts`, `resources`, `agents`, `methods`, `approve`, `redact`,
 * `schema`, `sliding`.
 * @module
 */
import { z } from 'zod';
import { PATTERNS } from '../../../config/schema/fields.ts';
import { bareConditionSchema, predicateSchema, predicates, reason } from './condition.ts';
import { limits, rateLimitSchema } from './limit.ts';

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
