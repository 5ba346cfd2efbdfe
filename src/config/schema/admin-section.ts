/**
 * The schema of `gateway.admin`: who opens the pages for operators besides the holder of the admin token.
 * @module
 */
import { z } from 'zod';
import { text } from './fields.ts';
import { scopeName, url } from './token-fields.ts';

const value = () => text().max(256);

/** Whole values and no globs: what makes an administrator must not fit more than was meant. */
const claimRules = () =>
  z
    .array(
      z.strictObject({
        claim: text().max(256).meta({ description: 'A claim of the ID token: groups, or realm_access.roles.' }),
        value: z.union([value(), z.array(value()).min(1).max(1_000)]).meta({
          description: 'Its value, or one of its values, spelled exactly. Of email only where email_verified is true.',
        }),
      }),
    )
    .max(1_000)
    .default([]);

const loginSchema = z.strictObject({
  issuer: url().optional().meta({
    description:
      'The OIDC provider, exactly as its metadata spells it. Default: the one of auth.bridge.login, as the same client.',
  }),
  clientId: text().max(512).optional().meta({
    description:
      'The gateway as a client there. Its redirect URI is gateway.publicUrl followed by /admin/login/callback.',
  }),
  clientSecret: text()
    .max(4_096)
    .optional()
    .meta({ description: `Its secret, if it has one. Write \${VAR}, not the secret itself.` }),
  scopes: z.array(scopeName()).min(1).max(32).optional().meta({
    description: 'What is asked for; openid has to be among it. Default: openid, or what auth.bridge.login asks.',
  }),
  admins: claimRules().meta({ description: 'Who may do everything on the pages: whom one of these rules fits.' }),
  viewers: claimRules().meta({ description: 'Who may look, and change nothing.' }),
  providerLogout: z.boolean().default(true).meta({
    description:
      'Who logs out is offered to log out at the provider too, where its metadata have end_session_endpoint. The URI to come back to is gateway.publicUrl followed by /admin/.',
  }),
});

export const adminSchema = z.strictObject({
  login: loginSchema.optional().meta({
    description: 'People log in to the pages at an OIDC provider. The admin token opens them as well.',
  }),
});

export type AdminEntry = z.infer<typeof adminSchema>;
