/**
 * `/admin/api/connections`: the operator lists who has logged in to which server, opens the page of a login for a grant or the
 * local user, and takes a login back.
 * @module
 */
import type { OperatorPage } from '../../auth/connect/login-pages.ts';
import type { Connection } from '../../auth/upstream/types.ts';
import { GATEWAY_IDENTITY } from '../../core/credentials.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { grantIdentity, type Identity, LOCAL_IDENTITY } from '../../core/identity.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { parseJson } from '../messages.ts';
import type { AdminRequest, AdminRoute, AdminSources } from './route.ts';

/** Without a source there is nothing to log in to, and no such addresses. */
export function connectionRoutes(source: AdminSources['connections']): AdminRoute[] {
  if (!source) return [];
  const { logins, pages } = source;

  async function connect({ body }: AdminRequest) {
    const { server, ...whose } = textsOf(body, ['server'], ['grant', 'principal']);
    return { json: await openPage(source as ConnectionSource, server as string, whose) };
  }

  async function revoke({ body }: AdminRequest) {
    const { server, principal } = textsOf(body, ['server', 'principal'], []);
    return { json: { revoked: await logins.revoke(principal as string, server as string) } };
  }

  return [
    {
      method: 'GET',
      path: '/admin/api/connections',
      handle: async ({ query }) => {
        const found = await logins.status(query.get('principal') ?? undefined);
        return { json: { connections: found.map(connectionJson) } };
      },
    },
    {
      method: 'GET',
      path: '/admin/api/connections/pages/:id',
      handle: async ({ params }) => ({ json: { state: await pages.stateOf(params.id as string) } }),
    },
    { method: 'POST', path: '/admin/api/connections/connect', handle: connect },
    { method: 'POST', path: '/admin/api/connections/revoke', handle: revoke },
  ];
}

type ConnectionSource = NonNullable<AdminSources['connections']>;

/** Whose login it will be: by default the local user's. */
export interface Whose {
  /** The holders of this grant's keys; with a principal, the grant that it has. */
  readonly grant?: string | undefined;
  readonly principal?: string | undefined;
}

/** The page on which a person logs in to a server. Rejects as `LoginPages.forOperator`, and for a grant that there is not. */
export async function openPage(
  {
    logins,
    pages,
    hasGrant,
  }: Pick<ConnectionSource, 'hasGrant'> & {
    logins: Pick<ConnectionSource['logins'], 'loginPrincipal'>;
    pages: Pick<ConnectionSource['pages'], 'forOperator'>;
  },
  server: string,
  { grant, principal }: Whose,
): Promise<PageJson> {
  if (grant !== undefined && !hasGrant(grant)) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `There is no grant '${grant}'. 'switchboard grants list' shows them.`,
    );
  }
  // A principal that is named like a grant holds its key.
  const holds = grant ?? (principal !== undefined && hasGrant(principal) ? principal : undefined);
  const asked = identityFor({ grant: holds, principal });
  const isShared = logins.loginPrincipal(asked, server) === GATEWAY_IDENTITY.principal;
  return pageJson(await pages.forOperator(isShared ? GATEWAY_IDENTITY : asked, server));
}

function identityFor({ grant, principal = grant }: Whose): Identity {
  if (principal === undefined) return LOCAL_IDENTITY;
  return principal === grant ? grantIdentity(grant) : { principal, grant, claims: {} };
}

/** A connection as the API and the command line write it: times are ISO 8601. */
export const connectionJson = (connection: Connection) => ({
  ...connection,
  since: instant(connection.since),
  expiresAt: connection.expiresAt === undefined ? undefined : instant(connection.expiresAt),
});

export type ConnectionJson = ReturnType<typeof connectionJson>;

/** The page of a login, for the operator. */
export const pageJson = ({ expiresAt, ...page }: OperatorPage) => ({
  ...page,
  expiresAt: instant(expiresAt),
});

export type PageJson = ReturnType<typeof pageJson>;

const instant = (ms: number): string => new Date(ms).toISOString();

/** A principal is an issuer and a subject. */
const MAX_CHARS = 1_024;

/** The members of a body, all of them texts. */
function textsOf(body: Buffer, required: readonly string[], optional: readonly string[]) {
  const value = body.length === 0 ? {} : parseJson(body);
  if (!isObject(value)) throw refuse('The body must be a JSON object.');
  const allowed = [...required, ...optional];
  for (const [key, text] of Object.entries(value)) {
    if (!allowed.includes(key)) throw refuse(`The body may have the members ${allowed.join(', ')} only.`);
    if (typeof text !== 'string' || text === '' || text.length > MAX_CHARS || /\p{Cc}/u.test(text)) {
      throw refuse(`"${key}" must be a text of 1 to ${MAX_CHARS} characters, none of them a control character.`);
    }
  }
  for (const key of required) if (value[key] === undefined) throw refuse(`The body needs the member "${key}".`);
  return value as Readonly<Record<string, string | undefined>>;
}

const refuse = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_REQUEST', message);
