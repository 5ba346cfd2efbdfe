/**
 * The schema of `gateway.auth.bridge`: the gateway's own authorization server, for clients that cannot reach the company's.
 * @module
 */
import { z } from 'zod';
import { count, text } from './fields.ts';
import { grantRulesSchema, scopeName, scopesSchema, url } from './token-fields.ts';

const oidcSchema = z.strictObject({
  issuer: url().meta({ description: 'The OIDC provider at which people log in, exactly as its metadata spells it.' }),
  clientId: text().max(512).meta({
    description:
      'The gateway as a client there. Its redirect URI is gateway.publicUrl followed by /authorize/callback.',
  }),
  clientSecret: text()
    .max(4_096)
    .optional()
    .meta({ description: `Its secret, if it has one. Write \${VAR}, not the secret itself.` }),
  scopes: z
    .array(scopeName())
    .min(1)
    .max(32)
    .default(['openid'])
    .meta({ description: 'What the gateway asks for; openid has to be among it.' }),
  grants: grantRulesSchema().meta({
    description: 'Which grant a person has, by claims of the ID token: the first rule that fits.',
  }),
  grant: text()
    .optional()
    .meta({ description: 'The grant of people whom no rule fits, or "local" for none. Default: they are refused.' }),
});

const clientSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/)
    .meta({ description: 'Its client_id.' }),
  name: text().max(200).optional().meta({ description: 'What the consent page calls it. Default: its id.' }),
  secret: text().min(16).max(4_096).optional().meta({
    description: `Its secret. Write \${VAR}, not the secret itself. Default: none, for a client that can keep none.`,
  }),
  redirectUris: z.array(text().max(2_048)).max(20).default([]).meta({
    description: 'Where people come back to it. Ports of loopback addresses are free.',
  }),
  grant: text().optional().meta({
    description:
      'The grant it has by itself (client_credentials), for machines; or "local" for none. It needs a secret.',
  }),
});

export const bridgeSchema = z.strictObject({
  login: z.union([z.literal('admin-token'), oidcSchema]).meta({
    description:
      'Where people log in: an OIDC provider, or "admin-token" for a gateway of one person, who types that token.',
  }),
  grant: text().default('local').meta({
    description: 'With "admin-token": the grant of who typed it, or "local" for none.',
  }),
  clients: z.array(clientSchema).max(100).default([]).meta({ description: 'Clients that are known beforehand.' }),
  registration: z.boolean().default(true).meta({ description: 'Clients may register themselves, as Cursor does.' }),
  metadataDocuments: z.boolean().default(true).meta({
    description: 'Clients may be named by the URL of a document that describes them, as Claude and VS Code are.',
  }),
  scopes: scopesSchema().meta({
    description:
      'Scopes that clients can ask for besides mcp, and what each allows. Without them every token of the bridge allows what the grant does.',
  }),
  accessTokenMinutes: count(1, 60).default(10).meta({ description: 'How long an access token is valid.' }),
  loginDays: count(1, 365).default(30).meta({ description: 'After how long people log in again.' }),
});
