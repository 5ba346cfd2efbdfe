/**
 * Field types of the sections about tokens.
 * @module
 */
import { z } from 'zod';
import { globs, text } from './fields.ts';

export const url = () => z.url({ protocol: /^https?$/ }).max(2_048);

/** RFC 6749, section 3.3. */
export const scopeName = () =>
  z
    .string()
    .max(256)
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/);

/** Claims → grant. */
export const grantRulesSchema = () =>
  z
    .array(
      z.strictObject({
        claim: text().max(256).meta({ description: 'A claim of the token: groups, or realm_access.roles.' }),
        value: z
          .union([z.string().max(256), globs().min(1)])
          .default('*')
          .meta({ description: 'Glob, or globs, of its value or of one of its values.' }),
        grant: text().meta({ description: 'The grant, or "local" for none.' }),
      }),
    )
    .max(1_000)
    .default([]);

const scopeSchema = z.strictObject({
  servers: globs().optional().meta({ description: 'Only entries of these servers. Default: of all.' }),
  tools: globs().optional().meta({ description: 'Tools, by the names that clients see in the merged view.' }),
  prompts: globs().optional().meta({ description: 'Prompts, in the same way.' }),
  resources: globs().optional().meta({ description: 'Resources, by their URIs in the merged view.' }),
  agents: globs().optional().meta({ description: 'Agents, by their names in the merged view.' }),
  implies: z.array(scopeName()).max(100).default([]).meta({ description: 'Narrower scopes that this one includes.' }),
});

/** What each scope of access tokens allows. */
export const scopesSchema = () => z.record(scopeName(), scopeSchema).optional();
