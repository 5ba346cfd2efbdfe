/**
 * The key `auth` of a server's entry: how tokens for it are got.
 * @module
 */
import { z } from 'zod';
import { text } from './fields.ts';

const TYPES = ['oauth', 'client_credentials', 'token_exchange', 'xaa', 'jwt_bearer', 'headers'] as const;

/** A text, or a file that holds it. */
const source = (description: string) =>
  z
    .union([z.strictObject({ value: text().max(65_536) }), z.strictObject({ file: text() })])
    .optional()
    .meta({ description });

const scope = () =>
  z
    .string()
    .min(1)
    .max(256)
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/);

export const serverAuthObject = z.strictObject({
  type: z
    .enum(TYPES)
    .optional()
    .meta({
      description:
        'oauth: people log in. client_credentials: the gateway has a token of its own. token_exchange (RFC 8693), xaa (ID-JAG): made ' +
        'of the token the caller sent. jwt_bearer: made of a JWT of the platform (RFC 7523). headers: only what headers say. ' +
        'Default: oauth.',
    }),
  per: z
    .enum(['user', 'gateway'])
    .optional()
    .meta({
      description:
        'Whose token requests carry: each principal its own, or everybody the gateway’s. Default: user, and gateway for ' +
        'client_credentials and jwt_bearer.',
    }),
  clientId: text().max(2_048).optional().meta({
    description:
      'The gateway as the authorization server knows it, or the https address of a client id metadata document. Default: registered when needed.',
  }),
  clientSecret: text().max(8_192).optional().meta({ description: 'Secret of the clientId.' }),
  privateKey: text()
    .optional()
    .meta({ description: 'Private key of the clientId (private_key_jwt): a PEM file or its text.' }),
  algorithm: z
    .enum(['ES256', 'ES384', 'RS256', 'RS384', 'RS512', 'PS256', 'EdDSA'])
    .optional()
    .meta({ description: 'What the privateKey signs with. Default: ES256.' }),
  scopes: z
    .array(scope())
    .max(64)
    .optional()
    .meta({ description: 'Scopes to ask for, besides those the server asks for.' }),
  issuer: text().optional().meta({
    description: 'The authorization server, the only one that is used. Default: the one the server names.',
  }),
  dpop: z.enum(['auto', 'required', 'off']).optional().meta({
    description:
      'Tokens bound to a key (DPoP): where server and issuer want them (auto, the default), always, or never.',
  }),
  pkce: z.enum(['required', 'unadvertised']).optional().meta({
    description:
      'unadvertised: an authorization server is used although its metadata do not say that it checks PKCE. Default: required.',
  }),
  audience: text().max(2_048).optional().meta({ description: 'audience of a token_exchange. Default: none.' }),
  subjectToken: source(
    'The token that is exchanged for requests of the gateway’s own: { "value": … } or { "file": … }, read each time.',
  ),
  subjectTokenType: text().max(256).optional().meta({
    description: 'Type of subjectToken (RFC 8693). Default: an access token; for xaa an ID token.',
  }),
  assertion: source('The JWT of a jwt_bearer: { "value": … } or { "file": … }, read each time.'),
  idp: z
    .strictObject({
      issuer: text().meta({ description: 'Issuer of the identity provider.' }),
      clientId: text().max(2_048).meta({ description: 'The gateway as the identity provider knows it.' }),
      clientSecret: text().max(8_192).optional().meta({ description: 'Secret of that clientId.' }),
      tokenEndpoint: text()
        .max(2_048)
        .optional()
        .meta({ description: 'Default: the one in the metadata of the issuer.' }),
    })
    .optional()
    .meta({ description: 'xaa: the identity provider that turns ID tokens into grants for the server.' }),
  // As Cursor writes it
  CLIENT_ID: text().max(2_048).optional().meta({ description: 'The same as clientId.', deprecated: true }),
  CLIENT_SECRET: text().max(8_192).optional().meta({ description: 'The same as clientSecret.', deprecated: true }),
});

export const serverAuthSchema = z.union([serverAuthObject, z.enum(['oauth', 'headers'])]);

export type ServerAuthEntry = z.infer<typeof serverAuthSchema>;
