/**
 * The schema of `gateway.auth`: whose access tokens the gateway accepts, and what they allow.
 * @module
 */
import { z } from 'zod';
import { TOKEN_ALGORITHMS } from '../../core/token-issuer.ts';
import { bridgeSchema } from './bridge-section.ts';
import { text } from './fields.ts';
import { grantRulesSchema, scopeName, scopesSchema, url } from './token-fields.ts';

const introspectionSchema = z.strictObject({
  endpoint: url().optional().meta({ description: 'Default: what the metadata of the issuer names.' }),
  clientId: text().max(512).meta({ description: 'As whom the gateway asks.' }),
  clientSecret: text().max(4_096).meta({ description: `Its secret. Write \${VAR}, not the secret itself.` }),
});

const issuerSchema = z.strictObject({
  issuer: url().meta({ description: 'The issuer, exactly as its metadata and its tokens spell it.' }),
  audience: z
    .union([text().max(2_048), z.array(text().max(2_048)).min(1).max(16)])
    .optional()
    .meta({
      description:
        'Audiences accepted besides the address of the endpoint itself, for issuers that do not put that into their tokens.',
    }),
  jwksUri: url().optional().meta({ description: 'Where its keys are. Default: what its metadata names.' }),
  introspection: introspectionSchema.optional().meta({
    description: 'The issuer is asked about each token (RFC 7662), for tokens that are no JWT.',
  }),
  algorithms: z
    .array(z.enum(TOKEN_ALGORITHMS))
    .min(1)
    .max(TOKEN_ALGORITHMS.length)
    .default([...TOKEN_ALGORITHMS])
    .meta({ description: 'Signatures that are accepted.' }),
  grants: grantRulesSchema().meta({ description: 'Which grant a token has: the first rule that fits.' }),
  grant: text()
    .optional()
    .meta({ description: 'The grant of tokens that no rule fits, or "local" for none. Default: they are refused.' }),
  requiredScopes: z.array(scopeName()).max(100).default([]).meta({ description: 'Scopes that every request needs.' }),
  scopes: scopesSchema().meta({
    description: 'What each scope allows. With it, tokens reach nothing that none of their scopes allows.',
  }),
  idJag: z.boolean().default(false).meta({
    description: 'Its assertions for the bridge (ID-JAG, enterprise-managed authorization) are redeemed for tokens.',
  }),
  quirks: z.enum(['entra', 'auth0', 'okta', 'keycloak']).optional().meta({
    description: 'The habits of this product: where its scopes stand, and how its access tokens are told from others.',
  }),
});

export const authSchema = z.strictObject({
  issuers: z.array(issuerSchema).max(16).default([]).meta({
    description: 'Authorization servers whose access tokens are accepted beside keys and the token.',
  }),
  bridge: bridgeSchema.optional().meta({
    description:
      'An authorization server of the gateway itself, for clients that cannot reach the one of your company.',
  }),
});

export type AuthEntry = z.infer<typeof authSchema>;
