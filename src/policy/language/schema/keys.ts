/**
 * The policy keys of `servers.json`: of the `gateway` section, and of one server.
 * @module
 */
import { z } from 'zod';
import { BUILTIN_FACTORIES } from '../../../../hooks/index.ts';
import { count, globs, PATTERNS, text, token } from '../../../config/schema/fields.ts';
import { HOOK_PHASES } from '../types.ts';
import { policyDocumentSchema } from './document.ts';

const MIB = 1024 * 1024;

export const AUDIT_DEFAULTS = { file: 'audit.jsonl', maxBytes: 10 * MIB, keep: 5 } as const;

const documentOrFile = () => z.union([text(), policyDocumentSchema]);

const grantSchema = z
  .strictObject({
    key: z
      .union([text().max(512), z.array(text().max(512)).min(1).max(16)])
      .optional()
      .meta({
        description:
          'What `switchboard grants add` wrote: the salted hash of a key, or a list of them. Grants of clients on a broker (gateway.mqtt) and of tokens (gateway.auth) need none.',
      }),
    servers: globs().optional().meta({ description: 'Globs of the servers it may use. Default: all.' }),
    policy: documentOrFile()
      .optional()
      .meta({ description: 'Its policy: a document or a file. Default: defaultPolicy.' }),
    expires: z
      .string()
      .regex(PATTERNS.date.regex)
      .optional()
      .meta({ description: 'From when the keys are no longer valid: 2027-01-31 (the beginning of that day, UTC).' }),
  })
  .meta({ id: 'grant', description: 'A named credential and what it may do.' });

const hookSchema = z
  .strictObject({
    use: z
      .enum([...BUILTIN_FACTORIES.keys()])
      .optional()
      .meta({ description: 'A hook of the gateway’s own.' }),
    module: text().optional().meta({ description: 'A JavaScript or TypeScript module, relative to this file.' }),
    name: z.string().min(1).max(64).regex(PATTERNS.hookName.regex).optional().meta({
      description: 'Its name, in messages and records. Default: the name of the built-in or of the module’s file.',
    }),
    options: z.record(z.string(), z.unknown()).default({}).meta({ description: 'What the hook is made with.' }),
    phases: z
      .array(z.enum(HOOK_PHASES))
      .min(1)
      .max(HOOK_PHASES.length)
      .optional()
      .meta({ description: 'Only these of its phases. Default: all it has.' }),
    servers: globs().default([]).meta({ description: 'Globs of the servers it sees. Default: all.' }),
    mode: z
      .enum(['enforce', 'shadow'])
      .default('enforce')
      .meta({ description: 'shadow: what it decides is only recorded.' }),
    timeoutMs: count(1, 60_000).default(1_000).meta({ description: 'Longest decision, in milliseconds.' }),
    onError: z.enum(['deny', 'allow']).default('deny').meta({ description: 'What an error or a timeout means.' }),
  })
  .meta({ id: 'hook', description: 'Code that sees requests and replies: use or module.' });

const auditSchema = z.strictObject({
  file: text().optional().meta({
    description: 'Where the records go, relative to this file. Default: audit.jsonl in the state folder.',
  }),
  maxBytes: count(4096, 1024 * MIB)
    .default(AUDIT_DEFAULTS.maxBytes)
    .meta({ description: 'The file is moved aside at this size, in bytes.' }),
  keep: count(0, 1_000).default(AUDIT_DEFAULTS.keep).meta({ description: 'How many moved files are kept.' }),
});

export const gatewayPolicyShape = {
  policy: documentOrFile().optional().meta({
    description: 'Policy for everything behind the gateway, under namespaced names: a document or a file.',
  }),
  defaultPolicy: z
    .union([z.enum(['allow', 'deny']), text(), policyDocumentSchema])
    .optional()
    .meta({
      description: 'For grants without a policy: allow, deny, a document or a file. Default: deny where grants is set.',
    }),
  grants: z.record(z.string(), grantSchema).optional().meta({
    description:
      'Credentials by name; `switchboard grants add` writes them. Set, though empty: nobody comes in without a key or token.',
  }),
  hooks: z.array(hookSchema).max(64).default([]).meta({ description: 'In the order in which they are asked.' }),
  audit: z
    .union([z.boolean(), auditSchema])
    .default(false)
    .meta({ description: 'One line of JSON per decision and call: true, or where and how much.' }),
  lock: z.enum(['off', 'warn', 'deny']).default('off').meta({
    description: 'What a definition means that is not as switchboard.lock.json beside this file has it.',
  }),
  validateArguments: z
    .boolean()
    .optional()
    .meta({
      description:
        'Check arguments against the tool’s own schema before they leave. Default: where a document or a hook of call.before ' +
        'governs the call; elsewhere the server decides.',
    }),
  adminToken: token().optional().meta({
    description: `Bearer token of the administration endpoint; made and kept in the state folder when not set. Write \${VAR}.`,
  }),
};

export const serverPolicyShape = {
  policy: documentOrFile().optional().meta({
    description: 'Policy for this server, under its own names: a published document pasted here, or a file.',
  }),
  validateArguments: z.boolean().optional().meta({
    description: 'Check arguments against the tool’s own schema before they leave. Default: as the gateway.',
  }),
};

export type GrantEntry = z.infer<typeof grantSchema>;
export type HookEntry = z.infer<typeof hookSchema>;
